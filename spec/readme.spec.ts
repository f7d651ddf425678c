import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { createAdaptorServer } from '@hono/node-server';
import { RequestContext } from '@mikro-orm/core';
import type { EntityManager } from '@mikro-orm/pglite';
import { expect, use } from 'chai';
import chaiAsPromised from 'chai-as-promised';
import ejs from 'ejs';
import { Eta } from 'eta';
import express, { type Request } from 'express';
import Fastify from 'fastify';
import { Hono } from 'hono';
import Koa from 'koa';
import nunjucks from 'nunjucks';
import { Article, Author, Category } from '../fixtures/legacy/index.js';
import {
  Cached,
  CachedAs,
  CacheMiss,
  cached,
  cachedAs,
  cachedMethod,
  fileCache,
  getCacheops,
} from '../lib/index.js';
import { cachedViewAs, invalidateView } from '../lib/integrations/express/index.js';
import { cachedViewAs as fastifyViewAs } from '../lib/integrations/fastify/index.js';
import { cachedViewAs as honoViewAs } from '../lib/integrations/hono/index.js';
import { cachedViewAs as httpViewAs } from '../lib/integrations/http/index.js';
import { cachedViewAs as koaViewAs } from '../lib/integrations/koa/index.js';
import { addCachedTags } from '../lib/integrations/nunjucks/index.js';
import { fragments } from '../lib/integrations/templates/index.js';
import { ask, listen, type Site } from './integrations/support/site.js';
import { restoreBlog, startBlog } from './orm/support/blog.js';
import type { Started } from './orm/support/start.js';
import { type TemporaryDirectory, temporaryDirectory } from './support/temporary_directory.js';

use(chaiAsPromised);

/** What the README shows of functions, views and templates, as it stands there. */
describe('the README', () => {
  let started: Started;
  let orm: Started['orm'];
  let runs: number;
  let directory: TemporaryDirectory;

  before(async () => {
    started = await startBlog();
    orm = started.orm;
    directory = temporaryDirectory('readme');
  });

  beforeEach(async () => {
    await restoreBlog(started);
    runs = 0;
  });

  after(async () => {
    directory.remove();
    await orm.close(true);
  });

  const rename = (title: string) => orm.em.fork().nativeUpdate(Article, { id: 1 }, { title });

  it('caches functions and methods until a sample changes', async () => {
    class ArticleService {
      constructor(private readonly em: EntityManager) {}

      @CachedAs(
        (self: ArticleService, category: number) => self.em.createQueryBuilder(Article).where({ category }),
        { timeout: 600 },
      )
      async block(category: number, count = 5) {
        runs++;
        return this.em.find(Article, { category }, { limit: count });
      }
    }
    const topAuthors = cachedAs(
      Article,
      Author,
    )(async (em: EntityManager, count: number) => {
      runs++;
      return em.find(Author, {}, { orderBy: { reputation: 'desc' }, limit: count });
    });
    const { category } = await orm.em.fork().findOneOrFail(Article, { category: { $ne: null } });
    const all = async () => {
      const block = await new ArticleService(orm.em.fork()).block(category!.id);
      const [author] = await topAuthors(orm.em.fork(), 10);
      await started.cache.idle();
      expect(block).to.not.have.length(0);
      expect(author).to.be.instanceOf(Author);
    };
    for (const expected of [2, 2]) {
      await all();
      expect(runs).to.equal(expected);
    }
    await orm.em.fork().nativeUpdate(Article, { category: category!.id }, { title: 'Changed' });
    await all();
    expect(runs).to.equal(4);
  });

  it('keeps for a time, in the store and in files', async () => {
    const fetchRates = async (currency: string): Promise<Record<string, number>> => ({
      [currency]: ++runs,
    });
    // needed where there are several ORMs, as other specs may have left open
    const inStore = () => getCacheops(orm).cache;
    const rates = cached({ timeout: 600, cache: inStore })(async (currency: string) => fetchRates(currency));
    expect([await rates('EUR'), await rates('EUR')]).to.deep.equal([{ EUR: 1 }, { EUR: 1 }]);
    await rates.invalidate('EUR');
    expect(await rates('EUR')).to.deep.equal({ EUR: 2 });
    await rates.key('EUR').set({ USD: 1.08 });
    expect(await rates('EUR')).to.deep.equal({ USD: 1.08 });

    class RateService {
      @Cached({ timeout: 600, cache: inStore })
      async rates(currency: string) {
        return fetchRates(currency);
      }
    }
    const service = new RateService();
    expect([await service.rates('EUR'), await service.rates('EUR')]).to.deep.equal([{ EUR: 3 }, { EUR: 3 }]);
    await cachedMethod(service, 'rates').invalidate('EUR');
    expect(await service.rates('EUR')).to.deep.equal({ EUR: 4 });

    const { cache } = getCacheops(orm);
    await cache.set('motd', 'Hello', { timeout: 60 });
    expect(await cache.get('motd')).to.equal('Hello');
    await cache.delete('motd');
    await expect(cache.get('motd')).to.be.rejectedWith(CacheMiss);

    const files = fileCache({ directory: join(directory.path, 'shop'), timeout: 3600, maxSize: 2 ** 30 });
    const report = cached({ timeout: 3600, cache: files })(async () => ++runs);
    expect([await report(), await report()]).to.deep.equal([5, 5]);
    expect(await files.clean()).to.include({ removed: 0, kept: 1 });
  });

  describe('serves views', () => {
    let site: Site;

    afterEach(() => site.close());

    async function changesAtOnce(path = '/articles'): Promise<void> {
      const get = async () => {
        const { status, body } = await ask(`${site.origin}${path}`);
        await started.cache.idle();
        expect(status, body.toString()).to.equal(200);
        return JSON.parse(body.toString())[0].title;
      };
      const [first, second] = [await get(), await get()];
      expect([first, second, runs]).to.deep.equal(['First', 'First', 1]);
      await rename('Changed');
      expect([await get(), await get(), runs]).to.deep.equal(['Changed', 'Changed', 2]);
    }

    const articles = (em = orm.em.fork()) => {
      runs++;
      return em.find(Article, {}, { orderBy: { id: 1 } });
    };

    it('of Express', async () => {
      const app = express();
      app.use((_req, _res, next) => RequestContext.create(orm.em, next));
      app.get('/articles', cachedViewAs(Article), async (_req, res) => {
        res.json(await articles(orm.em as never));
      });
      app.get(
        '/articles/:category',
        cachedViewAs(req => ({ entity: Article, where: { category: Number(req.params.category) } }), {
          timeout: 60,
          vary: { 'accept-language': (req: Request) => req.acceptsLanguages('de', 'en') },
          extra: req => req.get('x-role'),
        }),
        (_req, res) => void res.send(`run ${++runs}`),
      );
      site = await listen(createServer(app));
      await changesAtOnce();
      const get = async (language: string, role = 'guest') => {
        const headers = { 'accept-language': language, 'x-role': role };
        const { body } = await ask(`${site.origin}/articles/1?page=2`, headers);
        await started.cache.idle();
        return body.toString();
      };
      const all = async () => [
        await get('de'),
        await get('de-AT'),
        await get('en'),
        await get('de', 'admin'),
      ];
      const made = await all();
      expect(new Set(made).size).to.be.within(3, 4);
      expect(await all()).to.deep.equal(made);
      await RequestContext.create(orm.em, () => invalidateView('/articles/1?page=2'));
      expect(await all()).to.not.include.members(made);
    });

    it('of Fastify', async () => {
      const fastify = Fastify();
      const schema = { querystring: { type: 'object' } };
      fastify.get('/articles', { schema, ...fastifyViewAs(Article, { orm }) }, () => articles());
      await fastify.listen({ port: 0, host: '127.0.0.1' });
      site = { origin: fastify.listeningOrigin, close: () => fastify.close() };
      await changesAtOnce();
    });

    it('of Koa', async () => {
      const app = new Koa();
      app.use(koaViewAs(Article, { orm }));
      app.use(async context => {
        context.body = await articles();
      });
      site = await listen(createServer(app.callback()));
      await changesAtOnce();
    });

    it('of Hono', async () => {
      const app = new Hono();
      app.get('/articles', honoViewAs(Article, { orm }), async context => context.json(await articles()));
      site = await listen(createAdaptorServer(app) as never);
      await changesAtOnce();
    });

    it('of node:http', async () => {
      const view = httpViewAs(Article, { orm });
      site = await listen(
        createServer(
          view(async (_request, response) => {
            response.end(JSON.stringify(await articles()));
          }),
        ),
      );
      await changesAtOnce();
    });
  });

  describe('keeps pieces of pages', () => {
    const twice = async (render: () => string | Promise<string>) => {
      const found: string[] = [];
      for (const _ of [1, 2]) {
        found.push(await render());
        await started.cache.idle();
      }
      return found.map(text => text.trim());
    };

    it('of EJS', async () => {
      const fragment = fragments(orm);
      writeFileSync(join(directory.path, 'menu.ejs'), '<%= run() %>');
      const render = () =>
        ejs.render(
          `<%- await fragment('menu', Category, () => include('menu')) %>`,
          { fragment, Category, run: () => ++runs },
          { async: true, views: [directory.path] },
        ) as Promise<string>;
      expect(await twice(render)).to.deep.equal(['1', '1']);
      await fragment.invalidate('menu');
      expect(await twice(render)).to.deep.equal(['2', '2']);
    });

    it('of Eta', async () => {
      const fragment = fragments(orm);
      writeFileSync(join(directory.path, 'menu.eta'), '<%= it.run() %>');
      const eta = new Eta({ views: directory.path });
      const render = () =>
        eta.renderStringAsync(
          `<%~ await it.fragment('menu', it.Category, () => includeAsync('./menu', it)) %>`,
          { fragment, Category, run: () => ++runs },
        );
      expect(await twice(render)).to.deep.equal(['1', '1']);
      await orm.em.fork().insert(Category, { name: 'New' });
      expect(await twice(render)).to.deep.equal(['2', '2']);
    });

    it('of Nunjucks', async () => {
      const env = new nunjucks.Environment(null, { autoescape: true });
      const tags = addCachedTags(env, {
        orm,
        tags: { cachedMenu: name => ({ sample: { entity: Category, where: { name } }, extra: name }) },
      });
      const context = {
        Article,
        user: { role: 'guest' },
        lang: 'de',
        run: () => ++runs,
        articles: [{ title: '<1>' }, { title: '<2>' }, { title: '<3>' }],
      };
      const render = (template: string) => () =>
        new Promise<string>((resolve, reject) => {
          env.renderString(template, context, (error, text) => (error ? reject(error) : resolve(text!)));
        });
      const sample = '{% cachedAs Article, timeout=60, extra=user.role %} {{ run() }} {% endcachedAs %}';
      expect(await twice(render(sample))).to.deep.equal(['1', '1']);
      await rename('Changed');
      expect(await twice(render(sample))).to.deep.equal(['2', '2']);
      const timed = `{% cached timeout=60, extra=lang, name='sidebar' %} {{ run() }} {% endcached %}`;
      expect(await twice(render(timed))).to.deep.equal(['3', '3']);
      await tags.invalidate('sidebar');
      expect(await twice(render(timed))).to.deep.equal(['4', '4']);
      const own = `{% cachedMenu 'main' %} {{ run() }} {% endcachedMenu %}`;
      expect(await twice(render(own))).to.deep.equal(['5', '5']);
      const random =
        '{% cachedRandom 3, article in articles, sample=Article %} <li>{{ article.title }}</li> {% endcachedRandom %}';
      for (const html of await twice(render(random))) {
        const items = html.match(/<li>.*?<\/li>/g)!.sort();
        expect(items).to.deep.equal(['1', '2', '3'].map(n => `<li>&lt;${n}&gt;</li>`));
      }
    });
  });
});
