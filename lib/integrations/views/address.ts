import type { TLSSocket } from 'node:tls';
import { CacheopsError } from '../../config/error.js';
import { fieldsInKey, type RequestFields } from './request_fields.js';

/** The address of a request. */
export interface Address {
  readonly scheme: string;
  /** with its port, if one was given */
  readonly host: string;
  /** path and query as they were sent */
  readonly target: string;
  /** path and query that led to the handler, which middleware may have rewritten */
  readonly routed: string;
}

/**
 * Identifies an address. Only scheme and host are normalised, because only the application knows whether two paths or
 * queries mean the same.
 */
export function addressKey(
  { scheme, host, target, routed }: Address,
  headers: RequestFields,
): readonly unknown[] {
  return [scheme.toLowerCase(), host.toLowerCase(), target, routed, ...fieldsInKey(headers)];
}

/** A request of `node:http`, over HTTP/1 or HTTP/2. */
interface Incoming {
  readonly headers: RequestFields;
  readonly stream?: { readonly endAfterHeaders?: boolean };
  readonly socket?: object;
}

/**
 * Does a request have a body or a client certificate, which a handler may read, and which are not in the key?
 *
 * @param parsed the parsed body, if there was a parser
 */
export function hasMore({ headers, stream, socket }: Incoming, parsed?: unknown): boolean {
  return (
    (headers['content-length'] ?? '0') !== '0' ||
    headers['transfer-encoding'] !== undefined ||
    headers.expect !== undefined ||
    stream?.endAfterHeaders === false ||
    !isNothing(parsed) ||
    hasCertificate(socket as Partial<TLSSocket> | undefined)
  );
}

/** Also a certificate that no authority has signed, because handlers may read it. */
function hasCertificate(socket: Partial<TLSSocket> | undefined): boolean {
  return socket?.encrypted === true && Object.keys(socket.getPeerCertificate?.() ?? {}).length > 0;
}

function isNothing(parsed: unknown): boolean {
  return (
    parsed === undefined ||
    parsed === null ||
    parsed === '' ||
    (typeof parsed === 'object' && Object.keys(parsed).length === 0)
  );
}

/** The name for invalidating responses: path and query, on any host. Several targets may share one. */
export function targetName(target: string): string {
  // removes the host of an absolute URL (of a proxy), and repeated slashes, which would be parsed as a host
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
      `invalidate(): '${text}' is not a URL. Give an absolute one, or a path: '/articles?page=2'.`,
    );
  }
  return targetName(text);
}
