import type { IncomingMessage, OutgoingHttpHeader, ServerResponse } from 'node:http';
import type { Answer, HeaderFields } from '../views/answer.js';
import { addedFields, mergeFields, normaliseFields } from '../views/fields.js';
import type { Decision } from '../views/view.js';

type AnyFunction = (...args: any[]) => any;

/**
 * Holds back what is written to a response until it is whole, has somebody decide about it, and sends it.
 *
 * An answer in pieces is let through as it comes: it may never end.
 *
 * Resolves with what to keep: when the answer was sent, was let through, or when the client has gone.
 *
 * @param before the fields that were there before the handler ran; default: those of the response
 */
export function capture(
  request: IncomingMessage,
  response: ServerResponse,
  decide: (answer: Answer) => Decision,
  before: HeaderFields = fieldsOf(response),
): Promise<Answer | undefined> {
  const { promise, resolve } = Promise.withResolvers<Answer | undefined>();
  const showConditions = hideConditions(request);
  const write = response.write as AnyFunction;
  const end = response.end as AnyFunction;
  const writeHead = response.writeHead as AnyFunction;
  const flushHeaders = response.flushHeaders as AnyFunction;
  let isOver = false;

  const over = (kept?: Answer) => {
    isOver = true;
    showConditions();
    resolve(kept);
  };
  response.once('close', () => over());

  // what other middleware has put over these stays in place: they are not taken away, but let everything pass
  response.writeHead = ((status: number, ...rest: any[]) => {
    if (isOver) {
      return writeHead.call(response, status, ...rest);
    }
    response.statusCode = status;
    if (typeof rest[0] === 'string') {
      response.statusMessage = rest.shift();
    }
    setFields(response, rest[0]);
    return response;
  }) as never;

  for (const [name, original] of [
    ['write', write],
    ['flushHeaders', flushHeaders],
  ] as const) {
    response[name] = ((...args: any[]) => {
      if (!isOver) {
        over();
      }
      return original.apply(response, args);
    }) as never;
  }

  response.end = ((...args: any[]) => {
    if (isOver) {
      return end.apply(response, args);
    }
    const callback = args.find(arg => typeof arg === 'function');
    const body = bytesOf(args[0], args[1]);
    // of another type: the original says what is wrong with it
    if (!body || response.hasHeader('trailer')) {
      over();
      return end.apply(response, args);
    }
    const after = fieldsOf(response);
    const given = { status: response.statusCode, headers: addedFields(before, after), body };
    const { send: sent, keep } = decide(given);
    isOver = true;
    if (sent.status !== given.status) {
      response.statusMessage = undefined as never;
    }
    for (const name of Object.keys(given.headers)) {
      if (sent.headers[name] === undefined) {
        response.removeHeader(name);
      }
    }
    sendAnswer(response, sent, callback, end);
    // a session's cookie is set by whoever waits for the moment when the head is written
    const cookie = addedFields(before, fieldsOf(response))['set-cookie'] !== undefined;
    over(cookie ? undefined : keep);
    return response;
  }) as never;
  return promise;
}

/** Sends an answer over a response that has perhaps some fields already. */
export function sendAnswer(
  response: ServerResponse,
  { status, headers, body }: Answer,
  callback?: AnyFunction,
  end: AnyFunction = response.end,
): void {
  response.statusCode = status;
  response.removeHeader('transfer-encoding');
  if (headers['content-length'] === undefined) {
    response.removeHeader('content-length');
  }
  const present = fieldsOf(response);
  for (const [name, value] of Object.entries(mergeFields(present, headers))) {
    if (value !== present[name]) {
      response.setHeader(name, value);
    }
  }
  end.call(response, ...(body.byteLength > 0 ? [body] : []), ...(callback ? [callback] : []));
}

/**
 * A handler that answers 304 would leave nothing to keep: it answers as if asked for the first time, and the
 * conditions are looked at afterwards.
 */
export function hideConditions({ headers }: { headers: Record<string, unknown> }): () => void {
  const hidden = CONDITIONS.filter(name => name in headers).map(name => [name, headers[name]]);
  for (const name of CONDITIONS) {
    delete headers[name];
  }
  return () => Object.assign(headers, Object.fromEntries(hidden));
}

const CONDITIONS = ['if-none-match', 'if-modified-since'];

function fieldsOf(response: ServerResponse): HeaderFields {
  return normaliseFields(response.getHeaders());
}

/** As `writeHead()` takes them: an object, pairs, or names and values in turn. */
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
