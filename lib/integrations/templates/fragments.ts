import type { EntityManager, MikroORM } from '@mikro-orm/core';
import { checkInteger, checkKeys, show } from '../../config/check.js';
import { CacheopsError } from '../../config/error.js';
import {
  answerDecoded,
  entityManagerOf,
  invalidateTag,
  keyTextOf,
  resolveSamples,
  type Samples,
} from '../answers.js';

export interface FragmentOptions {
  /** in seconds. Default: the timeout of the samples' profiles; required without samples */
  timeout?: number;
  /** Everything else that it depends on, such as values of the context. Plain values and entities only. */
  extra?: unknown;
}

/** A fragment to serve. */
export interface FragmentRequest extends FragmentOptions {
  /** for {@link Fragments.invalidate} */
  readonly name: string;
  /** identifies it among fragments of the same name */
  readonly key?: string;
  readonly samples?: Samples<[]> | undefined;
}

/** Caches fragments of pages by name. */
export class Fragments {
  readonly #orm: MikroORM<any> | EntityManager | undefined;

  /** @param orm default: the ORM of the current `RequestContext` */
  constructor(orm?: MikroORM<any> | EntityManager) {
    this.#orm = orm;
  }

  /** The stored text, or the text that `render` returns. */
  async serve(
    { name, key = '', samples, timeout, extra }: FragmentRequest,
    render: () => string | Promise<string>,
  ): Promise<string> {
    if (typeof name !== 'string' || name === '') {
      throw new CacheopsError(`fragment(): the name is ${show(name)}. Give a non-empty string.`);
    }
    const what = `fragment '${name}'`;
    if (samples === undefined && timeout === undefined) {
      throw new CacheopsError(`${what}: there is no timeout. Give samples, or a timeout in seconds.`);
    }
    const em = entityManagerOf(this.#orm, what);
    return answerDecoded(
      em,
      {
        kind: 'fragment',
        name,
        key: JSON.stringify([key, keyTextOf(extra, `${what}: extra`)]),
        tags: [['fragment', name]],
        ...(samples !== undefined && { samples: resolveSamples(samples, [], what) }),
        ...(timeout !== undefined && { timeout: checkInteger(timeout, 1, `${what}: timeout`, 'seconds') }),
      },
      textOf,
      async () => {
        const text = await render();
        if (typeof text !== 'string') {
          throw new CacheopsError(`${what}: render() returned ${show(text)}. Return a string.`);
        }
        // a lone surrogate has no UTF-8
        return { value: text, payload: text.isWellFormed() ? Buffer.from(text) : undefined };
      },
    );
  }

  /** Drops all fragments of a name. Fragments that are being rendered are not stored. */
  async invalidate(name: string): Promise<void> {
    await invalidateTag(entityManagerOf(this.#orm, 'invalidate()'), 'fragment', name);
  }
}

/** @throws TypeError if it is not UTF-8 */
function textOf(payload: Uint8Array): string {
  return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(payload);
}

/** Serves a fragment from the cache, or renders it. */
export interface Fragment {
  /**
   * @param name identifies it, also for {@link invalidate}
   * @param samples an entity, a class of entities, `{ entity, where }`, a query builder, or an array of these: a change
   *   of them invalidates it. `null`: it is cached for `options.timeout`
   * @param render returns the text, which is stored and output without further escaping
   */
  (
    name: string,
    samples: Samples<[]> | null,
    render: () => string | Promise<string>,
    options?: FragmentOptions,
  ): Promise<string>;
  /** Drops all fragments of a name. */
  invalidate(name: string): Promise<void>;
}

/**
 * Creates the function that serves fragments of pages, for any engine with asynchronous rendering.
 *
 * ```ts
 * const fragment = fragments(orm);
 * const html = await ejs.render(
 *   `<%- await fragment('menu', Category, () => include('menu')) %>`, { fragment, Category }, { async: true },
 * );
 * await fragment.invalidate('menu');
 * ```
 *
 * @param orm default: the ORM of the current `RequestContext`, or else the only one with a cache
 */
export function fragments(orm?: MikroORM<any> | EntityManager): Fragment {
  const all = new Fragments(orm);
  const fragment = (
    name: string,
    samples: Samples<[]> | null,
    render: () => string | Promise<string>,
    options: FragmentOptions = {},
  ) => {
    checkKeys(options as unknown, ['timeout', 'extra'], `fragment '${name}'`);
    return all.serve({ ...options, name, samples: samples ?? undefined }, render);
  };
  return Object.assign(fragment, { invalidate: (name: string) => all.invalidate(name) });
}
