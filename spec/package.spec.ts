import { execFile } from 'node:child_process';
import { globSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { type TemporaryDirectory, temporaryDirectory } from './support/temporary_directory.js';

const execute = promisify(execFile);

const ROOT = join(import.meta.dirname, '..', '..');

const PACKAGE = join('node_modules', 'mikro-orm-cacheops');

/** What the user's project has besides the package and what the package asks for. */
const OF_THE_USER = ['@mikro-orm/decorators', '@mikro-orm/pglite', '@types/node'];

describe('the published package', function () {
  this.timeout(60_000);

  let project: TemporaryDirectory;
  let files: string[];

  before(async () => {
    project = temporaryDirectory('package');
    const [packed] = JSON.parse(
      // without its scripts, which would build again what is being tested
      await run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', project.path], ROOT),
    );
    files = packed.files.map((file: { path: string }) => file.path);
    await install(join(project.path, packed.filename), project.path);
  });

  after(() => project.remove());

  it('contains what a user needs, and nothing else', () => {
    const sources = globSync('lib/**/*.{ts,lua}', { cwd: ROOT });
    const built = sources.flatMap(source =>
      source.endsWith('.ts') ? [source.replace(/ts$/, 'js'), source.replace(/ts$/, 'd.ts')] : [source],
    );
    expect(files).to.have.members([
      'CHANGELOG.md',
      'LICENSE',
      'README.md',
      'package.json',
      ...built.map(file => `dist/${file}`),
    ]);
  });

  it('has a program, which asks for what it needs', async () => {
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

  it('has declarations without a fault of their own', async () => {
    const errors = await compile(project.path, 'bundler', {
      skipLibCheck: false,
      // they may name types of the optional peer
      paths: { ioredis: [join(ROOT, 'node_modules', 'ioredis')] },
    });
    // not all that MikroORM stands on could say the same
    expect(errors.filter(error => error.startsWith('node_modules/mikro-orm-cacheops/'))).to.deep.equal([]);
  });

  it('works with nothing installed but what it needs', async () => {
    await compile(project.path, 'nodenext');
    expect(await run(process.execPath, ['main.js'], project.path)).to.equal('1 hit\n');
  });
});

/**
 * Unpacks the tarball where npm would, beside links to exactly those packages that it declares as needed. Only they
 * can be found from there: one that is imported but not declared is missing, also an optional one.
 */
async function install(tarball: string, project: string): Promise<void> {
  const modules = join(project, 'node_modules');
  const target = join(modules, 'mikro-orm-cacheops');
  mkdirSync(target, { recursive: true });
  await run('tar', ['-xzf', tarball, '-C', target, '--strip-components=1'], project);

  const { dependencies, peerDependencies, peerDependenciesMeta } = JSON.parse(
    readFileSync(join(target, 'package.json'), 'utf8'),
  );
  const peers = Object.keys(peerDependencies).filter(name => !peerDependenciesMeta[name]?.optional);
  for (const name of [...Object.keys(dependencies), ...peers, ...OF_THE_USER]) {
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
  writeFileSync(join(project, 'main.ts'), PROGRAM);
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['main.ts'] }));

  const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
  try {
    await execute(process.execPath, [tsc, '--pretty', 'false'], { cwd: project });
    return [];
  } catch (error) {
    const { stdout } = error as { stdout: string };
    // a complaint begins at the margin and may go on in indented lines
    const complaints = stdout.split(/\n(?=\S)/).filter(complaint => complaint.includes('error TS'));
    if (complaints.length === 0) {
      throw error;
    }
    return complaints;
  }
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
