import type { Server } from 'node:http';
import { Readable } from 'node:stream';
import { EntityManager, MikroORM } from '@mikro-orm/core';
import { ReflectMetadataProvider } from '@mikro-orm/decorators/legacy';
import { MikroOrmModule } from '@mikro-orm/nestjs';
import { defineConfig } from '@mikro-orm/pglite';
import {
  All,
  Controller,
  Get,
  HttpCode,
  type INestApplication,
  Inject,
  Injectable,
  Module,
  NotFoundException,
  Param,
  Redirect,
  Render,
  Req,
  Res,
  Scope,
  type Type,
  VERSION_NEUTRAL,
  VersioningType,
} from '@nestjs/common';
import { type AbstractHttpAdapter, NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { expect, use } from 'chai';
import chaiAsPromised from 'chai-as-promised';
import type { Request, Response } from 'express';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { Article, entities } from '../../fixtures/legacy/index.js';
import { CacheopsError, cacheops, type Extension } from '../../lib/index.js';
import {
  CACHEOPS_EXTENSION,
  CachedView,
  CachedViewAs,
  Cacheops,
  CacheopsModule,
} from '../../lib/integrations/nestjs/index.js';
import { createBlog, startBlog } from '../orm/support/blog.js';
import { embedded } from '../orm/support/embedded.js';
import {
  ask,
  type Field,
  type Framework,
  nextRequestId,
  type Reply,
  type Route,
  setLate,
} from './support/site.js';
import { describeViews } from './support/views.js';

use(chaiAsPromised);

interface Platform {
  readonly name: string;
  adapter(): AbstractHttpAdapter;
  /** Gives every answer the field `x-request` and what routes set before and after the view, around Nest. */
  surround(app: INestApplication, routes: readonly Route[]): void;
  /** Takes a field of the response away. */
  remove(response: any, name: string): void;
  /** What a handler answers itself. */
  send(response: any, reply: Reply): void;
}

const PLATFORMS: readonly Platform[] = [
  {
    name: 'Express',
    adapter: () => new ExpressAdapter(),
    surround(app, routes) {
      app.use((request: Request, response: Response, next: () => void) => {
        const field = (name: string) => request.get(name);
        const route = routeOf(routes, request.path, field);
        response.set('x-request', nextRequestId());
        setLate(response, () => route?.late?.(field));
        response.set((route?.before?.(field) ?? {}) as Record<string, string>);
        next();
      });
    },
    remove: (response: Response, name) => response.removeHeader(name),
    send(response: Response, { status = 200, message, headers = {}, body }) {
      response.status(status).set(headers);
      if (message !== undefined) {
        response.statusMessage = message;
      }
      if (body instanceof Readable) {
        body.pipe(response);
      } else {
        response.send(body);
      }
    },
  },
  {
    name: 'Fastify',
    adapter: () => new FastifyAdapter({ forceCloseConnections: true }),
    surround(app, routes) {
      const fastify: FastifyInstance = app.getHttpAdapter().getInstance();
      const fieldOf = (request: FastifyRequest) => (name: string) => request.headers[name] as string;
      const find = (request: FastifyRequest) => routeOf(routes, request.url.split('?')[0]!, fieldOf(request));
      fastify.addHook('onRequest', async (request, reply) => {
        reply.header('x-request', nextRequestId());
        reply.headers(find(request)?.before?.(fieldOf(request)) ?? {});
      });
      fastify.addHook('onSend', async (request, reply) => {
        reply.headers(find(request)?.late?.(fieldOf(request)) ?? {});
      });
    },
    remove: (reply: FastifyReply, name) => void reply.removeHeader(name),
    send(reply: FastifyReply, { status = 200, message, headers = {}, body }) {
      if (message !== undefined) {
        reply.raw.statusMessage = message;
      }
      reply.code(status).headers(headers).send(body);
    },
  },
];

function routeOf(routes: readonly Route[], path: string, field: Field): Route | undefined {
  return routes.find(
    route => route.path === path && (route.role ?? field('user-agent')) === field('user-agent'),
  );
}

const frameworkOn = (platform: Platform): Framework => ({
  name: `NestJS on ${platform.name}`,
  field: ({ headers }: Request, name) => headers[name] as string | undefined,
  async serve(routes) {
    const orm = (routes[0]!.options as { orm: MikroORM }).orm;
    @Module({
      imports: [CacheopsModule.forRoot()],
      controllers: routes.map(route => controllerOf(route, platform, routes.length > 1 ? Get : All)),
      providers: [
        { provide: MikroORM, useValue: orm },
        { provide: EntityManager, useValue: orm.em },
      ],
      exports: [MikroORM, EntityManager],
    })
    class Site {}
    const module = { module: Site, global: true };
    return start(module as never, platform, app => {
      app.enableVersioning({ type: VersioningType.HEADER, header: 'user-agent' });
      platform.surround(app, routes);
    });
  },
});

async function start(
  module: Type,
  platform: Platform,
  configure: (app: INestApplication) => void | Promise<void> = () => {},
) {
  const app = await NestFactory.create(module, platform.adapter(), { logger: false, abortOnError: false });
  await configure(app);
  await app.listen(0, '127.0.0.1');
  const { port } = (app.getHttpServer() as Server).address() as { port: number };
  return {
    app,
    origin: `http://127.0.0.1:${port}`,
    close: () => {
      (app.getHttpServer() as Server).closeAllConnections();
      return app.close();
    },
  };
}

for (const platform of PLATFORMS) {
  describe(`applications of NestJS on ${platform.name} in one process`, () => {
    it('share no responses of a controller with different services', async () => {
      const { orm, cache } = await startBlog();
      class Greeting {
        constructor(readonly text: string) {}
      }

      @Controller('greeting')
      class GreetingController {
        constructor(@Inject(Greeting) private readonly greeting: Greeting) {}

        @Get()
        @CachedView({ timeout: 60 })
        greet() {
          return `${this.greeting.text} ${++runs}`;
        }
      }
      let runs = 0;
      const applications: Awaited<ReturnType<typeof start>>[] = [];
      for (const text of ['Hallo', 'Hello']) {
        @Module({
          imports: [CacheopsModule.forRoot()],
          controllers: [GreetingController],
          providers: [
            { provide: MikroORM, useValue: orm },
            { provide: EntityManager, useValue: orm.em },
            { provide: Greeting, useValue: new Greeting(text) },
          ],
          exports: [MikroORM, EntityManager],
        })
        class Site {}
        applications.push(await start({ module: Site, global: true } as never, platform));
      }
      const greet = async (i: number) => {
        const { body } = await ask(`${applications[i]!.origin}/greeting`, { host: 'shop.example' });
        await cache.idle();
        return body.toString();
      };
      try {
        const found = [await greet(0), await greet(1), await greet(0), await greet(1)];
        expect(found.map(text => text.split(' ')[0])).to.deep.equal(['Hallo', 'Hello', 'Hallo', 'Hello']);
        expect([await greet(0), await greet(1)]).to.deep.equal(found.slice(2));
      } finally {
        await Promise.all(applications.map(application => application.close()));
        await orm.close(true);
      }
    });
  });
}

function controllerOf(
  { path, role, samples, options, page }: Route,
  { send, remove }: Platform,
  method: typeof Get,
): Type {
  const { orm: _, ...rest } = options as { orm: unknown };
  const view = samples === undefined ? CachedView(rest) : CachedViewAs(samples as never, rest);

  @Controller({ version: role ?? VERSION_NEUTRAL })
  class Page {
    @method(path)
    @view
    async page(@Req() request: any, @Res() response: any): Promise<void> {
      const field = (name: string) => request.headers[name] as string | undefined;
      send(response, await page({ method: request.method, field, remove: name => remove(response, name) }));
    }
  }
  return Page;
}

for (const platform of PLATFORMS) {
  describeViews(frameworkOn(platform));
  describeModule(platform);
}

function describeModule(platform: Platform): void {
  describe(`CacheopsModule on ${platform.name}`, () => {
    @Injectable()
    class Settings {
      readonly timeout = 60;
    }

    @Module({ providers: [Settings], exports: [Settings] })
    class SettingsModule {}

    @Controller('articles')
    class Articles {
      static runs = 0;

      constructor(
        @Inject(EntityManager) private readonly em: EntityManager,
        @Inject(Cacheops) private readonly cache: Cacheops,
      ) {}

      @Get('stats')
      stats() {
        return this.cache.stats();
      }

      @Get('old')
      @CachedViewAs(Article, { vary: ['accept'] }) // by which redirects of Express vary
      @Redirect('/articles/1', 301)
      old(): void {
        Articles.runs++;
      }

      @Get(':id')
      @CachedViewAs((request: Request) => ({ entity: Article, where: { id: Number(request.params.id) } }))
      async show(@Param('id') id: string) {
        Articles.runs++;
        const article = await this.em.findOne(Article, Number(id));
        if (!article) {
          throw new NotFoundException();
        }
        return { title: article.title };
      }

      @Get(':id/page')
      @CachedViewAs(Article)
      @HttpCode(203)
      @Render('article')
      async page(@Param('id') id: string) {
        Articles.runs++;
        return { title: (await this.em.findOneOrFail(Article, Number(id))).title };
      }
    }

    const database = (extensions: Extension[]) =>
      defineConfig({
        entities,
        extensions,
        metadataProvider: ReflectMetadataProvider,
        driverOptions: { pglite: embedded },
      });

    type Started = Awaited<ReturnType<typeof start>>;
    let started: Started | undefined;

    beforeEach(async () => {
      await createBlog();
      Articles.runs = 0;
    });

    afterEach(async () => {
      await started?.close();
      started = undefined;
    });

    async function startArticles(module: Type): Promise<Started> {
      started = await start(module, platform, useTemplates);
      return started;
    }

    const get = async (path: string) => {
      const { status, headers, body } = await ask(`${started!.origin}${path}`);
      await started!.app.get(Cacheops).idle();
      return { status, headers, body: body.toString() };
    };

    @Module({
      imports: [
        CacheopsModule.forRootAsync({
          imports: [SettingsModule],
          inject: [Settings],
          useFactory: ({ timeout }: Settings) => ({
            defaults: { timeout },
            profiles: { Article: { ops: [] } },
          }),
        }),
        MikroOrmModule.forRootAsync({
          driver: database([]).driver!,
          inject: [CACHEOPS_EXTENSION],
          useFactory: (extension: Extension) => database([extension]),
        }),
      ],
      controllers: [Articles],
    })
    class Application {}

    it('provides the extension for MikroORM and the handle for controllers', async () => {
      await startArticles(Application);
      const { body } = await get('/articles/stats');
      expect(JSON.parse(body)).to.include({ hits: 0, misses: 0 });
    });

    it('caches what controllers return until a row changes', async () => {
      await startArticles(Application);
      for (const expected of ['First', 'Second thoughts']) {
        await started!.app.get(EntityManager).fork().nativeUpdate(Article, { id: 1 }, { title: expected });
        for (const _ of [1, 2]) {
          const { status, headers, body } = await get('/articles/1');
          expect([status, JSON.parse(body)]).to.deep.equal([200, { title: expected }]);
          expect(headers['content-type']).to.match(/^application\/json/);
        }
      }
      expect(Articles.runs).to.equal(2);
      await started!.app.get(EntityManager).fork().nativeUpdate(Article, { id: 2 }, { title: 'Another' });
      await get('/articles/1');
      expect(Articles.runs).to.equal(2);
    });

    it('caches HTTP exceptions, redirects and rendered templates', async () => {
      await startArticles(Application);
      for (const _ of [1, 2]) {
        expect((await get('/articles/99')).status).to.equal(404);
        const { status, headers } = await get('/articles/old');
        expect([status, headers.location]).to.deep.equal([301, '/articles/1']);
        const page = await get('/articles/1/page');
        expect([page.status, page.body]).to.deep.equal([203, 'page of First']);
      }
      expect(Articles.runs).to.equal(3);
      const em = started!.app.get(EntityManager).fork();
      await em.insert(Article, { id: 99, title: 'New', author: 1 } as never);
      expect((await get('/articles/99')).body).to.equal('{"title":"New"}');
    });

    it('works with an EntityManager for each request', async () => {
      const cached = cacheops({ defaults: { timeout: 60 }, profiles: { Article: { ops: [] } } });

      @Module({
        imports: [
          CacheopsModule.forRoot(),
          MikroOrmModule.forRoot({
            ...database([cached]),
            scope: Scope.REQUEST,
            registerRequestContext: false,
          }),
        ],
        controllers: [Articles],
      })
      class Scoped {}

      await startArticles(Scoped);
      for (const expected of ['First', 'Second thoughts']) {
        const orm = started!.app.get(MikroORM);
        await orm.em.fork().nativeUpdate(Article, { id: 1 }, { title: expected });
        for (const _ of [1, 2]) {
          expect(JSON.parse((await get('/articles/1')).body)).to.deep.equal({ title: expected });
        }
      }
      expect(Articles.runs).to.equal(2);
    });

    it('caches all methods of a controller; a method’s own decorator overrides that', async () => {
      let runs = 0;

      @Controller('all')
      @CachedViewAs(Article)
      class All {
        @Get('one')
        one() {
          return `one ${++runs}`;
        }

        @Get('two')
        @CachedView({ timeout: 60 })
        two() {
          return `two ${++runs}`;
        }
      }

      @Module({
        imports: [CacheopsModule.forRoot(), MikroOrmModule.forRoot(database([cacheops()]))],
        controllers: [All],
      })
      class Whole {}

      await startArticles(Whole);
      const both = async () => [(await get('/all/one')).body, (await get('/all/two')).body];
      expect(await both()).to.deep.equal(['one 1', 'two 2']);
      expect(await both()).to.deep.equal(['one 1', 'two 2']);
      await started!.app.get(EntityManager).fork().nativeUpdate(Article, { id: 1 }, { title: 'Changed' });
      expect(await both()).to.deep.equal(['one 3', 'two 2']);
    });

    it('reports a missing extension', async () => {
      @Module({ imports: [CacheopsModule.forRoot(), MikroOrmModule.forRoot(database([]))] })
      class Incomplete {}

      await expect(startArticles(Incomplete)).to.be.rejectedWith(CacheopsError, 'extensions');
    });
  });
}

/** Templates that need no file. */
function useTemplates(app: INestApplication): void {
  const instance = app.getHttpAdapter().getInstance();
  const text = ({ title }: { title: string }) => `page of ${title}`;
  if (app.getHttpAdapter().getType() === 'fastify') {
    // as @fastify/view does
    instance.decorateReply('view', function (this: FastifyReply, _name: string, options: { title: string }) {
      return this.send(text(options));
    });
    return;
  }
  instance.engine(
    'txt',
    (_path: string, options: { title: string }, done: (error: null, text: string) => void) =>
      done(null, text(options)),
  );
  instance.set('view engine', 'txt');
  instance.set('view', FoundView);
}

class FoundView {
  readonly path = 'found';
  readonly #engine: (path: string, options: unknown, done: unknown) => void;

  constructor(_name: string, { engines }: { engines: Record<string, never> }) {
    this.#engine = engines['.txt']!;
  }

  render(options: unknown, done: unknown): void {
    this.#engine(this.path, options, done);
  }
}
