import type { SqlEntityManager } from '@mikro-orm/sql';
import { currentScope } from '../context/scope.js';

type Kind = 'ref' | '1:m' | 'm:n' | 'count';

/** Combines loads of one tick into one query. */
type Loader = Awaited<ReturnType<SqlEntityManager['getDataLoader']>>;

const NO_COMPUTATION = {};

const loaders = new WeakMap<object, WeakMap<object, Map<string, Promise<Loader>>>>();

/**
 * The loader of all callers in a scope like the present one, or `undefined` if the scope has no effect on reads.
 *
 * The combined query runs in the scope of its first caller. If callers in other scopes shared it, `disabled()` would not
 * apply to their loads, and a cached function would not observe its own statements.
 *
 * @param em the EntityManager of the context
 */
export function loaderOfScope(em: SqlEntityManager, kind: Kind): Promise<Loader> | undefined {
  const { call, repository, disabled = false, computation } = currentScope();
  if (call === undefined && repository === undefined && !disabled && !computation) {
    return undefined;
  }
  const ofEm = entryOf(entryOf(loaders, computation ?? NO_COMPUTATION, newWeakMap), em, newMap);
  return entryOf(ofEm, [kind, disabled, nameOf(call), nameOf(repository)].join(), () => makeLoader(em, kind));
}

/** A name for options, which are the same if they are the same object. */
function nameOf(options: unknown): unknown {
  if (typeof options !== 'object' || options === null) {
    return options;
  }
  return entryOf(names, options, () => ++named);
}

const names = new WeakMap<object, number>();
let named = 0;

async function makeLoader(em: SqlEntityManager, kind: Kind): Promise<Loader> {
  const { DataloaderUtils } = await import('@mikro-orm/core/dataloader');
  const DataLoader = await DataloaderUtils.getDataLoader();
  switch (kind) {
    case 'ref':
      return new DataLoader(DataloaderUtils.getRefBatchLoadFn(em)) as Loader;
    case '1:m':
      return new DataLoader(DataloaderUtils.getColBatchLoadFn(em)) as Loader;
    case 'm:n':
      return new DataLoader(DataloaderUtils.getManyToManyColBatchLoadFn(em)) as Loader;
    case 'count':
      return new DataLoader(DataloaderUtils.getCountBatchLoadFn(em)) as Loader;
  }
}

interface Entries<K, V> {
  get(key: K): V | undefined;
  set(key: K, value: V): unknown;
}

function entryOf<K, V>(entries: Entries<K, V>, key: K, make: () => V): V {
  let value = entries.get(key);
  if (value === undefined) {
    value = make();
    entries.set(key, value);
  }
  return value;
}

const newMap = () => new Map<string, Promise<Loader>>();
const newWeakMap = () => new WeakMap<object, Map<string, Promise<Loader>>>();
