import { type EntityManager, MikroORM, RequestContext } from '@mikro-orm/core';
import { CacheopsError } from '../config/error.js';
import { type AnswerRequest, answer, type Computed, checkSamples, type Sample } from '../functions/answer.js';
import { describeArguments } from '../functions/given.js';
import { isEntityClass } from '../orm/computed/entity_class.js';
import { contextOf, functionPartsOf, managing, onlyOrm } from '../orm/context/orm_registry.js';

export { checkSamples, invalidateTag, type Sample } from '../functions/answer.js';

/** Samples: one, an array of them, or a function that returns one. */
export type Samples<Args extends unknown[]> = Sample | ((...args: Args) => Sample);

/** A value, or a function that returns one. Plain data and entities only. */
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
 * The EntityManager of the request, if it has one.
 *
 * @param given by the user; default: the one of the current `RequestContext`, or else of the only ORM that has a cache
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
      `${what}: there is no EntityManager. Start the request with RequestContext.create(orm.em, next), or give the option orm.`,
    );
  }
  return managing(contextOf(em));
}

/**
 * The stored value, or the value computed under a lease. A payload that cannot be decoded is a miss and an `error`
 * event.
 *
 * @param decode throws if the payload is damaged, or of another version of this package
 * @param compute runs once at most; its exceptions are passed on
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
 * A text for the key: equal texts mean equal values. Entities count with all of their loaded properties.
 *
 * @throws CacheopsError that names the path of a value without an exact key
 */
export function keyTextOf(value: unknown, what: string): string {
  try {
    return describeArguments([], value, []).key;
  } catch (error) {
    throw error instanceof CacheopsError ? new CacheopsError(`${what}: ${error.message}`) : error;
  }
}
