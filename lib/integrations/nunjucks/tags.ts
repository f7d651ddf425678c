import type { EntityManager, MikroORM } from '@mikro-orm/core';
import type { Environment } from 'nunjucks';
import { checkKeys, show } from '../../config/check.js';
import { CacheopsError } from '../../config/error.js';
import type { Samples } from '../answers.js';
import { type FragmentOptions, Fragments } from '../templates/fragments.js';
import { checkArguments, checkSample, type TagArguments } from './arguments.js';
import { BlockTag } from './block_tag.js';
import { addEnvironment, environmentKey } from './environment.js';
import { RandomTag } from './random_tag.js';

/**
 * Returns the sample and options of your own tag from its arguments in a template.
 *
 * @param args positional arguments; named ones follow as one object
 */
export type CachedTag = (...args: any[]) => FragmentOptions & { sample?: Samples<[]>; name?: string };

export interface CachedTagsOptions {
  /**
   * The ORM whose cache is used. Default: the ORM of the current `RequestContext`, or else the only one with a cache
   */
  orm?: MikroORM<any> | EntityManager;
  /**
   * Tags of your own, by name.
   *
   * @example
   * ```ts
   * tags: { cachedMenu: (name: string) => ({ sample: { entity: Menu, where: { name } }, extra: name }) }
   * // {% cachedMenu 'main' %}…{% endcachedMenu %}
   * ```
   */
  tags?: Readonly<Record<string, CachedTag>>;
}

export interface CachedTags {
  /** Drops the fragments with this name, which is the option `name`, or the name of their template. */
  invalidate(name: string): Promise<void>;
}

const OPTIONS = ['timeout', 'extra', 'name'];

/**
 * Adds tags to Nunjucks that cache their body.
 *
 * ```ts
 * addCachedTags(env, { orm });
 * ```
 * ```html
 * {% cachedAs Article, timeout=60, extra=user.role %} … {% endcachedAs %}
 * {% cached timeout=60, extra=lang %} … {% endcached %}
 * {% cachedRandom 3, article in articles, extra=lang %} <li>{{ article.title }}</li> {% endcachedRandom %}
 * ```
 *
 * The key of a fragment contains its template's name and text, its position, its samples and `extra`. Everything else
 * that it reads of the context belongs in `extra`. Templates must be rendered with a callback, because the cache is
 * asynchronous.
 *
 * @throws CacheopsError if an option is wrong
 */
export function addCachedTags(env: Environment, options: CachedTagsOptions = {}): CachedTags {
  checkKeys(options as unknown, ['orm', 'tags'], 'addCachedTags()');
  const { orm, tags = {} } = options;
  const fragments = new Fragments(orm);

  const environment = () => environmentKey(env, isOwnTag);
  addEnvironment(env);

  add(env, new BlockTag('cachedAs', fragments, environment, given => samplesTag(given)));
  add(env, new BlockTag('cached', fragments, environment, given => timedTag(given)));
  add(env, new RandomTag('cachedRandom', fragments, environment));
  for (const [tag, describe] of Object.entries(tags)) {
    if (!/^[a-z_]\w*$/i.test(tag) || env.hasExtension(`cacheops.${tag}`) || typeof describe !== 'function') {
      throw new CacheopsError(
        `addCachedTags(): tags: ${tag}: ${show(describe)}. Give a function, under a name that no other tag has.`,
      );
    }
    add(
      env,
      new BlockTag(tag, fragments, environment, ({ positional, named }) =>
        ownTag(tag, describe, positional, named),
      ),
    );
  }
  return { invalidate: name => fragments.invalidate(name) };
}

function isOwnTag(extension: object): boolean {
  return extension instanceof BlockTag || extension instanceof RandomTag;
}

function add(env: Environment, tag: BlockTag | RandomTag): void {
  env.addExtension(`cacheops.${tag.tag}`, tag as never);
}

function samplesTag(given: TagArguments) {
  checkArguments('cachedAs', given, [1, 1], OPTIONS);
  const [samples] = given.positional as [Samples<[]>];
  checkSample('cachedAs', samples);
  return { ...(given.named as FragmentOptions & { name?: string }), samples };
}

function timedTag(given: TagArguments) {
  checkArguments('cached', given, [0, 0], OPTIONS);
  return given.named as FragmentOptions & { name?: string };
}

function ownTag(tag: string, describe: CachedTag, positional: readonly unknown[], named: object) {
  const isNamed = Object.keys(named).length > 0;
  const described = describe(...positional, ...(isNamed ? [named] : []));
  checkKeys(described as unknown, ['sample', ...OPTIONS], `{% ${tag} %}`);
  const { sample, ...rest } = described;
  if ('sample' in described) {
    checkSample(tag, sample);
  }
  return { ...rest, samples: sample };
}
