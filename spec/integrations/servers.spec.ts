import { type ChildProcess, fork as forkProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { RequestContext } from '@mikro-orm/core';
import { ReflectMetadataProvider } from '@mikro-orm/decorators/legacy';
import { MikroORM } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import express, { type RequestHandler } from 'express';
import { entities, Tag } from '../../fixtures/legacy/index.js';
import { type Cacheops, cacheops, getCacheops } from '../../lib/index.js';
import { cachedViewAs, invalidateView } from '../../lib/integrations/express/index.js';
import { cachedViewAs as cachedHttpViewAs } from '../../lib/integrations/http/index.js';
import { fragments } from '../../lib/integrations/templates/index.js';
import type { Order } from '../functions/support/race_child.js';
import { readsOf, sourcesOf } from '../orm/support/observe.js';
import { type Gate, gate } from '../support/gate.js';
import { freshDatabase, redisUrl } from '../support/servers.js';
import { until } from '../support/until.js';
import { ask, listen, type Site } from './support/site.js';

/** How often each race is run. */
const TRIES = Number(process.env.RACES ?? 10);

describe('views and fragments on PostgreSQL and Redis', () => {
  let orm: MikroORM;
  /** what another program would have: its own connections, on the same database and store */
  let other: MikroORM;
  let cache: Cacheops;
  let child: ChildProcess;
  let site: Site | undefined;
  let runs: number;
  /** where the next one that is made stops, once it has read */
  let hold: Gate | undefined;

  before(async () => {
    const url = await freshDatabase('views');
    const redis = await redisUrl();
    const open = () =>
      MikroORM.init({
        clientUrl: url,
        entities,
        metadataProvider: ReflectMetadataProvider,
        // that of the other process
        extensions: [cacheops({ redis, prefix: 'functions:', storeTimeout: 5000 })],
      });
    orm = await open();
    other = await open();
    cache = getCacheops(orm);
    await orm.schema.create();
    await orm.em.fork().execute(`insert into tag (name) values ('one'), ('two')`);
    child = forkProcess(new URL('../functions/support/race_child.js', import.meta.url), [url, redis]);
    expect((await once(child, 'message'))[0]).to.equal('ready');
    // a registry that is new keeps nothing for a while
    const warm = fragments(orm);
    let rendered = 0;
    await until(
      async () => {
        const before = rendered;
        await warm('warm', Tag, () => `${++rendered}`);
        await cache.idle();
        return rendered === before;
      },
      { timeout: 60_000 },
    );
  });

  after(async () => {
    const ended = once(child, 'exit');
    child.disconnect();
    await ended;
    await other.close();
    await orm.close();
  });

  beforeEach(async () => {
    runs = 0;
    hold = undefined;
    await writers['the same ORM']!('one');
    await cache.idle();
  });

  afterEach(async () => {
    await site?.close();
    site = undefined;
  });

  const rename = (by: MikroORM, name: string) => by.em.fork().nativeUpdate(Tag, { id: 1 }, { name });
  const writers: Record<string, (name: string) => Promise<unknown>> = {
    'the same ORM': name => rename(orm, name),
    'another ORM': name => rename(other, name),
    'another process': async name => {
      child.send({ write: name } satisfies Order);
      expect((await once(child, 'message'))[0]).to.equal('written');
    },
  };

  /** What pages are made of. */
  async function nameOfTag(em = orm.em.fork()): Promise<string> {
    runs++;
    const { name } = await em.findOneOrFail(Tag, 1, { cacheops: false });
    const held = hold;
    hold = undefined;
    await held?.pass();
    return name;
  }

  async function text(url: string, headers?: Record<string, string>): Promise<string> {
    const { status, body } = await ask(url, headers);
    await cache.idle();
    expect(status, body.toString()).to.equal(200);
    return body.toString();
  }

  /** How they are requested: over HTTP, or as a fragment of a page. */
  const kinds: Record<string, () => Promise<(extra?: object) => Promise<string>>> = {
    'views of node:http': async () => {
      const view = cachedHttpViewAs(Tag, { orm });
      site = await listen(
        createServer(view(async (_request, response) => void response.end(await nameOfTag()))),
      );
      return () => text(`${site!.origin}/tag`);
    },
    'views of Express': async () => {
      const app = express();
      app.use((_request, _response, next) => RequestContext.create(orm.em, next));
      app.get('/tag', cachedViewAs({ entity: Tag, where: { id: 1 } }), async (_request, response) => {
        response.send(await nameOfTag(orm.em as never));
      });
      site = await listen(createServer(app));
      return () => text(`${site!.origin}/tag`);
    },
    fragments: async () => {
      const fragment = fragments(orm);
      return async () => {
        const html = await fragment('tag', { entity: Tag, where: { id: 1 } }, () => nameOfTag());
        await cache.idle();
        return html;
      };
    },
  };

  for (const [kind, open] of Object.entries(kinds)) {
    describe(kind, () => {
      for (const [writer, write] of Object.entries(writers)) {
        it(`do not serve what was read before ${writer} has committed`, async () => {
          const get = await open();
          for (let i = 0; i < TRIES; i++) {
            await write(`before ${i}`);
            const slow = gate();
            hold = slow;
            const making = get();
            await slow.reached;
            await write(`after ${i}`);
            slow.open();
            expect(await making).to.equal(`before ${i}`);
            expect(await get()).to.equal(`after ${i}`);
            const made = runs;
            expect(await get()).to.equal(`after ${i}`);
            expect(runs, 'it is kept').to.equal(made);
          }
        });
      }

      it('neither serve nor store uncommitted changes of a writer', async () => {
        const get = await open();
        const committing = gate();
        const writing = other.em.fork().transactional(async em => {
          await em.nativeUpdate(Tag, { id: 1 }, { name: 'second' });
          await em.nativeUpdate(Tag, { id: 1 }, { name: 'third' });
          await committing.pass();
        });
        await committing.reached;
        expect(await get()).to.equal('one');
        committing.open();
        await writing;
        expect(await get()).to.equal('third');
      });

      it('store nothing that only the transaction of the writer sees', async () => {
        const get = await open();
        for (const end of ['commit', 'rollback'] as const) {
          await rename(orm, 'one');
          const em = orm.em.fork();
          await em.begin();
          await em.nativeUpdate(Tag, { id: 1 }, { name: `before ${end}` });
          const inside = fragments(em);
          for (const _ of [1, 2]) {
            const sources = await sourcesOf(cache, async () => {
              const made = inside('tag', { entity: Tag, where: { id: 1 } }, () => nameOfTag(em as never));
              expect(await made).to.equal(`before ${end}`);
            });
            expect(sources).to.include('a transaction that has written');
          }
          expect(await get()).to.equal('one');
          await em[end]();
          expect(await get()).to.equal(end === 'commit' ? 'before commit' : 'one');
        }
      });
    });
  }

  /** An application in which every request goes through this before the view. */
  async function serve(prepare: RequestHandler, page: (em: MikroORM['em']) => Promise<string>) {
    const app = express();
    app.use((_request, _response, next) => RequestContext.create(orm.em, next));
    app.use(prepare);
    app.get('/page', cachedViewAs(Tag), async (_request, response) => {
      runs++;
      response.send(await page(orm.em));
    });
    site = await listen(createServer(app));
    return `${site.origin}/page`;
  }

  const tenantOf = (request: IncomingMessage) => Number(request.headers['user-agent']);
  const TENANT = `select name from tag where id::text = current_setting('app.tenant', true)`;
  const names = async (em: MikroORM['em']) =>
    (await em.find(Tag, {}, { orderBy: { id: 1 } })).map(({ name }) => name).join();

  it('views in a transaction that has written are not stored', async () => {
    const url = await serve(
      (_request, response, next) => {
        orm.em
          .transactional(async em => {
            await em.nativeUpdate(Tag, { id: 1 }, { name: 'never' });
            const answered = once(response, 'finish');
            next();
            await answered;
            throw new Error('rolled back');
          })
          .catch(() => undefined);
      },
      em => nameOfTag(em as never),
    );
    runs = 0;
    for (const _ of [1, 2]) {
      expect(await text(url)).to.equal('never');
    }
    await site!.close();
    const plain = await serve((_request, _response, next) => next(), names);
    const port = new URL(url).port;
    // as if it were the same server: the key has the host
    expect(await text(plain, { host: `127.0.0.1:${port}` })).to.equal('one,two');
  });

  it('views are separated by the filters of tenants', async () => {
    const url = await serve((request, _response, next) => {
      const em = orm.em.getContext();
      em.addFilter({ name: 'tenant', cond: ({ id }) => ({ id }), entity: Tag });
      em.setFilterParams('tenant', { id: tenantOf(request) });
      next();
    }, names);
    for (const _ of [1, 2]) {
      for (const [tenant, expected] of Object.entries({ 1: 'one', 2: 'two' })) {
        expect(await text(url, { 'user-agent': tenant })).to.equal(expected);
      }
    }
  });

  it('views are separated by session settings', async () => {
    const url = await serve(
      (request, response, next) => {
        orm.em
          .transactional(async em => {
            await em.execute(`select set_config('app.tenant', ?, true)`, [String(tenantOf(request))]);
            const answered = once(response, 'finish');
            next();
            await answered;
          })
          .catch(next);
      },
      async em => {
        const [row] = await em.execute(TENANT);
        return row!.name;
      },
    );
    for (const _ of [1, 2]) {
      for (const [tenant, expected] of Object.entries({ 1: 'one', 2: 'two' })) {
        expect(await text(url, { 'user-agent': tenant })).to.equal(expected);
      }
    }
  });

  it('fragments are stored and separated by session context', async () => {
    for (const expectedRuns of [1, 0]) {
      for (const [tenant, expected] of Object.entries({ 1: 'one', 2: 'two' })) {
        runs = 0;
        const em = orm.em.fork();
        em.setSessionContext({ variables: { 'App.Tenant': tenant } });
        const render = async () => {
          runs++;
          return em.transactional(async own => (await own.execute(TENANT))[0]!.name as string);
        };
        expect(await fragments(em)('tenant', Tag, render)).to.equal(expected);
        await cache.idle();
        expect(runs).to.equal(expectedRuns);
      }
    }
  });

  it('fragments that change session settings are not stored', async () => {
    for (const [tenant, expected] of Object.entries({ 1: 'one', 2: 'two' })) {
      const render = async () =>
        orm.em.fork().transactional(async own => {
          await own.execute(`set local app.tenant = '${tenant}'`);
          return (await own.execute(TENANT))[0]!.name as string;
        });
      expect(await fragments(orm)('own', Tag, render)).to.equal(expected);
      await cache.idle();
    }
  });

  it('events and stats include views and fragments', async () => {
    const url = await serve(
      (_request, _response, next) => next(),
      async () => 'x',
    );
    const before = cache.stats();
    const reads = await readsOf(cache, async () => {
      for (const _ of [1, 2]) {
        await text(`${url}?told`);
        await fragments(orm)('told', Tag, () => 'x');
        await cache.idle();
      }
    });
    expect(reads.map(({ op, entity, source }) => `${op} ${entity}: ${source}`)).to.deep.equal([
      'view GET /page?told: database',
      'fragment told: database',
      'view GET /page?told: cache',
      'fragment told: cache',
    ]);
    const { hits, misses, fills } = cache.stats();
    expect([hits - before.hits, misses - before.misses, fills - before.fills]).to.deep.equal([2, 2, 2]);
  });

  it('views are separated by schema', async () => {
    await orm.em.fork().execute('create schema if not exists elsewhere');
    await orm.em.fork().execute('create table if not exists elsewhere.tag (like public.tag)');
    await orm.em.fork().execute(`insert into elsewhere.tag values (1, 'elsewhere')`);
    const url = await serve((request, _response, next) => {
      const em = orm.em.getContext();
      if (tenantOf(request) === 2) {
        em.schema = 'elsewhere';
      }
      next();
    }, names);
    for (const _ of [1, 2]) {
      for (const [tenant, expected] of Object.entries({ 1: 'one,two', 2: 'elsewhere' })) {
        expect(await text(url, { 'user-agent': tenant })).to.equal(expected);
      }
    }
  });

  it('views are dropped by their URL for all ORMs of a store, also while they are created', async () => {
    const url = await serve(
      (_request, _response, next) => next(),
      async () => `run ${runs}`,
    );
    for (const invalidated of [url, '/page']) {
      const kept = await text(url);
      await invalidateView('/other', other);
      expect(await text(url)).to.equal(kept);
      await invalidateView(invalidated, other);
      const anew = await text(url);
      expect(anew).to.not.equal(kept);
      expect(await text(url)).to.equal(anew);
    }
    await site!.close();
    const slow = gate();
    const made = await serve(
      (_request, _response, next) => next(),
      async () => {
        const name = `made ${runs}`;
        const held = hold;
        hold = undefined;
        await held?.pass();
        return name;
      },
    );
    hold = slow;
    const making = text(made);
    await slow.reached;
    await invalidateView('/page', other);
    slow.open();
    expect(await text(made)).to.not.equal(await making);
  });
});
