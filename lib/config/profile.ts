import { checkBoolean, checkInteger, checkKeys, list, show } from './check.js';
import { CacheopsError } from './error.js';
import { didYouMean } from './nearest.js';
import type { Op, Profile, TableSources } from './options.js';

/** A checked profile: each field is as given, or `undefined`. */
export interface ParsedProfile {
  readonly ops: ReadonlySet<Op> | undefined;
  /** seconds */
  readonly timeout: number | undefined;
  readonly lock?: boolean;
  readonly tables?: TableSources;
}

const OPS: readonly Op[] = ['get', 'fetch', 'count', 'aggregate', 'exists'];
// typed by its keys, so that the compiler reports a missing field
const FIELDS = Object.keys({
  ops: true,
  timeout: true,
  lock: true,
  tables: true,
} satisfies Record<keyof Profile, true>);

export const ALL_OPS: ReadonlySet<Op> = new Set(OPS);

/**
 * @param where the name of the profile in messages
 * @throws CacheopsError
 */
export function parseProfile(value: unknown, where: string): ParsedProfile {
  checkKeys(value, FIELDS, where);
  return {
    ops: value.ops === undefined ? undefined : parseOps(value.ops, `${where}: ops`),
    timeout:
      value.timeout === undefined
        ? undefined
        : checkInteger(value.timeout, 1, `${where}: timeout`, 'seconds'),
    ...(value.lock !== undefined && { lock: checkBoolean(value.lock, `${where}: lock`) }),
    ...(value.tables !== undefined && { tables: checkTables(value.tables, `${where}: tables`) }),
  };
}

/**
 * Does not check whether the tables exist.
 *
 * @throws CacheopsError
 */
export function checkTables(value: unknown, where: string): TableSources {
  if (typeof value === 'function' && !/^class\b/.test(String(value))) {
    return value as TableSources;
  }
  if (!Array.isArray(value)) {
    throw new CacheopsError(
      `${where}: ${show(value)} is no list. Give entities or names of tables, [Author, 'article_tags'], or a function that does.`,
    );
  }
  const isSource = (source: unknown) =>
    source !== '' && ['string', 'function', 'object'].includes(typeof source) && source !== null;
  const wrong = value.findIndex(source => !isSource(source));
  if (wrong >= 0) {
    throw new CacheopsError(`${where}[${wrong}]: ${show(value[wrong])} is neither an entity nor a table.`);
  }
  return value;
}

function parseOps(value: unknown, where: string): ReadonlySet<Op> {
  if (value === 'all') {
    return ALL_OPS;
  }
  const ops = typeof value === 'string' ? [value] : value;
  if (!Array.isArray(ops)) {
    throw new CacheopsError(`${where}: ${show(value)} is neither an op nor a list of ops. ${CHOICE}`);
  }
  for (const op of ops) {
    if (!isOp(op)) {
      const hint = typeof op === 'string' && op !== 'all' ? didYouMean(op, [...OPS, 'all']) : '';
      throw new CacheopsError(`${where}: ${show(op)} is no op.${hint} ${CHOICE}`);
    }
  }
  return new Set(ops);
}

const CHOICE = `The ops are ${list(OPS)}; 'all', outside of a list, is all of them.`;

function isOp(value: unknown): value is Op {
  return ALL_OPS.has(value as Op);
}
