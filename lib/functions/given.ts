import { types } from 'node:util';
import { EntityManager, EntityRepository } from '@mikro-orm/core';
import { type EntityGraph, isEntity, recordEntities, UnflushedError } from '../orm/computed/entity_graph.js';
import { assemble, checkStorable, dissect } from '../orm/computed/storable.js';
import { fingerprint } from './fingerprint.js';
import type { CallManagers } from './managers.js';

/** What a cached function is given, as far as it decides about the result. */
export interface Given {
  /** tells it from everything else that could be given */
  readonly key: string;
  /** why what is made of it must not be stored */
  readonly obstacle: string | undefined;
  /**
   * The arguments, with entities of another EntityManager in the place of those that they were.
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
  const found: { readonly entity: object; readonly path: string }[] = [];
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
  if (found.length === 0) {
    return { key: text, obstacle: undefined, through: async () => args };
  }
  let graph: EntityGraph;
  try {
    graph = recordEntities(
      found.map(({ entity }) => entity),
      i => found[i]!.path,
      checkStorable,
    );
  } catch (error) {
    if (error instanceof UnflushedError) {
      return { key: text, obstacle: error.message, through: async () => args };
    }
    throw error;
  }
  const rows = graph.records.map(({ context: _, original: __, loaded: ___, ...row }) => row);
  const key = `${text} ${fingerprint([graph.roots, rows], () => undefined, 'entities')}`;
  return { key, obstacle: undefined, through: restore => replaced(args, restore) };
}

async function replaced(
  args: unknown[],
  restore: (graph: EntityGraph) => Promise<object[]>,
): Promise<unknown[]> {
  const parts = args.map((arg, i) =>
    arg instanceof EntityManager || arg instanceof EntityRepository
      ? undefined
      : dissect(arg, isEntity, `arguments[${i}]`, true),
  );
  const found = parts.flatMap(part => part?.entities ?? []);
  if (found.length === 0) {
    return args;
  }
  const graph = recordEntities(
    found.map(({ entity }) => entity),
    () => 'arguments',
    checkStorable,
  );
  const restored = await restore(graph);
  let next = 0;
  return args.map((arg, i) => {
    const part = parts[i];
    return part && part.entities.length > 0
      ? assemble(
          part.plain,
          part.entities.map(({ place }) => ({ place, entity: restored[next++]! })),
        )
      : arg;
  });
}

function isAnyEntity(value: unknown): value is object {
  return typeof value === 'object' && value !== null && isEntity(value);
}
