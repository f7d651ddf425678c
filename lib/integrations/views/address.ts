import { CacheopsError } from '../../config/index.js';

/** Where a request went. */
export interface Address {
  readonly scheme: string;
  /** with its port, if one was given */
  readonly host: string;
  /** path and query as they were sent */
  readonly target: string;
}

/**
 * Tells addresses apart. Only scheme and host are put in order: of two paths or queries that are written differently,
 * nobody but the application knows whether they mean the same.
 */
export function addressKey({ scheme, host, target }: Address): readonly string[] {
  return [scheme.toLowerCase(), host.toLowerCase(), target];
}

/** What answers can be dropped by: path and query, on whatever host. Different targets may share one. */
export function targetName(target: string): string {
  // absolute as a proxy sends it, or with two slashes in front: both would be read as hosts
  const path = target.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, '').replace(/^(?!\/)|^\/+/, '/');
  try {
    const { pathname, search } = new URL(`http://host${path}`);
    return pathname + search;
  } catch {
    return path;
  }
}

/** @throws CacheopsError if it is neither an absolute URL nor a path */
export function targetOfUrl(url: string | URL): string {
  const text = String(url);
  if (!/^(\/|https?:\/\/)/i.test(text)) {
    throw new CacheopsError(
      `invalidate(): '${text}' is no URL. Give an absolute one, or a path: '/articles?page=2'.`,
    );
  }
  return targetName(text);
}
