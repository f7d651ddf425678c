import type { EntityManager, MikroORM } from '@mikro-orm/core';
import { entityManagerOf, invalidateTag } from '../answers.js';
import { targetOfUrl } from './address.js';

/**
 * Drops the stored responses of a URL: of its path and query, on every host, and for every `vary` and `extra`.
 * Responses that are being created are not stored.
 *
 * ```ts
 * await invalidateView('/articles?page=2', orm);
 * ```
 *
 * @param url absolute, or a path
 * @param orm default: the ORM of the current `RequestContext`, or else the only one with a cache
 * @throws CacheopsError if it is not a URL
 */
export async function invalidateView(url: string | URL, orm?: MikroORM<any> | EntityManager): Promise<void> {
  const target = targetOfUrl(url);
  await invalidateTag(entityManagerOf(orm, 'invalidateView()'), 'url', target);
}
