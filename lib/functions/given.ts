import { types } from 'node:util';
import { type EntityGraph, isEntity, recordEntities, UnflushedError } from '../orm/computed/entity_graph.js';
import { fingerprint } from '../orm/computed/fingerprint.js';
import { structured } from '../orm/computed/serializer.js';
import { checkStorable, copyArguments } from '../orm/computed/storable.js';
import type { CallManagers } from './managers.js';

/** The arguments of a cached function, as part of its key. */
export interface Given {
  /** differs from that of other arguments */
  readonly key: string;
  /** why the result must not be stored */
  readonly obstacle: string | undefined;
  /**
   * A copy of the arguments as they were, in which another EntityManager manages the entities.
   *
   * @param restore makes that EntityManager manage them
   */
  through(restore: (graph: EntityGraph) => Promise<object[]>): Promise<unknown[]>;
}

/**
 * The key contains all loaded data of entities, because the function may use it, and it may be older than the database.
 *
 * @param extra another part of the key
 * @param samples the function may use entities among them, too
 * @param managers collects EntityManagers; left out: they are refused
 * @param self `this` of the call: the row of an entity is part of the key
 * @throws CacheopsError that names the path of a value that cannot be part of a key
 */
export function describeArguments(
  args: unknown[],
  extra: unknown,
  samples: readonly unknown[],
  managers?: CallManagers,
  self?: unknown,
): Given {
  const whole = {
    arguments: args,
    extra,
    ...(isAnyEntity(self) && { this: self }),
    samples: samples.flat(Number.POSITIVE_INFINITY).filter(isAnyEntity),
  };
  const found: Found[] = [];
  const text = fingerprint(
    whole,
    (value, path) => {
      const described = managers?.describe(value);
      if (described !== undefined) {
        return described;
      }
      if (!types.isProxy(value) && isEntity(value)) {
        found.push({ entity: value, path });
        return `entity ${found.length}`;
      }
      return undefined;
    },
    '',
  );
  // copied now, because the caller may change them before the function runs
  const copied = copyArguments(args);
  if (found.length === 0) {
    return { key: text, obstacle: undefined, through: async () => copied };
  }
  const inArguments = found.filter(({ path }) => path.startsWith('arguments'));
  let graph: EntityGraph;
  let graphOfArguments: EntityGraph;
  try {
    graph = record(found);
    graphOfArguments = structured.decode(
      structured.encode(inArguments.length === found.length ? graph : record(inArguments)),
    ) as EntityGraph;
  } catch (error) {
    if (error instanceof UnflushedError) {
      return { key: text, obstacle: error.message, through: async () => args };
    }
    throw error;
  }
  const rows = graph.records.map(({ context: _, original: __, loaded: ___, ...row }) => row);
  const key = `${text} ${fingerprint([graph.roots, rows], () => undefined, 'entities')}`;
  return {
    key,
    obstacle: undefined,
    async through(restore) {
      const restored = inArguments.length > 0 ? await restore(graphOfArguments) : [];
      return copyArguments(copied, new Map(inArguments.map(({ entity }, i) => [entity, restored[i]!])));
    },
  };
}

/** An entity and its path. */
interface Found {
  readonly entity: object;
  readonly path: string;
}

function record(found: readonly Found[]): EntityGraph {
  return recordEntities(
    found.map(({ entity }) => entity),
    i => found[i]!.path,
    checkStorable,
  );
}

function isAnyEntity(value: unknown): value is object {
  return typeof value === 'object' && value !== null && isEntity(value);
}
