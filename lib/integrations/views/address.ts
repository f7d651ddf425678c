import { CacheopsError } from '../../config/index.js';

/** Where a request went. */
export interface Address {
  readonly scheme: string;
  /** with its port, if one was given */
  readonly host: string;
  /** path and query as they were sent */
  readonly target: string;
}

/** By what else than its target servers, proxies and frameworks choose the handler of a request, or make links. */
const CHOOSING = [
  'host',
  ':authority',
  ':scheme',
  'x-forwarded-host',
  'x-forwarded-port',
  'x-forwarded-prefix',
  'x-forwarded-proto',
  'x-original-url',
  'x-rewrite-url',
  'x-http-method-override',
  'accept-version',
];

/**
 * Tells addresses apart. Only scheme and host are put in order: of two paths or queries that are written differently,
 * nobody but the application knows whether they mean the same.
 */
export function addressKey(
  { scheme, host, target }: Address,
  headers: Readonly<Record<string, string | string[] | undefined>>,
): readonly unknown[] {
  const chosen = CHOOSING.filter(name => headers[name] !== undefined).map(name => [
    name,
    String(headers[name]).toLowerCase(),
  ]);
  const forwarded = String(headers.forwarded ?? '').match(/\b(host|proto)=("[^"]*"|[^;,]*)/gi) ?? [];
  return [scheme.toLowerCase(), host.toLowerCase(), target, chosen, forwarded];
}

/** A request as `node:http` has it, over HTTP/1 or HTTP/2. */
interface Incoming {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly stream?: { readonly endAfterHeaders?: boolean };
}

/**
 * Whether a request has a body, of which the key would know nothing.
 *
 * @param parsed what a parser has made of it, if there was one
 */
export function hasBody({ headers, stream }: Incoming, parsed?: unknown): boolean {
  return (
    (headers['content-length'] ?? '0') !== '0' ||
    headers['transfer-encoding'] !== undefined ||
    headers.expect !== undefined ||
    stream?.endAfterHeaders === false ||
    !isNothing(parsed)
  );
}

function isNothing(parsed: unknown): boolean {
  return (
    parsed === undefined ||
    parsed === null ||
    parsed === '' ||
    (typeof parsed === 'object' && Object.keys(parsed).length === 0)
  );
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
