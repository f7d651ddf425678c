import { EntityManager } from '@mikro-orm/core';
import type { SqlEntityManager } from '@mikro-orm/sql';
import { checkBoolean, checkInteger, checkKeys, show } from '../config/check.js';
import { CacheopsError } from '../config/error.js';
import type { AnswerRequest, Computed, ComputedResults } from '../orm/computed/computed_results.js';
import { isEntityClass } from '../orm/computed/entity_class.js';
import { leavesChanges, restoreEntities } from '../orm/computed/entity_graph.js';
import { isolated } from '../orm/computed/isolation.js';
import {
  contextOf,
  type FunctionParts,
  functionPartsOf,
  managing,
  mayManage,
  onlyOrm,
} from '../orm/context/orm_registry.js';
import { checkSamples, isEntitySample, managerOfSamples, type Sample } from '../orm/planning/samples.js';
import { describeArguments, type Given } from './given.js';
import { functionIdentity, type Identity, warnIfPrivate } from './identity.js';
import { CallManagers } from './managers.js';
import { decodeResult, encodeResult } from './result.js';

/** A sample, or a function of `this` and the arguments that gives one for each call. */
export type SampleSource = Sample | SampleFunction;
export type SampleFunction = (self: any, ...args: any[]) => Sample;

/** A further part of the key: plain data, or a function of `this` and the arguments that gives them for each call. */
export type Extra<Self = any> =
  | string
  | number
  | bigint
  | boolean
  | null
  | object
  | ((self: Self, ...args: any[]) => unknown);

export interface CachedAsOptions<Self = any> {
  /** is part of the key, beside the arguments: a value, or a function of `this` and the arguments */
  extra?: Extra<Self>;
  /** how long a result may be used, in seconds. Default: the shortest timeout of its samples' profiles */
  timeout?: number;
  /**
   * The EntityManager whose store, session and transaction are used and that manages entities in the result, or a
   * function of `this` and the arguments that gives it.
   *
   * Default: the first argument that is an EntityManager, `this.em`, or the one of a query builder or entity among the
   * samples.
   */
  em?: EntityManager | ((self: Self, ...args: any[]) => EntityManager);
  /**
   * Of all processes that miss a result at the same time, one computes it, while the others wait for at most 5 seconds.
   * (In one process, that is always so.) Default: false
   */
  lock?: boolean;
  /**
   * Identifies the function, instead of its source text and place: functions with the same name share results. A function
   * that is made within another function needs it to share its results with other processes.
   */
  name?: string;
}

export type AnyFunction = (this: any, ...args: any[]) => unknown;

/** The function with the same `this` and arguments, and a promise of the same result. */
export type CachedFunction<F extends AnyFunction> = (
  this: ThisParameterType<F>,
  ...args: Parameters<F>
) => Promise<Awaited<ReturnType<F>>>;

const OPTIONS = Object.keys({
  extra: true,
  timeout: true,
  em: true,
  lock: true,
  name: true,
} satisfies Record<keyof CachedAsOptions, true>);

/**
 * Caches the results of a function until one of the samples changes.
 *
 * The key consists of the arguments, the samples, `extra`, the text and place of the function, and the EntityManagers that
 * it may use. Other inputs (a captured variable, a field of `this`) belong in `extra`. A result also depends on what other
 * cached functions that it calls depend on.
 *
 * The function runs with a fork of its caller's EntityManager, so that the result comes from the database, and not from
 * rows that the caller has loaded before or has changed and not flushed. The fork manages entities among the arguments;
 * the caller's EntityManager manages entities in the result.
 *
 * ```ts
 * const newest = cachedAs(Article, { timeout: 600 })(async (em: EntityManager, count: number) =>
 *   em.find(Article, {}, { orderBy: { id: 'desc' }, limit: count }),
 * );
 * await newest(em, 5);
 *
 * const block = cachedAs((_self, em: EntityManager, category: number) => ({ entity: Article, where: { category } }))(
 *   async (em: EntityManager, category: number) => em.count(Article, { category }),
 * );
 * ```
 *
 * @throws CacheopsError at once if there is no sample or an option is wrong; and by the function, if an entity has no
 * profile, or if arguments or result cannot be stored
 */
export function cachedAs(
  ...given: readonly [SampleSource, ...(SampleSource | CachedAsOptions)[]]
): <F extends AnyFunction>(fn: F) => CachedFunction<F> {
  const { samples, options } = readDeclaration(given, 'cachedAs()');
  return function wrap(fn) {
    return wrapped(fn, samples, options, functionIdentity(fn, options.name, 'cachedAs()', wrap));
  };
}

/** @internal the checked samples and options of a declaration */
export function readDeclaration(
  given: readonly unknown[],
  where: string,
): { samples: readonly SampleSource[]; options: CachedAsOptions } {
  const last = given.at(-1);
  const hasOptions = given.length > 1 && isOptions(last);
  const samples = hasOptions ? given.slice(0, -1) : given;
  const options = (hasOptions ? last : {}) as CachedAsOptions;
  checkSamples(samples, where);
  checkKeys(options, OPTIONS, where);
  if (options.timeout !== undefined) {
    checkInteger(options.timeout, 1, `${where}: timeout`, 'seconds');
  }
  if (options.lock !== undefined) {
    checkBoolean(options.lock, `${where}: lock`);
  }
  if (options.name !== undefined && (typeof options.name !== 'string' || options.name === '')) {
    throw new CacheopsError(`${where}: name: ${show(options.name)} is no name.`);
  }
  return { samples: samples as SampleSource[], options };
}

function isOptions(value: unknown): boolean {
  return (
    typeof value === 'object' &&
    value !== null &&
    Object.getPrototypeOf(value) === Object.prototype &&
    !isEntitySample(value)
  );
}

/** @internal */
export function wrapped<F extends AnyFunction>(
  fn: F,
  samples: readonly SampleSource[],
  options: CachedAsOptions,
  identity: (self: unknown) => Identity,
): CachedFunction<F> {
  const cached = async function (this: unknown, ...args: unknown[]) {
    const known = identity(this);
    const call = new Call(this, args, known, samples, options);
    if (call.isShared) {
      warnIfPrivate(fn, known);
    }
    return call.answer(given => fn.apply(this as never, given as never));
  };
  Object.defineProperty(cached, 'name', { value: fn.name });
  Object.defineProperty(cached, 'length', { value: fn.length });
  return cached as unknown as CachedFunction<F>;
}

type Run = (args: unknown[]) => unknown;

/** The result of a function: unchanged if nothing is cached, otherwise encoded. */
type Outcome = { readonly result: unknown } | { readonly payload: Uint8Array };

/** One call of a cached function. */
class Call {
  readonly #self: unknown;
  readonly #args: unknown[];
  readonly #identity: Identity;
  readonly #samples: readonly Sample[];
  readonly #options: CachedAsOptions;
  readonly #em: SqlEntityManager;
  readonly #parts: FunctionParts<ComputedResults>;

  constructor(
    self: unknown,
    args: unknown[],
    identity: Identity,
    sources: readonly SampleSource[],
    options: CachedAsOptions,
  ) {
    this.#self = self;
    this.#args = args;
    this.#identity = identity;
    this.#options = options;
    this.#samples = sources.map(source => this.#resolve(source));
    const em = this.#findEntityManager();
    if (!em) {
      throw new CacheopsError(
        `${identity.name}: which EntityManager? Give the option em, an argument that is one, a field em, or a query builder as the sample.`,
      );
    }
    this.#em = contextOf(em);
    this.#parts = functionPartsOf<ComputedResults>(em);
  }

  /** Do other processes share the results? */
  get isShared(): boolean {
    return this.#parts.isShared;
  }

  async answer(run: Run): Promise<unknown> {
    const em = managing(this.#em);
    const managers = new CallManagers();
    const given = describeArguments(this.#args, this.#extra(), this.#samples, managers, this.#self);
    managers.addReachedFrom(this.#self);
    managers.addAmbientOf(em);
    const { timeout, lock } = this.#options;
    const request: AnswerRequest = {
      kind: 'function',
      name: this.#identity.name,
      key: JSON.stringify([this.#identity.digest, this.#identity.variant, given.key]),
      samples: this.#samples,
      isolated: true,
      managers,
      obstacle: given.obstacle ?? managers.obstacle,
      ...(timeout !== undefined && { timeout }),
      ...(lock && { lock }),
    };
    const { results, events } = this.#parts;
    const compute = async (bypass: boolean): Promise<Computed<Outcome>> =>
      bypass
        ? { value: { result: await run(this.#args) }, payload: undefined }
        : isolated([this.#em, ...managers.given, ...managers.reached.filter(mayManage)], async standIns => {
            const payload = await this.#compute(standIns, given, run);
            return { value: { payload }, payload };
          });
    let answer = await results.answer(em, request, compute);
    if (answer.source === 'cache') {
      try {
        return await this.#read(answer.payload, em);
      } catch (error) {
        events.reportError('read', error);
      }
      answer = await results.answer(em, { ...request, unreadable: true }, compute);
    }
    const outcome = (answer as Extract<typeof answer, { source: 'computed' }>).value;
    return 'result' in outcome ? outcome.result : this.#read(outcome.payload, em);
  }

  #read(payload: Uint8Array, em: SqlEntityManager): Promise<unknown> {
    return decodeResult(payload, graph => restoreEntities(em, graph), this.#parts.serializer);
  }

  async #compute(
    standIns: readonly [SqlEntityManager, ...SqlEntityManager[]],
    given: Given,
    run: Run,
  ): Promise<Uint8Array> {
    const result = await run(await given.through(graph => restoreEntities(standIns[0], graph)));
    if (standIns.some(leavesChanges)) {
      throw new CacheopsError(
        `${this.#identity.name}() leaves changes that are not flushed, which a hit would not make. Flush them, or do not cache it.`,
      );
    }
    return encodeResult(result, this.#parts.serializer);
  }

  #extra(): unknown {
    const { extra } = this.#options;
    return typeof extra === 'function' ? extra(this.#self, ...this.#args) : extra;
  }

  #resolve(source: SampleSource): Sample {
    if (typeof source === 'function' && !isEntityClass(source)) {
      const sample = (source as SampleFunction)(this.#self, ...this.#args);
      checkSamples([sample], this.#identity.name);
      return sample;
    }
    return Array.isArray(source) ? source.map(item => this.#resolve(item)) : (source as Sample);
  }

  #findEntityManager(): EntityManager | undefined {
    const { em } = this.#options;
    const chosen = typeof em === 'function' ? em(this.#self, ...this.#args) : em;
    if (chosen !== undefined) {
      if (!(chosen instanceof EntityManager)) {
        throw new CacheopsError(`${this.#identity.name}: em: ${show(chosen)} is no EntityManager.`);
      }
      return chosen;
    }
    const own = (this.#self as { em?: unknown } | null | undefined)?.em;
    return (
      this.#args.find(arg => arg instanceof EntityManager) ??
      [this.#self, own].find(value => value instanceof EntityManager) ??
      managerOfSamples(this.#samples) ??
      onlyOrm()?.em
    );
  }
}
