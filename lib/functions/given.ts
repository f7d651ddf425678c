import { types } from 'node:util';
import { type EntityGraph, isEntity, recordEntities, UnflushedError } from '../orm/computed/entity_graph.js';
import { fingerprint } from '../orm/computed/fingerprint.js';
import { structured } from '../orm/computed/serializer.js';
import { checkStorable, copyArguments } from '../orm/computed/storable.js';
import type { CallManagers } from './managers.js';

/** What a cached function is given, as far as it decides about the result. */
export interface Given {
  /** tells it from everything else that could be given */
  readonly key: string;
  /** why what is made of it must not be stored */
  readonly obstacle: string | undefined;
  /**
   * A copy of the arguments as they were, with entities of another EntityManager in the place of theirs.
   *
   * @param restore makes that one manage them
   */
  through(restore: (graph: EntityGraph) => Promise<object[]>): Promise<unknown[]>;
}

/**
 * Entities count with everything that is loaded of them: what was loaded long ago may not be what the database holds
 * now, and a function that looks at it gives something else then.
 *
 * @param extra what else decides
 * @param samples entities among them may be looked at as well
 * @param managers learns of EntityManagers; left out: they are refused
 * @param self `this` of the call: of an entity, its row decides as that of an argument does
 * @throws CacheopsError that names the path of what cannot be told from others
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
  // as they are now: the function may run after its caller has changed them
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

/** An entity, and where it stands. */
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
