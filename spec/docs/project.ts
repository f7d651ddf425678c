import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { freshDatabase, redisUrl } from '../support/servers.js';
import { temporaryDirectory } from '../support/temporary_directory.js';
import { complaintsOfCompiler } from '../support/typescript.js';
import { GIVEN } from './given.js';
import { MAIN, type Page, type PageCommand } from './page.js';
import { patternOf } from './pattern.js';

const ROOT = join(import.meta.dirname, '..', '..', '..');
const PROGRAM = join(ROOT, 'dist', 'lib', 'cli', 'main.js');

/** A user's project with the programs of pages, each in a folder of its own. */
export interface PagesProject {
  /** the compiler's complaints about a page */
  complaints(name: string): readonly string[];
  /** Runs the program of a page, then its commands. Returns what is not as the page says. */
  run(name: string): Promise<string[]>;
  remove(): void;
}

/** for the command line of MikroORM */
const DEPENDENCIES = { '@mikro-orm/cli': '*', '@mikro-orm/postgresql': '*', 'mikro-orm-cacheops': '*' };

const COMPILER_OPTIONS = {
  strict: true,
  experimentalDecorators: true,
  emitDecoratorMetadata: true,
  skipLibCheck: true,
  target: 'es2023',
  lib: ['es2024', 'esnext.disposable'],
  module: 'nodenext',
  types: ['node'],
};

/** @param pages by name */
export async function makePagesProject(pages: ReadonlyMap<string, Page>): Promise<PagesProject> {
  const directory = temporaryDirectory('docs');
  const modules = join(directory.path, 'node_modules');
  mkdirSync(join(modules, 'claims'), { recursive: true });
  for (const name of readdirSync(join(ROOT, 'node_modules')).filter(name => !name.startsWith('.'))) {
    symlinkSync(join(ROOT, 'node_modules', name), join(modules, name), 'junction');
  }
  symlinkSync(ROOT, join(modules, 'mikro-orm-cacheops'), 'junction');
  const write = (name: string, text: string) => {
    mkdirSync(dirname(join(directory.path, name)), { recursive: true });
    writeFileSync(join(directory.path, name), text);
  };
  const claims = join(import.meta.dirname, 'claims');
  write('node_modules/claims/index.js', `export * from ${JSON.stringify(`${claims}.js`)};`);
  write('node_modules/claims/index.d.ts', `export * from ${JSON.stringify(`${claims}.js`)};`);
  write('node_modules/claims/package.json', '{ "type": "module", "exports": "./index.js" }');
  write('package.json', '{ "type": "module" }');
  write('tsconfig.json', JSON.stringify({ compilerOptions: COMPILER_OPTIONS }));
  for (const [page, { files }] of pages) {
    write(`${page}/package.json`, JSON.stringify({ type: 'module', dependencies: DEPENDENCIES }));
    for (const { name, text } of [...GIVEN, ...files]) {
      write(`${page}/${name}`, text);
    }
  }
  const complaints = await complaintsOfCompiler(directory.path);

  return {
    complaints: name => complaints.filter(complaint => complaint.startsWith(`${name}/`)),
    async run(name) {
      const { commands, claims } = pages.get(name)!;
      const cwd = join(directory.path, name);
      const env = {
        ...process.env,
        DATABASE_URL: await freshDatabase('docs'),
        REDIS_URL: await redisUrl(),
        DOCS_CLAIMS: JSON.stringify(claims),
        NO_COLOR: '1',
      };
      const problems: string[] = [];
      if (claims.length > 0) {
        const { output, failed } = await execute(process.execPath, [MAIN.replace('.ts', '.js')], {
          cwd,
          env,
        });
        if (failed) {
          return [output];
        }
      }
      for (const { line, command, output: expected } of commands) {
        const { output } = await execute('sh', ['-c', runnable(command)], {
          cwd,
          env: { ...env, DOCS_CLAIMS: '[]' }, // of the program
        });
        if (!patternOf(expected).test(output)) {
          problems.push(`line ${line}: ${command} prints\n${output}`);
        }
      }
      return problems;
    },
    remove: () => directory.remove(),
  };
}

function runnable(command: PageCommand['command']): string {
  const quoted = (path: string) => `'${path.replaceAll("'", "'\\''")}'`;
  return command.replaceAll('npx mikro-orm-cacheops', `${quoted(process.execPath)} ${quoted(PROGRAM)}`);
}

function execute(
  program: string,
  args: readonly string[],
  options: { cwd: string; env: NodeJS.ProcessEnv },
): Promise<{ output: string; failed: boolean }> {
  return new Promise(resolve => {
    execFile(program, args, { ...options, timeout: 240_000 }, (error, stdout, stderr) =>
      resolve({ output: `${stdout}${stderr}`, failed: error !== null }),
    );
  });
}
