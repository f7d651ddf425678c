import { execFile } from 'node:child_process';
import { globSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { type TemporaryDirectory, temporaryDirectory } from './support/temporary_directory.js';
import { complaintsOfCompiler } from './support/typescript.js';

const execute = promisify(execFile);

const ROOT = join(import.meta.dirname, '..', '..');

const PACKAGE = join('node_modules', 'mikro-orm-cacheops');

/** What the user's project has besides the package and what the package asks for. The driver brings @mikro-orm/sql. */
const OF_THE_USER = ['@mikro-orm/decorators', '@mikro-orm/pglite', '@mikro-orm/sql', '@types/node'];

/** What users of an integration have besides, and nobody else. */
const OF_THE_USERS_OF: Readonly<Record<string, readonly string[]>> = {
  express: ['express', '@types/express'],
  fastify: ['fastify'],
  hono: ['hono'],
  http: [],
  koa: ['koa', '@types/koa'],
  nestjs: ['@nestjs/common', '@nestjs/core', 'reflect-metadata', 'rxjs'],
  nunjucks: ['nunjucks', '@types/nunjucks'],
  opentelemetry: ['@opentelemetry/api'],
  prometheus: ['prom-client'],
  templates: [],
};

describe('the published package', function () {
  this.timeout(300_000);

  let project: TemporaryDirectory;
  let tarball: string;
  let files: string[];

  before(async () => {
    project = temporaryDirectory('package');
    const [packed] = JSON.parse(
      // without its scripts, which would build again what is being tested
      await run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', project.path], ROOT),
    );
    files = packed.files.map((file: { path: string }) => file.path);
    tarball = join(project.path, packed.filename);
    await install(tarball, project.path);
  });

  after(() => project.remove());

  it('contains the files that a user needs, and no others', () => {
    const sources = globSync('lib/**/*.ts', { cwd: ROOT });
    const built = sources.flatMap(source => [source.replace(/ts$/, 'js'), source.replace(/ts$/, 'd.ts')]);
    expect(files).to.have.members([
      'CHANGELOG.md',
      'LICENSE',
      'README.md',
      'package.json',
      ...built.map(file => `dist/${file}`),
    ]);
  });

  it('has a program, which names missing peer dependencies', async () => {
    const { bin } = JSON.parse(readFileSync(join(project.path, PACKAGE, 'package.json'), 'utf8'));
    const program = join(project.path, PACKAGE, bin['mikro-orm-cacheops']);
    expect(readFileSync(program, 'utf8')).to.match(/^#!\/usr\/bin\/env node\n/);
    expect(await run(process.execPath, [program, '--help'], project.path)).to.contain('invalidate <what>');
    const error = await run(process.execPath, [program, 'stats'], project.path).catch(String);
    expect(error).to.contain('npm install --save-dev @mikro-orm/cli');
  });

  for (const moduleResolution of ['nodenext', 'bundler'] as const) {
    it(`is typed for strict users of moduleResolution ${moduleResolution}`, async () => {
      expect(await compile(project.path, moduleResolution)).to.deep.equal([]);
    });
  }

  it('has declarations without errors', async () => {
    const errors = await compile(project.path, 'bundler', {
      skipLibCheck: false,
      // they may name types of the optional peer
      paths: { ioredis: [join(ROOT, 'node_modules', 'ioredis')] },
    });
    // not all that MikroORM stands on could say the same
    expect(errors.filter(error => error.startsWith('node_modules/mikro-orm-cacheops/'))).to.deep.equal([]);
  });

  it('has an entry for each integration', () => {
    const { exports } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    const integrations = Object.keys(exports).filter(name =>
      exports[name].default?.includes('/integrations/'),
    );
    expect(integrations).to.have.members(Object.keys(OF_THE_USERS_OF).map(name => `./${name}`));
  });

  for (const [name, packages] of Object.entries(OF_THE_USERS_OF)) {
    it(`lets mikro-orm-cacheops/${name} be imported with no other framework installed, and typed`, async () => {
      const user = join(project.path, `user_of_${name}`);
      mkdirSync(user);
      await install(tarball, user, packages);
      const complaints = await compile(
        user,
        'nodenext',
        { skipLibCheck: false },
        { main: INTEGRATIONS[name]! },
      );
      expect(own(complaints)).to.deep.equal([]);
      const script = `console.log(Object.keys(await import('mikro-orm-cacheops/${name}')).length > 0)`;
      expect(await run(process.execPath, ['--input-type=module', '--eval', script], user)).to.equal('true\n');
    });
  }

  it('is typed for users of all integrations at once, also with moduleResolution bundler', async () => {
    const user = join(project.path, 'user_of_all');
    mkdirSync(user);
    await install(tarball, user, Object.values(OF_THE_USERS_OF).flat());
    expect(await compile(user, 'bundler', {}, INTEGRATIONS)).to.deep.equal([]);
  });

  it('works with only its required dependencies installed', async () => {
    await compile(project.path, 'nodenext');
    expect(await run(process.execPath, ['main.js'], project.path)).to.equal('1 hit\n');
  });
});

/**
 * Unpacks the tarball where npm would, beside links to exactly those packages that it declares as needed. Only they
 * can be found from there: one that is imported but not declared is missing, also an optional one.
 */
async function install(tarball: string, project: string, besides: readonly string[] = []): Promise<void> {
  const modules = join(project, 'node_modules');
  const target = join(modules, 'mikro-orm-cacheops');
  mkdirSync(target, { recursive: true });
  await run('tar', ['-xzf', tarball, '-C', target, '--strip-components=1'], project);

  const { dependencies, peerDependencies, peerDependenciesMeta } = JSON.parse(
    readFileSync(join(target, 'package.json'), 'utf8'),
  );
  const peers = Object.keys(peerDependencies).filter(name => !peerDependenciesMeta[name]?.optional);
  for (const name of [...Object.keys(dependencies), ...peers, ...OF_THE_USER, ...besides]) {
    mkdirSync(dirname(join(modules, name)), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules', name), join(modules, name), 'junction');
  }
  writeFileSync(join(project, 'package.json'), '{ "type": "module" }');
}

/** Compiles the user's program in place, and returns the compiler's complaints. */
async function compile(
  project: string,
  moduleResolution: 'nodenext' | 'bundler',
  options: object = {},
  programs: Readonly<Record<string, string>> = { main: PROGRAM },
): Promise<string[]> {
  const compilerOptions = {
    strict: true,
    exactOptionalPropertyTypes: true,
    experimentalDecorators: true,
    skipLibCheck: true,
    target: 'es2023',
    module: moduleResolution === 'nodenext' ? 'nodenext' : 'preserve',
    moduleResolution,
    types: ['node'],
    ...options,
  };
  for (const [name, program] of Object.entries(programs)) {
    writeFileSync(join(project, `${name}.ts`), program);
  }
  const files = Object.keys(programs).map(name => `${name}.ts`);
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }));

  return complaintsOfCompiler(project);
}

/** Complaints about the user's program or the package, and not about what they stand on. */
function own(complaints: readonly string[]): string[] {
  return complaints.filter(
    complaint => !/^\S*node_modules\/(?!mikro-orm-cacheops\/)/.test(complaint) && !/ioredis/.test(complaint),
  );
}

/** Runs a program and returns what it prints; if it fails, what it printed is in the error. */
async function run(program: string, args: string[], cwd: string): Promise<string> {
  try {
    return (await execute(program, args, { cwd })).stdout;
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    throw new Error(`${program} ${args.join(' ')} failed:\n${stdout}${stderr}`, { cause: error });
  }
}

const PROGRAM = `
  import { Entity, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
  import { defineEntity, MikroORM, p } from '@mikro-orm/pglite';
  import { Cached, cacheops, getCacheops } from 'mikro-orm-cacheops';

  @Entity()
  @Cached({ ops: 'all' })
  class Author {
    @PrimaryKey({ type: 'integer' })
    id!: number;

    @Property({ type: 'string' })
    name!: string;
  }

  const Tag = defineEntity({ name: 'Tag', properties: { id: p.integer().primary(), label: p.string() } });

  const orm = await MikroORM.init({
    entities: [Author, Tag],
    dbName: 'memory://',
    extensions: [cacheops({ defaults: { timeout: 60 }, profiles: { Tag: { ops: ['fetch'] } } })],
  });
  await orm.schema.create();

  const em = orm.em.fork();
  em.create(Author, { id: 1, name: 'Ann' });
  em.create(Tag, { id: 1, label: 'new' });
  await em.flush();

  await orm.em.fork().find(Author, { name: 'Ann' });
  const [author] = await orm.em.fork().find(Author, { name: 'Ann' }, { cacheops: { timeout: 30 } });
  const tags = await orm.em.fork().find(Tag, { label: 'new' }, { cacheops: false });
  if (author?.name !== 'Ann' || tags[0]?.label !== 'new') {
    throw new Error('the cache gave something else');
  }

  // @ts-expect-error what is no option is noticed before it runs
  const mistake = () => orm.em.find(Author, {}, { cacheops: { timeuot: 30 } });

  const { hits } = getCacheops(orm).stats();
  console.log(hits + (hits === 1 ? ' hit' : ' hits'));
  await orm.close();
`;

/** What users of the integrations write. Each has a mistake that is noticed. */
const INTEGRATIONS: Readonly<Record<string, string>> = {
  express: `
    import express from 'express';
    import { cachedView, cachedViewAs, invalidateView } from 'mikro-orm-cacheops/express';

    class Article { id!: number }
    const app = express();
    app.get('/about', cachedView({ timeout: 60 }), (_request, response) => void response.send('x'));
    app.get('/:id', cachedViewAs(request => ({ entity: Article, where: { id: Number(request.params.id) } }), {
      vary: { 'accept-language': request => request.acceptsLanguages('de', 'en') },
    }));
    await invalidateView('/about');
    // @ts-expect-error
    cachedView({ timeuot: 60 });
  `,
  fastify: `
    import fastify from 'fastify';
    import { cachedViewAs } from 'mikro-orm-cacheops/fastify';

    class Article { id!: number }
    fastify().get('/articles', cachedViewAs(Article, { extra: request => request.ip }), async () => 'x');
    // @ts-expect-error
    cachedViewAs(Article, { extra: request => request.ipp });
  `,
  hono: `
    import { Hono } from 'hono';
    import { cachedViewAs } from 'mikro-orm-cacheops/hono';

    class Article { id!: number }
    new Hono().get('/', cachedViewAs(Article, { extra: c => c.req.param('x') }), c => c.text('x'));
    // @ts-expect-error
    cachedViewAs(Article, { vary: 5 });
  `,
  http: `
    import { createServer } from 'node:http';
    import { cachedViewAs } from 'mikro-orm-cacheops/http';

    class Article { id!: number }
    createServer(cachedViewAs(Article, { extra: request => request.headers.host })((_request, response) => response.end()));
    // @ts-expect-error
    cachedViewAs(Article, { maxBody: '1 MB' });
  `,
  koa: `
    import Koa from 'koa';
    import { cachedViewAs } from 'mikro-orm-cacheops/koa';

    class Article { id!: number }
    new Koa().use(cachedViewAs(Article, { extra: ctx => ctx.ip }));
    // @ts-expect-error
    cachedViewAs(Article, { maxbody: 5 });
  `,
  nestjs: `
    import { Controller, Get, Module } from '@nestjs/common';
    import { Cacheops, CachedViewAs, CacheopsModule } from 'mikro-orm-cacheops/nestjs';

    class Article { id!: number }

    @Controller()
    class Articles {
      constructor(readonly cache: Cacheops) {}

      @Get()
      @CachedViewAs(Article, { timeout: 60 })
      list() {
        return [];
      }
    }

    @Module({
      imports: [
        CacheopsModule.forRoot({ redis: 'redis://127.0.0.1' }),
        CacheopsModule.forRootAsync({ inject: ['url'], useFactory: (redis: string) => ({ redis }) }),
      ],
      controllers: [Articles],
    })
    export class Application {}
    // @ts-expect-error
    CacheopsModule.forRoot({ rediss: '' });
  `,
  nunjucks: `
    import nunjucks from 'nunjucks';
    import { addCachedTags } from 'mikro-orm-cacheops/nunjucks';

    const tags = addCachedTags(new nunjucks.Environment(), {
      tags: { cachedMenu: (name: string) => ({ timeout: 60, extra: name }) },
    });
    await tags.invalidate('menu');
    // @ts-expect-error
    addCachedTags(new nunjucks.Environment(), { tags: { cachedMenu: () => ({ timeout: 'long' }) } });
  `,
  opentelemetry: `
    import { instrument } from 'mikro-orm-cacheops/opentelemetry';

    const stop: () => void = instrument({
      attributes: message => ('operation' in message ? { of: message.operation } : { of: message.op }),
    });
    stop();
    // @ts-expect-error
    instrument({ attributes: message => ({ rows: message.result }) });
  `,
  prometheus: `
    import { Registry } from 'prom-client';
    import { type Cacheops, channels } from 'mikro-orm-cacheops';
    import { collectMetrics } from 'mikro-orm-cacheops/prometheus';

    const measure = (main: Cacheops) => collectMetrics({ main }, { register: new Registry(), buckets: [0.1, 1] });
    channels.read.asyncEnd.subscribe(message => console.log((message as { outcome?: string }).outcome));
    // @ts-expect-error
    const mistake = (main: Cacheops) => collectMetrics({ main }, { bucket: [0.1, 1] });
    console.log(measure, mistake);
  `,
  templates: `
    import { fragments } from 'mikro-orm-cacheops/templates';

    class Article { id!: number }
    const fragment = fragments();
    const html: string = await fragment('menu', Article, () => 'x', { extra: 1 });
    await fragment.invalidate('menu');
    // @ts-expect-error
    fragment('menu', Article);
    console.log(html);
  `,
};
