import { join } from 'node:path';
import { expect } from 'chai';
import { build } from 'esbuild';
import { build as buildWithVite } from 'vite';
import { freshDatabase, redisUrl } from '../support/servers.js';
import { complaintsOfCompiler } from '../support/typescript.js';
import { type Manager, type Project, type Projects, packProjects, ROOT } from './project.js';

const PINNED = { '@mikro-orm/core': '7.2.1', '@mikro-orm/postgresql': '7.2.1' };
const OLDEST = { '@mikro-orm/core': '7.2.0', '@mikro-orm/postgresql': '7.2.0' };
const NEWEST = { '@mikro-orm/core': '7.2.5', '@mikro-orm/postgresql': '7.2.5' };

/** How each runner is started, on the file `reads.test.js`. */
const RUNNERS: Readonly<Record<string, (project: Project) => readonly string[]>> = {
  Vitest(project) {
    project.link('vitest', 'vite');
    return [join('node_modules', 'vitest', 'vitest.mjs'), 'run', '--globals', 'reads.test.js'];
  },
  Mocha(project) {
    project.link('mocha');
    return [join('node_modules', 'mocha', 'bin', 'mocha.js'), '--timeout', '60000', 'reads.test.js'];
  },
  Jest(project) {
    project.write('jest.config.js', "export default { transform: {}, testMatch: ['**/reads.test.js'] };");
    return ['--experimental-vm-modules', join('node_modules', 'jest', 'bin', 'jest.js')];
  },
};

describe('the packed tarball', function () {
  this.timeout(300_000);
  let projects: Projects;
  let pinned: Project;

  before(async () => {
    projects = await packProjects();
    pinned = await projects.install('npm', { ...PINNED, ioredis: '^6.0.0' });
    pinned.write('main.js', PROGRAM);
  });

  after(() => projects.remove());

  async function hits(project: Project, file = 'main.js', redis?: string): Promise<string> {
    const env = { DATABASE_URL: await freshDatabase('packaging'), ...(redis && { REDIS_URL: redis }) };
    return project.node([file], env);
  }

  it('works beside a MikroORM that is pinned below the newest, with npm', async () => {
    expect(await hits(pinned)).to.equal('1 hit\n');
    expect(await hits(pinned, 'main.js', await redisUrl())).to.equal('1 hit\n');
  });

  const others: Readonly<Record<string, readonly [Manager, Record<string, string>]>> = {
    'the oldest MikroORM, with npm': ['npm', OLDEST],
    'the newest MikroORM, with npm': ['npm', NEWEST],
    'a pinned MikroORM, with pnpm, which runs no build script': ['pnpm', PINNED],
  };
  for (const [what, [manager, dependencies]] of Object.entries(others)) {
    it(`works beside ${what}`, async () => {
      const project = await projects.install(manager, dependencies);
      project.write('main.js', PROGRAM);
      expect(await hits(project)).to.equal('1 hit\n');
    });
  }

  it('works beside NestJS 12', async () => {
    const project = await projects.install('npm', {
      ...PINNED,
      '@mikro-orm/nestjs': '^7.1.0',
      '@nestjs/common': '^12.0.0',
      '@nestjs/core': '^12.0.0',
      '@nestjs/platform-express': '^12.0.0',
      'reflect-metadata': '^0.2.2',
      rxjs: '^7.8.2',
    });
    project.link('typescript', '@types/node');
    project.write('main.ts', NEST);
    project.write('tsconfig.json', JSON.stringify({ compilerOptions: COMPILER_OPTIONS, files: ['main.ts'] }));
    expect(await complaintsOfCompiler(project.path)).to.deep.equal([]);
    expect(await hits(project)).to.equal('1 hit\n');
  });

  it('works in a bundle of esbuild', async () => {
    await build({
      entryPoints: [join(pinned.path, 'main.js')],
      outfile: join(pinned.path, 'esbuild', 'main.js'),
      bundle: true,
      platform: 'node',
      format: 'esm',
      // of MikroORM and pg, for all that they require but in some programs
      external: EXTERNAL,
      logLevel: 'error',
    });
    expect(await hits(pinned, 'esbuild/main.js')).to.equal('1 hit\n');
    expect(await hits(pinned, 'esbuild/main.js', await redisUrl())).to.equal('1 hit\n');
  });

  it('works in a bundle of Vite', async () => {
    await buildWithVite({
      root: pinned.path,
      configFile: false,
      logLevel: 'error',
      build: { ssr: join(pinned.path, 'main.js'), outDir: 'vite', target: 'es2023' },
      ssr: { noExternal: ['mikro-orm-cacheops'] },
    });
    expect(await hits(pinned, 'vite/main.js')).to.equal('1 hit\n');
    expect(await hits(pinned, 'vite/main.js', await redisUrl())).to.equal('1 hit\n');
  });

  for (const [runner, commandOf] of Object.entries(RUNNERS)) {
    it(`has a testing helper that works in ${runner}`, async () => {
      const project =
        runner === 'Jest' ? await projects.install('npm', { ...PINNED, jest: '^30.0.0' }) : pinned;
      project.write('reads.test.js', READS);
      await project.node(commandOf(project), { DATABASE_URL: await freshDatabase('packaging') });
    });
  }

  it('caches functions of modules that Vitest evaluates again', async () => {
    pinned.link('vitest', 'vite');
    pinned.write('counter.js', COUNTER);
    pinned.write('cache.test.js', VITEST);
    const vitest = join(ROOT, 'node_modules', 'vitest', 'vitest.mjs');
    await pinned.node([vitest, 'run', '--root', '.', 'cache.test.js'], {
      DATABASE_URL: await freshDatabase('packaging'),
      REDIS_URL: await redisUrl(),
    });
  });
});

/** The same test for every runner: they share the names `describe`, `it` and `beforeEach`. */
const READS = `
  import { defineEntity, MikroORM, p } from '@mikro-orm/postgresql';
  import { cacheops } from 'mikro-orm-cacheops';
  import { emptyCache, expectReads } from 'mikro-orm-cacheops/testing';

  describe('tags', () => {
    let orm;

    beforeEach(async () => {
      if (!orm) {
        const Tag = defineEntity({ name: 'Tag', properties: { id: p.integer().primary(), at: p.datetime() } });
        orm = await MikroORM.init({
          entities: [Tag],
          clientUrl: process.env.DATABASE_URL,
          extensions: [cacheops({ profiles: { Tag: { timeout: 60 } } })],
        });
        await orm.schema.create();
        await orm.em.fork().insert('Tag', { id: 1, at: new Date(0) });
      }
      await emptyCache(orm);
    });

    for (const round of [1, 2]) {
      it('are read from an empty cache, round ' + round, async () => {
        const read = () => orm.em.fork().find('Tag', { id: { $gt: 0 } });
        await expectReads(orm, { misses: 1 }, read);
        const [tag] = await expectReads(orm, { hits: 1 }, read);
        if (tag.at.getTime() !== 0) {
          throw new Error('not the row');
        }
        const error = await expectReads(orm, { misses: 1 }, read).catch(thrown => thrown);
        if (!/expected 0 hits, 1 misses.* there were 1 hits, 0 misses/.test(error.message)) {
          throw error;
        }
      });
    }

    it('end', () => orm.close());
  });
`;

const EXTERNAL = ['@mikro-orm/*', 'pg', 'ioredis'];

const COMPILER_OPTIONS = {
  strict: true,
  experimentalDecorators: true,
  emitDecoratorMetadata: true,
  skipLibCheck: true,
  target: 'es2023',
  module: 'nodenext',
  types: ['node'],
};

const PROGRAM = `
  import { defineEntity, MikroORM, p } from '@mikro-orm/postgresql';
  import { cacheops, getCacheops } from 'mikro-orm-cacheops';

  const Tag = defineEntity({ name: 'Tag', properties: { id: p.integer().primary(), label: p.string() } });
  const redis = process.env.REDIS_URL;
  const orm = await MikroORM.init({
    entities: [Tag],
    clientUrl: process.env.DATABASE_URL,
    extensions: [cacheops({ ...(redis && { redis, storeTimeout: 10_000 }), profiles: { Tag: { ops: 'all', timeout: 60 } } })],
  });
  await orm.schema.create();
  await orm.em.fork().insert(Tag, { id: 1, label: 'new' });
  const cache = getCacheops(orm);
  // a new store caches nothing until all transactions that were open then have ended
  for (let i = 0; i < 50 && cache.stats().hits === 0; i++) {
    await orm.em.fork().find(Tag, { label: 'new' });
    await cache.idle();
  }
  console.log(cache.stats().hits + ' hit');
  await orm.close();
`;

const NEST = `
  import 'reflect-metadata';
  import { MikroOrmModule } from '@mikro-orm/nestjs';
  import { defineEntity, p, PostgreSqlDriver } from '@mikro-orm/postgresql';
  import { Controller, Get, Module } from '@nestjs/common';
  import { NestFactory } from '@nestjs/core';
  import { MikroORM } from '@mikro-orm/core';
  import { CACHEOPS_EXTENSION, CachedViewAs, Cacheops, CacheopsModule } from 'mikro-orm-cacheops/nestjs';

  const Tag = defineEntity({ name: 'Tag', properties: { id: p.integer().primary() } });
  let calls = 0;

  @Controller()
  class Tags {
    @Get('/tags')
    @CachedViewAs(Tag)
    list() {
      return { calls: ++calls };
    }
  }

  const cache = CacheopsModule.forRoot({ profiles: { Tag: { ops: 'all', timeout: 60 } } });

  @Module({
    imports: [
      cache,
      MikroOrmModule.forRootAsync({
        driver: PostgreSqlDriver,
        inject: [CACHEOPS_EXTENSION],
        useFactory: extension => ({
          driver: PostgreSqlDriver,
          entities: [Tag],
          clientUrl: process.env.DATABASE_URL!,
          extensions: [extension],
        }),
      }),
    ],
    controllers: [Tags],
  })
  class Application {}

  const app = await NestFactory.create(Application, { logger: ['error'] });
  app.enableShutdownHooks();
  await app.get(MikroORM).schema.create();
  await app.listen(0, '127.0.0.1');
  for (const _ of [1, 2]) {
    await fetch(\`\${await app.getUrl()}/tags\`).then(response => response.json());
    await app.get(Cacheops).idle();
  }
  console.log(2 - calls + ' hit');
  await app.close();
`;

const COUNTER = `
  import { cachedAs } from 'mikro-orm-cacheops';

  let computed = 0;
  export const count = cachedAs('Tag')(async em => ++computed);
`;

const VITEST = `
  import { defineEntity, MikroORM, p } from '@mikro-orm/postgresql';
  import { cacheops, getCacheops } from 'mikro-orm-cacheops';
  import { expect, test, vi } from 'vitest';

  test('a module that is evaluated again has results of its own', async () => {
    const Tag = defineEntity({ name: 'Tag', properties: { id: p.integer().primary() } });
    const orm = await MikroORM.init({
      entities: [Tag],
      clientUrl: process.env.DATABASE_URL,
      extensions: [
        cacheops({
          redis: process.env.REDIS_URL,
          storeTimeout: 10_000,
          profiles: { Tag: { ops: 'all', timeout: 60 } },
        }),
      ],
    });
    await orm.schema.create();
    for (const round of [1, 2, 3]) {
      vi.resetModules();
      const { count } = await import('./counter.js');
      expect(await count(orm.em.fork()), 'round ' + round).toBe(1);
      await getCacheops(orm).idle();
      expect(await count(orm.em.fork()), 'again, round ' + round).toBe(1);
      await orm.em.fork().insert(Tag, { id: round });
      expect(await count(orm.em.fork()), 'after a write, round ' + round).toBe(2);
    }
    await orm.close();
  });
`;
