import { type EntityManager, MikroORM, RequestContext } from '@mikro-orm/core';
import { CacheopsError } from '../config/error.js';
import { type AnswerRequest, answer, type Computed, checkSamples, type Sample } from '../functions/answer.js';
import { describeArguments } from '../functions/given.js';
import { isEntityClass } from '../orm/computed/entity_class.js';
import { contextOf, functionPartsOf, managing, onlyOrm } from '../orm/context/orm_registry.js';

export { checkSamples, invalidateTag, type Sample } from '../functions/answer.js';

/** What something depends on: a sample, an array of them, or a function that gives one. */
export type Samples<Args extends unknown[]> = Sample | ((...args: Args) => Sample);

/** A value, or a function that gives one. Plain data and entities only. */
export type Extra<Args extends unknown[]> =
  | ((...args: Args) => unknown)
  | string
  | number
  | bigint
  | boolean
  | null
  | undefined
  | object;

/**
 * The EntityManager in whose name something is served: that of the request, if it has one.
 *
 * @param given by the user; default: that of the current `RequestContext`, or else of the only ORM that has a cache
 * @throws CacheopsError if there is none
 */
export function entityManagerOf(
  given: MikroORM<any> | EntityManager | undefined,
  what: string,
): EntityManager {
  const em =
    given instanceof MikroORM ? given.em : (given ?? RequestContext.getEntityManager() ?? onlyOrm()?.em);
  if (!em) {
    throw new CacheopsError(
      `${what}: which EntityManager? Begin the request with RequestContext.create(orm.em, next), or give the option orm.`,
    );
  }
  return managing(contextOf(em));
}

/**
 * What is stored, or what is computed under a lease. A payload that cannot be read is a miss, and an `error` event.
 *
 * @param decode throws if the payload is none that the same version of this package may have stored
 * @param compute is run once at most; what it throws comes through
 */
export async function answerDecoded<T>(
  em: EntityManager,
  request: AnswerRequest,
  decode: (payload: Uint8Array) => T,
  compute: () => Promise<Computed<T>>,
): Promise<T> {
  let outcome = await answer(em, request, compute);
  if (outcome.source === 'cache') {
    try {
      return decode(outcome.payload);
    } catch (error) {
      functionPartsOf(em).events.reportError('read', error);
    }
    outcome = await answer(em, { ...request, unreadable: true }, compute);
  }
  return (outcome as Extract<typeof outcome, { source: 'computed' }>).value;
}

/** The samples for one call. */
export function resolveSamples<Args extends unknown[]>(
  samples: Samples<Args>,
  args: Args,
  what: string,
): readonly Sample[] {
  const isFunction = typeof samples === 'function' && !isEntityClass(samples);
  const resolved = isFunction ? (samples as (...args: Args) => Sample)(...args) : (samples as Sample);
  checkSamples([resolved], what);
  return [resolved];
}

/**
 * Values as text, such that two with the same text are the same. Entities count with everything that is loaded of them.
 *
 * @throws CacheopsError that names the path of what cannot be told from others
 */
export function told(value: unknown, what: string): string {
  try {
    return describeArguments([], value, []).key;
  } catch (error) {
    throw error instanceof CacheopsError ? new CacheopsError(`${what}: ${error.message}`) : error;
  }
}
