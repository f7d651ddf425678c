import type { EntityManager, MikroORM } from '@mikro-orm/core';
import { checkInteger, checkKeys, show } from '../../config/check.js';
import { CacheopsError } from '../../config/error.js';
import {
  answerDecoded,
  entityManagerOf,
  invalidateTag,
  resolveSamples,
  type Samples,
  told,
} from '../answers.js';

export interface FragmentOptions {
  /** How long it may be kept, in seconds. Default: that of the samples' profiles; without samples it must be given */
  timeout?: number;
  /** What it depends on besides its samples: whatever of its context it reads. Plain values and entities only. */
  extra?: unknown;
}

/** A fragment to be served. */
export interface FragmentRequest extends FragmentOptions {
  /** it can be dropped by that */
  readonly name: string;
  /** tells it from others of the same name */
  readonly key?: string;
  readonly samples?: Samples<[]> | undefined;
}

/** Pieces of pages that are kept, by name. */
export class Fragments {
  readonly #orm: MikroORM<any> | EntityManager | undefined;

  /** @param orm default: the ORM of the current `RequestContext` */
  constructor(orm?: MikroORM<any> | EntityManager) {
    this.#orm = orm;
  }

  /** The text that is kept, or what `render` gives. */
  async serve(
    { name, key = '', samples, timeout, extra }: FragmentRequest,
    render: () => string | Promise<string>,
  ): Promise<string> {
    if (typeof name !== 'string' || name === '') {
      throw new CacheopsError(`fragment(): ${show(name)} is no name. Give a text.`);
    }
    const what = `fragment '${name}'`;
    if (samples === undefined && timeout === undefined) {
      throw new CacheopsError(`${what}: nothing says how long. Give samples, or a timeout in seconds.`);
    }
    const em = entityManagerOf(this.#orm, what);
    return answerDecoded(
      em,
      {
        kind: 'fragment',
        name,
        key: JSON.stringify([key, told(extra, `${what}: extra`)]),
        tags: [['fragment', name]],
        ...(samples !== undefined && { samples: resolveSamples(samples, [], what) }),
        ...(timeout !== undefined && { timeout: checkInteger(timeout, 1, `${what}: timeout`, 'seconds') }),
      },
      textOf,
      async () => {
        const text = await render();
        if (typeof text !== 'string') {
          throw new CacheopsError(`${what}: render() gave ${show(text)}, which is no text.`);
        }
        // half a surrogate pair has no UTF-8
        return { value: text, payload: text.isWellFormed() ? Buffer.from(text) : undefined };
      },
    );
  }

  /** Drops all fragments of a name. Those being rendered at this moment are not kept. */
  async invalidate(name: string): Promise<void> {
    await invalidateTag(entityManagerOf(this.#orm, 'invalidate()'), 'fragment', name);
  }
}

/** @throws TypeError if it is no UTF-8 */
function textOf(payload: Uint8Array): string {
  return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(payload);
}

/** Serves a fragment from the cache, or renders it. */
export interface Fragment {
  /**
   * @param name tells it from others, and is what it is dropped by
   * @param samples an entity, a class of entities, `{ entity, where }`, a query builder, or an array of those: it is
   * dropped when they change. `null`: it is kept for `options.timeout`
   * @param render makes it; what it gives is kept as it is, so that it is to be output without escaping
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
 * Makes the function that serves fragments of pages, for any engine that can wait.
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
