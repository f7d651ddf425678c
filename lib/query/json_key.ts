import { RawQueryFragment } from '@mikro-orm/core';
import { isPlainKey, type Path } from '../values/path.js';
import type { JsonScalar } from './json_scalar.js';

/** A path, and the type that its text is read as. */
export interface JsonKey {
  readonly path: Path;
  readonly as: 'text' | JsonScalar;
}

/** The ORM turns `{ meta: { size: { unit: 'cm' } } }` into an SQL fragment as the key, and the value. */
const FRAGMENT =
  /^(\()?"\[::alias::\]"\."((?:[^"]|"")+)"((?:->'[^']*')*)->>'([^']*)'(?:\)::(float8|int8|bool))?$/;

const SCALARS: Readonly<Record<string, JsonScalar>> = { float8: 'float', int8: 'integer', bool: 'boolean' };

/** Longer paths would make every scheme that tests them large. */
const MAX_LENGTH = 200;

/** @param key of a WHERE: a symbol for an SQL fragment, or the fragment itself */
export function readJsonKey(key: symbol | string): JsonKey | undefined {
  const fragment = typeof key === 'symbol' ? RawQueryFragment.getKnownFragment(key) : undefined;
  const sql = typeof key === 'symbol' ? fragment?.sql : key;
  const match = fragment?.params.length ? null : FRAGMENT.exec(sql ?? '');
  if (!match || sql!.length > MAX_LENGTH) {
    return undefined;
  }
  const [, bracket, column, before, last, type] = match;
  const keys = [...before!.matchAll(/->'([^']*)'/g)].map(([, each]) => each!);
  keys.push(last!);
  if ((bracket === undefined) !== (type === undefined) || !keys.every(isPlainKey)) {
    return undefined;
  }
  return {
    path: { column: column!.replaceAll('""', '"'), keys },
    as: type === undefined ? 'text' : SCALARS[type]!,
  };
}
