import type { IncomingMessage, OutgoingHttpHeader, ServerResponse } from 'node:http';
import type { Answer, StoredAnswer } from '../views/answer.js';
import type { Decision, HandlerResponse, Head } from '../views/view.js';
import { fieldsOf, messageOf, replaceFields, sentHead, setMessage } from './head.js';

type AnyFunction = (...args: any[]) => any;

/** Decides what to send and store: see `ViewRun`. */
export interface StoragePolicy {
  decide(given: HandlerResponse): Decision;
  confirm(decision: Decision, head: Head | undefined): StoredAnswer | undefined;
}

/**
 * Buffers a response until it is complete, applies the policy, and sends it.
 *
 * A response that is written in pieces is passed through immediately, because it may never end.
 *
 * Resolves with the response to store: when the head was sent, when the response was passed through, or when the client
 * has gone.
 */
export function capture(
  request: IncomingMessage,
  response: ServerResponse,
  policy: StoragePolicy,
): Promise<StoredAnswer | undefined> {
  const { promise, resolve } = Promise.withResolvers<StoredAnswer | undefined>();
  const showConditions = hideConditions(request);
  const write = response.write as AnyFunction;
  const end = response.end as AnyFunction;
  const writeHead = response.writeHead as AnyFunction;
  const flushHeaders = response.flushHeaders as AnyFunction;
  const addTrailers = response.addTrailers as AnyFunction;
  let isFinished = false;
  let decision: Decision | undefined;

  const finish = () => {
    isFinished = true;
    showConditions();
    if (!decision?.keep) {
      resolve(undefined);
    }
  };
  response.once('close', () => {
    finish();
    resolve(decision && policy.confirm(decision, undefined));
  });

  // the replaced methods are never restored, because other middleware may have wrapped them; they pass everything
  // through
  response.writeHead = ((status: number, ...rest: any[]) => {
    if (isFinished) {
      const result = writeHead.call(response, status, ...rest);
      if (decision && response.headersSent) {
        resolve(policy.confirm(decision, sentHead(response)));
      }
      return result;
    }
    response.statusCode = status;
    if (typeof rest[0] === 'string') {
      setMessage(response, rest.shift());
    }
    setFields(response, rest[0]);
    return response;
  }) as never;

  for (const [name, original] of [
    ['write', write],
    ['flushHeaders', flushHeaders],
    ['addTrailers', addTrailers],
  ] as const) {
    response[name] = ((...args: any[]) => {
      if (!isFinished) {
        finish();
      }
      return original.apply(response, args);
    }) as never;
  }

  response.end = ((...args: any[]) => {
    if (isFinished) {
      return end.apply(response, args);
    }
    const callback = args.find(arg => typeof arg === 'function');
    const body = bytesOf(args[0], args[1]);
    const fields = fieldsOf(response);
    const length = fields['content-length'];
    // an invalid body or a wrong content-length: the original method throws the error
    if (!body || (length !== undefined && request.method === 'GET' && length !== String(body.byteLength))) {
      finish();
      return end.apply(response, args);
    }
    const status = response.statusCode;
    decision = policy.decide({ status, message: messageOf(response), fields, body });
    finish();
    sendAnswer(response, decision.send, callback, end);
    return response;
  }) as never;
  return promise;
}

/** Sends a response with exactly these fields. */
export function sendAnswer(
  response: ServerResponse,
  { status, message, headers, body }: Answer,
  callback?: AnyFunction,
  end: AnyFunction = response.end,
): void {
  response.statusCode = status;
  setMessage(response, message);
  replaceFields(response, headers);
  end.call(response, ...(body.byteLength > 0 ? [body] : []), ...(callback ? [callback] : []));
}

/**
 * Hides conditional fields from the handler, so that it sends a whole response and not a 304. Returns a function that
 * restores them.
 */
export function hideConditions({ headers }: { headers: Record<string, unknown> }): () => void {
  const hidden = CONDITIONS.filter(name => name in headers).map(name => [name, headers[name]]);
  for (const name of CONDITIONS) {
    delete headers[name];
  }
  return () => Object.assign(headers, Object.fromEntries(hidden));
}

const CONDITIONS = ['if-none-match', 'if-modified-since'];

/** @param fields an argument of `writeHead()`: an object, pairs, or alternating names and values */
function setFields(response: ServerResponse, fields: unknown): void {
  if (Array.isArray(fields)) {
    const flat = fields.flat() as [string, OutgoingHttpHeader];
    for (let i = 0; i + 1 < flat.length; i += 2) {
      response.appendHeader(flat[i] as string, flat[i + 1] as string);
    }
  } else {
    for (const [name, value] of Object.entries(fields ?? {})) {
      if (value !== undefined) {
        response.setHeader(name, value as never);
      }
    }
  }
}

function bytesOf(chunk: unknown, encoding: unknown): Uint8Array | undefined {
  if (typeof chunk === 'string') {
    return Buffer.from(chunk, typeof encoding === 'string' ? (encoding as BufferEncoding) : 'utf8');
  }
  if (chunk === undefined || chunk === null || typeof chunk === 'function') {
    return new Uint8Array();
  }
  return chunk instanceof Uint8Array ? chunk : undefined;
}
