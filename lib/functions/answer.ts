import type { EntityManager, MikroORM } from '@mikro-orm/core';
import type {
  Answer,
  AnswerRequest,
  Computed,
  ComputedResults,
  TagKind,
} from '../orm/computed/computed_results.js';
import { contextOf, functionPartsOf } from '../orm/context/orm_registry.js';

export type { Answer, AnswerRequest, Computed } from '../orm/computed/computed_results.js';
export { checkSamples, type Sample } from '../orm/planning/samples.js';

/**
 * Serves bytes (of a view or a fragment of a page) from the store, or computes them under a lease. See `ComputedResults`.
 *
 * @param compute runs at most once, in the caller's async context; its errors are passed on
 * @throws CacheopsError if the request is wrong, or the ORM has no cache
 */
export function answer<T>(
  em: EntityManager,
  request: AnswerRequest,
  compute: () => Promise<Computed<T>>,
): Promise<Answer<T>> {
  return functionPartsOf<ComputedResults>(em).results.answer(contextOf(em), request, compute);
}

/** Invalidates all results with this tag in every process, including those that are being computed. */
export function invalidateTag(
  ormOrEm: MikroORM<any> | EntityManager,
  kind: TagKind,
  value: string,
): Promise<void> {
  return functionPartsOf<ComputedResults>(ormOrEm).results.invalidateTag(kind, value);
}
