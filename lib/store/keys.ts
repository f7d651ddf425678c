import { createHash } from 'node:crypto';
import type { Dependency } from '../values/scheme.js';
import type { EntryAddress, Moved } from './store.js';

/**
 * Follows the prefix in each key, and distinguishes our keys from those of other programs and of prefixes that begin
 * alike. No key belongs to two prefixes, because no prefix contains the marker, and its first character occurs in it
 * only once.
 */
export const MARKER = '@cacheops:';

/** The reason why a prefix cannot be used, or `undefined`. */
export function faultOf(prefix: string): string | undefined {
  if (!prefix.isWellFormed()) {
    return 'it has a lone surrogate, which has no UTF-8';
  }
  if (prefix.includes(MARKER)) {
    return `it contains '${MARKER}', which ends each prefix`;
  }
  // a Redis Cluster hashes the text in the first braces of a key, which must be those around the table's name
  return /^[^{]*(\{[^}]+\}.*)?$/su.test(prefix)
    ? undefined
    : 'it has an opening brace, and no text and closing brace after it';
}

/**
 * The common beginning of all keys under a prefix.
 *
 * @throws RangeError if the prefix cannot be used
 */
export function rootOf(prefix: string): string {
  const fault = faultOf(prefix);
  if (fault) {
    throw new RangeError(`The prefix '${prefix}' cannot be used: ${fault}.`);
  }
  return prefix + MARKER;
}

/**
 * The keys of a store.
 *
 * | key | what it is |
 * |---|---|
 * | `t:{T}` | the registry of table T |
 * | `g:{T}` | the stamp of the table as a whole |
 * | `c:{T}:8:category:7` | the stamp of a dependency: length of the scheme's id, that id, the values |
 * | `s:{T}:8:category:7` | the trail of that stamp, if it is a versioned stamp |
 * | `e:…` | an entry |
 *
 * Different things never share a key, whatever characters their names contain. Long names are digested. The braces
 * place all keys of one table in one slot of a Redis Cluster.
 */
export class Keys {
  readonly #entry: string;
  readonly #digestedEntry: string;
  readonly #tables = new Map<string, TableKeys>();
  /** memoized because the same queries are read again */
  readonly #addresses = new WeakMap<EntryAddress, readonly string[]>();

  /** @param root begins every key: see {@link rootOf} */
  constructor(readonly root: string) {
    this.#entry = `${root}e:`;
    this.#digestedEntry = `${root}e#`;
  }

  entry(key: string): string {
    return isPlain(key, LONGEST_KEY) ? this.#entry + key : this.#digestedEntry + digest(key);
  }

  of(table: string): TableKeys {
    let keys = this.#tables.get(table);
    if (!keys) {
      const tag = tagOf(table);
      keys = {
        registry: `${this.root}t:{${tag}}`,
        stamp: `${this.root}g:{${tag}}`,
        dependencies: `${this.root}c:{${tag}}`,
        trails: `${this.root}s:{${tag}}`,
      };
      this.#tables.set(table, keys);
    }
    return keys;
  }

  /** A predicate: does the key belong to one of these tables? */
  filterOf(tables: readonly string[]): (key: string) => boolean {
    const begins = tables.flatMap(table => Object.values(this.of(table)) as string[]);
    return key => begins.some(begin => key.startsWith(begin));
  }

  /** The keys to read for an entry: its own, then for each table the stamps of the table and of its dependencies. */
  ofAddress(address: EntryAddress): readonly string[] {
    let keys = this.#addresses.get(address);
    if (!keys) {
      keys = this.#makeAddress(address);
      this.#addresses.set(address, keys);
    }
    return keys;
  }

  #makeAddress(address: EntryAddress): string[] {
    const keys = [this.entry(address.key)];
    for (const { table, dependencies } of address.tables) {
      const own = this.of(table);
      keys.push(own.stamp);
      for (const dependency of dependencies) {
        keys.push(own.dependencies + dependencyId(dependency.scheme.id, dependency.values));
      }
    }
    return keys;
  }
}

/**
 * The dependency of each stamp of an address, in the order of {@link Keys.ofAddress}; `undefined` for a table's stamp.
 */
export function dependenciesOf({ tables }: EntryAddress): (Omit<Moved, 'steps'> | undefined)[] {
  return tables.flatMap(({ table, dependencies }) => [
    undefined,
    ...dependencies.map(dependency => ({ table, dependency })),
  ]);
}

export interface TableKeys {
  readonly registry: string;
  readonly stamp: string;
  /** prefix of the keys of dependencies' stamps; a {@link dependencyId} follows */
  readonly dependencies: string;
  /** prefix of the keys of their trails; a {@link dependencyId} follows */
  readonly trails: string;
}

/** A dependency's name within its table. It is unique, because the length says where the scheme's id ends. */
export function dependencyId(schemeId: string, values: string): string {
  const name = `:${schemeId.length}:${schemeId}:${values}`;
  // no plain name begins with '#'
  return isPlain(name, LONGEST_ID) ? name : `#${digest(name)}`;
}

export function idOf(dependency: Dependency): string {
  return dependencyId(dependency.scheme.id, dependency.values);
}

/** A scheme's name in the registry of its table. */
export function schemeId(id: string): string {
  return isPlain(id, LONGEST_ID) ? `:${id}` : `#${digest(id)}`;
}

const LONGEST_KEY = 512;
const LONGEST_ID = 200;

/** Lone surrogates have no UTF-8: all of them would become the same key. */
function isPlain(name: string, longest: number): boolean {
  return name.length <= longest && name.isWellFormed();
}

/** Never empty, because a Redis Cluster ignores empty braces. */
function tagOf(table: string): string {
  return isPlain(table, LONGEST_ID)
    ? table.replace(/[%{}#]/g, encodeURIComponent) || '%'
    : `#${digest(table)}`;
}

function digest(name: string): string {
  return createHash('sha256').update(name, 'utf16le').digest('base64url');
}
