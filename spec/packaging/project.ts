import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type TemporaryDirectory, temporaryDirectory } from '../support/temporary_directory.js';

export const ROOT = join(import.meta.dirname, '..', '..', '..');

/** Projects of users, with the packed tarball. */
export interface Projects {
  /** Installs the tarball beside these packages, by versions. */
  install(manager: Manager, dependencies: Readonly<Record<string, string>>): Promise<Project>;
  remove(): void;
}

export type Manager = 'npm' | 'pnpm';

export interface Project {
  readonly path: string;
  write(file: string, text: string): void;
  /** Makes packages of this repository importable. */
  link(...packages: readonly string[]): void;
  /** Runs Node.js; returns what it prints. */
  node(args: readonly string[], env?: NodeJS.ProcessEnv): Promise<string>;
}

const INSTALL: Record<Manager, readonly string[]> = {
  npm: [
    'npm',
    'install',
    '--prefer-offline',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
  ],
  pnpm: [join(ROOT, 'node_modules', '.bin', 'pnpm'), 'install', '--prefer-offline', '--reporter=silent'],
};

const UNREACHABLE = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|ERR_SOCKET_TIMEOUT/;

export async function packProjects(): Promise<Projects> {
  const directory: TemporaryDirectory = temporaryDirectory('packaging');
  // without its scripts, which would build again what is being tested
  const pack = ['npm', 'pack', '--json', '--ignore-scripts', '--pack-destination', directory.path];
  const [{ filename }] = JSON.parse(await run(pack, ROOT));
  let projects = 0;

  return {
    async install(manager, dependencies) {
      const path = join(directory.path, `project-${++projects}`);
      const write = (file: string, text: string) => {
        mkdirSync(dirname(join(path, file)), { recursive: true });
        writeFileSync(join(path, file), text);
      };
      const all = { ...dependencies, 'mikro-orm-cacheops': `file:../${filename}` };
      write(
        'package.json',
        JSON.stringify({ name: 'user', version: '1.0.0', type: 'module', dependencies: all }),
      );
      write('pnpm-workspace.yaml', 'strictDepBuilds: true\n'); // ignored build scripts are errors, the default of pnpm 11
      await run(INSTALL[manager], path).catch(error => {
        throw UNREACHABLE.test(String(error))
          ? new Error('This spec installs packages, and the npm registry cannot be reached.', {
              cause: error,
            })
          : error;
      });
      return {
        path,
        write,
        link(...packages) {
          for (const name of packages) {
            const at = join(path, 'node_modules', name);
            if (!existsSync(at)) {
              mkdirSync(dirname(at), { recursive: true });
              symlinkSync(join(ROOT, 'node_modules', name), at, 'junction');
            }
          }
        },
        node: (args, env) => run([process.execPath, ...args], path, env),
      };
    },
    remove: () => directory.remove(),
  };
}

/** Runs a program and returns what it prints; if it fails, what it printed is in the error. */
function run(
  [program, ...args]: readonly string[],
  cwd: string,
  env: NodeJS.ProcessEnv = {},
): Promise<string> {
  const options = { cwd, env: { ...process.env, NO_COLOR: '1', ...env }, timeout: 120_000 };
  return new Promise((resolve, reject) => {
    execFile(program!, args, options, (error, stdout, stderr) => {
      if (error) {
        reject(new Error(`${program} ${args.join(' ')} failed:\n${stdout}${stderr}`, { cause: error }));
      } else {
        resolve(stdout);
      }
    });
  });
}
