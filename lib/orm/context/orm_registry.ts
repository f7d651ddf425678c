import type { EntityManager, MikroORM } from '@mikro-orm/core';
import type { SqlEntityManager } from '@mikro-orm/sql';
import { CacheopsError } from '../../config/error.js';
import type { Serializer } from '../../config/options.js';
import type { CacheopsEvents } from '../../observability/events.js';
import { FUNCTIONS } from './extension_keys.js';

/** Describes EntityManagers as text for the keys of results that depend on one. */
export interface ManagerDescriptions {
  describeManager(em: SqlEntityManager): Promise<{ readonly text?: string; readonly obstacle?: string }>;
  describeUsedManager(em: SqlEntityManager): string | undefined;
}

/** What cached functions need of an ORM. `Results` is a class of a later room. */
export interface FunctionParts<Results extends ManagerDescriptions = ManagerDescriptions> {
  readonly results: Results;
  readonly events: CacheopsEvents;
  /** the store serves other processes too */
  readonly isShared: boolean;
  /** `undefined`: the default */
  readonly serializer: Serializer | undefined;
}

export function functionPartsIn<Results extends ManagerDescriptions>(
  ormOrEm: MikroORM<any> | EntityManager,
): FunctionParts<Results> | undefined {
  return ormOrEm.config.getExtension<FunctionParts<Results>>(FUNCTIONS);
}

/** @throws CacheopsError if the ORM was not given the extension */
export function functionPartsOf<Results extends ManagerDescriptions>(
  ormOrEm: MikroORM<any> | EntityManager,
): FunctionParts<Results> {
  const parts = functionPartsIn<Results>(ormOrEm);
  if (!parts) {
    throw new CacheopsError('This ORM has no cache. Add cacheops() to the extensions of its configuration.');
  }
  return parts;
}

const open = new Set<MikroORM<any>>();

/** @returns a function that forgets the ORM */
export function rememberOrm(orm: MikroORM<any>): () => void {
  open.add(orm);
  return () => open.delete(orm);
}

/** The ORM with a cache, if there is exactly one in this program. */
export function onlyOrm(): MikroORM<any> | undefined {
  return open.size === 1 ? [...open][0] : undefined;
}

/** The EntityManager that this one resolves to here: that of the request, of the transaction … */
export function contextOf(em: EntityManager): SqlEntityManager {
  return em.getContext(false) as SqlEntityManager;
}

/** An EntityManager that may manage entities; the global one must not. */
export function managing(em: SqlEntityManager): SqlEntityManager {
  return mayManage(em) ? em : (em.fork() as SqlEntityManager);
}

export function mayManage(em: SqlEntityManager): boolean {
  return !em.global || em.config.get('allowGlobalContext');
}

/** The EntityManager that the global one of the same ORM resolves to here, if that ORM has a cache. */
export function ambientManagerOf(em: EntityManager): SqlEntityManager | undefined {
  for (const orm of open) {
    if (orm.config === em.config) {
      return contextOf(orm.em as EntityManager);
    }
  }
  return undefined;
}
