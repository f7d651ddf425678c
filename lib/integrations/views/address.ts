import type { TLSSocket } from 'node:tls';
import { CacheopsError } from '../../config/error.js';
import { fieldsInKey, type RequestFields } from './request_fields.js';

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
export function addressKey({ scheme, host, target }: Address, headers: RequestFields): readonly unknown[] {
  return [scheme.toLowerCase(), host.toLowerCase(), target, ...fieldsInKey(headers)];
}

/** A request as `node:http` has it, over HTTP/1 or HTTP/2. */
interface Incoming {
  readonly headers: RequestFields;
  readonly stream?: { readonly endAfterHeaders?: boolean };
  readonly socket?: object;
}

/**
 * Has a request what a handler may read, and the key knows nothing of: a body, or a certificate of the client?
 *
 * @param parsed what a parser has made of the body, if there was one
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

/** Handlers may look at one that no authority has signed, too. */
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
