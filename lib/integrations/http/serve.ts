import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TLSSocket } from 'node:tls';
import { type Address, hasMore } from '../views/address.js';
import type { HeaderFields } from '../views/fields.js';
import type { Place } from '../views/place.js';
import type { RequestFields } from '../views/request_fields.js';
import type { View, ViewRequest } from '../views/view.js';
import { capture, sendAnswer } from './capture.js';
import { fieldsOf } from './head.js';

/**
 * Sends the stored response of a view, or runs its handler and stores the response.
 *
 * @param handler its exceptions are passed on
 */
export async function serveView<R>(
  view: View<R>,
  viewRequest: ViewRequest<R>,
  request: IncomingMessage,
  response: ServerResponse,
  handler: () => unknown,
): Promise<void> {
  const viewRun = response.headersSent ? undefined : view.begin(viewRequest);
  if (!viewRun) {
    await handler();
    return;
  }
  const stored = await viewRun.serve(async () => {
    if (viewRequest.method === 'HEAD') {
      await handler(); // a response without a body is not stored
      return undefined;
    }
    const kept = capture(request, response, viewRun);
    const failed = new Promise<never>((_, reject) => {
      (async () => handler())().catch(reject);
    });
    return Promise.race([kept, failed]);
  });
  if (stored && !response.headersSent) {
    sendAnswer(response, viewRun.respondWith(stored, fieldsOf(response)));
  }
}

/** As the server sees it. Frameworks that know their proxies use their own. */
export function addressOf({ headers, socket, url = '/' }: IncomingMessage): Address {
  return {
    scheme: (socket as TLSSocket).encrypted ? 'https' : 'http',
    host: headers.host ?? (headers[':authority'] as string | undefined) ?? '',
    target: url,
    routed: url,
  };
}

/** What the requests of Express and Fastify, and the context of Koa, have in common. */
interface FrameworkRequest {
  readonly method: string;
  readonly headers: RequestFields;
  readonly protocol: string;
  readonly host: string | undefined;
  readonly originalUrl: string;
  readonly url: string;
  /** of Express: the part of the path that has led to the router */
  readonly baseUrl?: string;
}

/** @param body as a parser has left it */
export function describeRequest<R extends FrameworkRequest>(
  request: R,
  raw: IncomingMessage,
  body: unknown,
  present: HeaderFields,
  place: Place | undefined,
): ViewRequest<R> {
  const { method, headers, protocol, host, originalUrl, url, baseUrl = '' } = request;
  return {
    method,
    headers: { ...headers },
    address: { scheme: protocol, host: host ?? '', target: originalUrl, routed: baseUrl + url },
    hasMore: hasMore(raw, body),
    present,
    place,
    request,
  };
}
