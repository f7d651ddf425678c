import { createInterface } from 'node:readline/promises';
import { list } from '../config/check.js';
import { MemoryStore } from '../store/memory/memory_store.js';
import type { Output } from './output.js';
import type { Project } from './project.js';
import { rowCondition } from './row_key.js';
import { parseTarget, type Target } from './targets.js';
import { UsageError } from './usage.js';

/** What was dropped, for each target. */
type Dropped =
  | { readonly all: true }
  | { readonly entity: string }
  /** if the row was not `found`, its old values are unknown, and everything that depends on its entity was dropped */
  | { readonly entity: string; readonly key: object; readonly found: boolean };

/** @returns false if nothing was done */
export async function invalidate(
  project: Project,
  words: readonly string[],
  yes: boolean,
  output: Output,
): Promise<boolean> {
  if (words.length === 0) {
    throw new UsageError("invalidate: what? An entity, a row (Article.34), a pattern ('blog.*') or all.");
  }
  // checks all targets before dropping the first
  const targets = words.map(word => parseTarget(word, project.entities));
  const work = targets.flatMap(target => prepare(project, target));
  if (project.store instanceof MemoryStore) {
    output.error(
      'This project keeps results in the memory of each process: there is nothing to invalidate in another one. ' +
        'Call getCacheops(orm).invalidateModel() in that process, restart it, or keep results in Redis.',
    );
    return false;
  }
  if (targets.some(({ kind }) => kind === 'all') && !yes && !(await confirm())) {
    output.error('Nothing was dropped.');
    return false;
  }
  const dropped: Dropped[] = [];
  for (const [i, { name, drop }] of work.entries()) {
    output.progress(`${i + 1} of ${work.length}: ${name}`);
    dropped.push(await drop());
    const [failure] = project.errors;
    if (failure) {
      throw failure.error;
    }
  }
  output.answer({ dropped }, dropped.map(describe).join('\n'));
  return true;
}

interface Work {
  readonly name: string;
  drop(): Promise<Dropped>;
}

function prepare({ cache, meta, orm }: Project, target: Target): Work[] {
  switch (target.kind) {
    case 'all':
      return [{ name: 'all', drop: () => cache.invalidateAll().then(() => ({ all: true as const })) }];
    case 'entities':
      return target.names.map(entity => ({
        name: entity,
        drop: () => cache.invalidateModel(meta(entity).class).then(() => ({ entity })),
      }));
    case 'row': {
      const entity = target.name;
      const key = rowCondition(meta(entity), target.key);
      const drop = async () => {
        const row = await orm.em.fork().findOne(meta(entity).class, key, { cacheops: false, filters: false });
        await (row ? cache.invalidateObject(row) : cache.invalidateModel(meta(entity).class));
        return { entity, key, found: row !== null };
      };
      return [{ name: `${entity}.${target.key}`, drop }];
    }
  }
}

function describe(dropped: Dropped): string {
  if ('all' in dropped) {
    return 'Dropped everything.';
  }
  const { entity } = dropped;
  if (!('key' in dropped)) {
    return `Dropped what depends on ${entity}.`;
  }
  const key = list(Object.entries(dropped.key).map(([name, value]) => `${name} ${value}`));
  return dropped.found
    ? `Dropped what depends on ${entity} with ${key}, as it stands in the database.`
    : `There is no ${entity} with ${key}, so its old values are unknown: dropped what depends on ${entity}.`;
}

/** @throws UsageError without a terminal */
async function confirm(): Promise<boolean> {
  if (!process.stdin.isTTY) {
    throw new UsageError('invalidate all: there is no terminal to ask for confirmation. Give --yes.');
  }
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await terminal.question('Drop everything that is cached? [y/N] ')).trim());
  } finally {
    terminal.close();
  }
}
