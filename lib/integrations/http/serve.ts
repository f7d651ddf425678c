import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TLSSocket } from 'node:tls';
import type { Address } from '../views/address.js';
import type { View, Visit } from '../views/view.js';
import { capture, sendAnswer } from './capture.js';
import { fieldsOf } from './head.js';

/**
 * Sends the answer that a view keeps, or has its handler run and keeps what it answers.
 *
 * @param handler what it throws, or rejects with, comes through
 */
export async function serveView<R>(
  view: View<R>,
  visit: Visit<R>,
  request: IncomingMessage,
  response: ServerResponse,
  handler: () => unknown,
): Promise<void> {
  const entered = response.headersSent ? undefined : view.enter(visit);
  if (!entered) {
    await handler();
    return;
  }
  const stored = await entered.serve(async () => {
    if (visit.method === 'HEAD') {
      await handler(); // without a body there is nothing to keep
      return undefined;
    }
    const kept = capture(request, response, entered);
    const failed = new Promise<never>((_, reject) => {
      (async () => handler())().catch(reject);
    });
    return Promise.race([kept, failed]);
  });
  if (stored && !response.headersSent) {
    sendAnswer(response, entered.over(stored, fieldsOf(response)));
  }
}

/** As the server itself sees it: behind a proxy, a framework that knows the proxy knows better. */
export function addressOf({ headers, socket, url = '/' }: IncomingMessage): Address {
  return {
    scheme: (socket as TLSSocket).encrypted ? 'https' : 'http',
    host: headers.host ?? (headers[':authority'] as string | undefined) ?? '',
    target: url,
  };
}
