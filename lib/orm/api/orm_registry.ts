import type { EntityManager, MikroORM } from '@mikro-orm/core';
import type { SqlEntityManager } from '@mikro-orm/sql';
import { CacheopsError, type Serializer } from '../../config/index.js';
import type { CacheopsEvents } from '../../observability/events.js';
import type { Answers } from '../computed/computed_results.js';
import { EXTENSION } from './handle.js';

/** The name under which an ORM's configuration keeps what functions need. */
export const FUNCTIONS = `${EXTENSION} functions`;

export interface FunctionParts {
  readonly answers: Answers;
  readonly events: CacheopsEvents;
  /** the store serves other processes, too */
  readonly isShared: boolean;
  /** `undefined`: the default */
  readonly serializer: Serializer | undefined;
}

export function functionPartsIn(ormOrEm: MikroORM<any> | EntityManager): FunctionParts | undefined {
  return ormOrEm.config.getExtension<FunctionParts>(FUNCTIONS);
}

/** @throws CacheopsError if the ORM was not given the extension */
export function functionPartsOf(ormOrEm: MikroORM<any> | EntityManager): FunctionParts {
  const parts = functionPartsIn(ormOrEm);
  if (!parts) {
    throw new CacheopsError('This ORM has no cache. Add cacheops() to the extensions of its configuration.');
  }
  return parts;
}

const open = new Set<MikroORM<any>>();

/** @returns what forgets it */
export function rememberOrm(orm: MikroORM<any>): () => void {
  open.add(orm);
  return () => open.delete(orm);
}

/** The ORM with a cache, if there is exactly one in this program. */
export function onlyOrm(): MikroORM<any> | undefined {
  return open.size === 1 ? [...open][0] : undefined;
}

/** The EntityManager that this one stands for here: that of the request, of the transaction … */
export function contextOf(em: EntityManager): SqlEntityManager {
  return em.getContext(false) as SqlEntityManager;
}

/** One that may manage entities: the global one must not. */
export function managing(em: SqlEntityManager): SqlEntityManager {
  return mayManage(em) ? em : (em.fork() as SqlEntityManager);
}

export function mayManage(em: SqlEntityManager): boolean {
  return !em.global || em.config.get('allowGlobalContext');
}

/** What the global EntityManager of an EntityManager's ORM stands for here, if that ORM has a cache. */
export function ambientManagerOf(em: EntityManager): SqlEntityManager | undefined {
  for (const orm of open) {
    if (orm.config === em.config) {
      return contextOf(orm.em as EntityManager);
    }
  }
  return undefined;
}
