import { execFile } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryDirectory } from '../support/temporary_directory.js';

const ROOT = join(import.meta.dirname, '..', '..', '..');
const PROGRAM = join(ROOT, 'dist', 'lib', 'cli', 'main.js');

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A project of a user, in a folder of its own. */
export interface UserProject {
  /** Runs the program there. */
  run(...args: readonly string[]): Promise<Ran>;
  remove(): void;
}

/**
 * @param files by name
 * @param environment variables that they read
 */
export function makeProject(
  files: Readonly<Record<string, string>>,
  environment: NodeJS.ProcessEnv = {},
): UserProject {
  const directory = temporaryDirectory('project');
  const modules = join(directory.path, 'node_modules');
  mkdirSync(modules);
  for (const [name, target] of [
    ['@mikro-orm', join(ROOT, 'node_modules', '@mikro-orm')],
    ['mikro-orm-cacheops', ROOT],
  ] as const) {
    symlinkSync(target, join(modules, name), 'junction');
  }
  const dependencies = { '@mikro-orm/cli': '*', '@mikro-orm/postgresql': '*', 'mikro-orm-cacheops': '*' };
  writeFileSync(join(directory.path, 'package.json'), JSON.stringify({ type: 'module', dependencies }));
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(directory.path, name, '..'), { recursive: true });
    writeFileSync(join(directory.path, name), text);
  }
  return {
    run: (...args) =>
      new Promise(resolve => {
        const child = execFile(
          process.execPath,
          [PROGRAM, ...args],
          { cwd: directory.path, env: { ...process.env, ...environment } },
          (_error, stdout, stderr) => resolve({ code: child.exitCode ?? -1, stdout, stderr }),
        );
      }),
    remove: () => directory.remove(),
  };
}

/** Entities, and a configuration in TypeScript. */
export const ENTITIES = `
import { defineEntity, p } from '@mikro-orm/postgresql';

const cacheops = { ops: ['get', 'fetch'], timeout: 600 } as const;

export const Article = defineEntity({
  name: 'Article',
  cacheops,
  properties: { id: p.integer().primary(), category: p.integer(), title: p.string() },
});

export const Translation = defineEntity({
  name: 'Translation',
  cacheops,
  properties: {
    article: () => p.manyToOne(Article).primary(),
    locale: p.string().primary(),
    title: p.string(),
  },
});

export const Note = defineEntity({
  name: 'Note',
  schema: 'blog',
  cacheops,
  properties: { id: p.integer().primary(), text: p.string() },
});

export const Secret = defineEntity({ name: 'Secret', properties: { id: p.integer().primary() } });

export const entities = [Article, Translation, Note, Secret];
`;

export function configuration(options: string): string {
  return `
import { defineConfig } from '@mikro-orm/postgresql';
import { cacheops } from 'mikro-orm-cacheops';
import { entities } from './entities.ts';

export default defineConfig({
  clientUrl: process.env.SPEC_DATABASE as string,
  entities,
  extensions: [cacheops({ ${options} })],
});
`;
}
