import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { freePort } from '../support/free_port.js';
import { freshDatabase, redisUrl } from '../support/servers.js';
import { temporaryDirectory } from '../support/temporary_directory.js';
import { complaintsOfCompiler } from '../support/typescript.js';
import type { Page, PageCommand, PageFile, PageProgram } from './page.js';
import { patternOf } from './pattern.js';

const ROOT = join(import.meta.dirname, '..', '..', '..');
const PROGRAM = join(ROOT, 'dist', 'lib', 'cli', 'main.js');

/** A user's project with the programs of pages, each page in a folder of its own. */
export interface PagesProject {
  /** the compiler's complaints about a page */
  complaints(page: string): readonly string[];
  /** Runs a program of a page, then its commands. Returns what is not as the page says. */
  run(page: string, program: PageProgram): Promise<string[]>;
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

/**
 * A project in a temporary directory, with the packages of this repository.
 *
 * @param pages by name
 * @param shared files that every page may import
 */
export async function makePagesProject(
  pages: ReadonlyMap<string, Page>,
  shared: readonly PageFile[] = [],
): Promise<PagesProject> {
  const directory = temporaryDirectory('docs');
  const modules = join(directory.path, 'node_modules');
  mkdirSync(modules);
  for (const name of readdirSync(join(ROOT, 'node_modules')).filter(name => !name.startsWith('.'))) {
    symlinkSync(join(ROOT, 'node_modules', name), join(modules, name), 'junction');
  }
  symlinkSync(ROOT, join(modules, 'mikro-orm-cacheops'), 'junction');
  return { ...(await writePages(directory.path, pages, shared)), remove: () => directory.remove() };
}

/** Writes the pages to a directory in which packages are installed, and compiles them. */
export async function writePages(
  directory: string,
  pages: ReadonlyMap<string, Page>,
  shared: readonly PageFile[],
): Promise<Omit<PagesProject, 'remove'>> {
  const write = (name: string, text: string) => {
    mkdirSync(dirname(join(directory, name)), { recursive: true });
    writeFileSync(join(directory, name), text);
  };
  // copies, which import the packages of the directory
  for (const name of ['claims', 'pattern']) {
    for (const end of ['js', 'd.ts']) {
      const text = readFileSync(join(import.meta.dirname, `${name}.${end}`), 'utf8');
      write(`node_modules/claims/${name}.${end}`, text.replace('../../lib/index.js', 'mikro-orm-cacheops'));
    }
  }
  write('node_modules/claims/package.json', '{ "type": "module", "exports": "./claims.js" }');
  write('package.json', '{ "type": "module" }');
  write('tsconfig.json', JSON.stringify({ compilerOptions: COMPILER_OPTIONS }));
  for (const [page, { programs, files }] of pages) {
    write(`${page}/package.json`, JSON.stringify({ type: 'module', dependencies: DEPENDENCIES }));
    for (const { name, text } of [...shared, ...programs, ...files]) {
      // which another process may use
      write(
        `${page}/${name}`,
        /\b3000\b/.test(text) ? text.replaceAll('3000', String(await freePort())) : text,
      );
    }
  }
  const complaints = await complaintsOfCompiler(directory);

  return {
    complaints: page => complaints.filter(complaint => complaint.startsWith(`${page}/`)),
    async run(page, { name, claims, commands }) {
      const cwd = join(directory, page);
      const env = {
        ...process.env,
        DATABASE_URL: await freshDatabase('docs'),
        REDIS_URL: await redisUrl(),
        DOCS_CLAIMS: JSON.stringify(claims),
        DOCS_PROGRAM: name,
        NO_COLOR: '1',
      };
      const { output, failed } = await execute(process.execPath, [name.replace('.ts', '.js')], { cwd, env });
      if (failed) {
        return [output];
      }
      const problems: string[] = [];
      for (const { line, command, output: expected } of commands) {
        const { output } = await execute('sh', ['-c', runnable(command)], {
          cwd,
          env: { ...env, DOCS_CLAIMS: '[]', DOCS_PROGRAM: '' },
        });
        if (!patternOf(expected).test(output)) {
          problems.push(`line ${line}: ${command} prints\n${output}`);
        }
      }
      return problems;
    },
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
