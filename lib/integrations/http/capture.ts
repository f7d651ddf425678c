import type { IncomingMessage, OutgoingHttpHeader, ServerResponse } from 'node:http';
import type { Answer, StoredAnswer } from '../views/answer.js';
import type { Decision, Given, Head } from '../views/view.js';
import { fieldsOf, messageOf, replaceFields, sentHead, setMessage } from './head.js';

type AnyFunction = (...args: any[]) => any;

/** What has to be decided about an answer: see `Entered`. */
export interface Judge {
  decide(given: Given): Decision;
  confirm(decision: Decision, head: Head | undefined): StoredAnswer | undefined;
}

/**
 * Holds back what is written to a response until it is whole, has its judge decide about it, and sends it.
 *
 * An answer in pieces is let through as it comes: it may never end.
 *
 * Resolves with what to keep: when the head of the answer was sent, when the answer was let through, or when the
 * client has gone.
 */
export function capture(
  request: IncomingMessage,
  response: ServerResponse,
  judge: Judge,
): Promise<StoredAnswer | undefined> {
  const { promise, resolve } = Promise.withResolvers<StoredAnswer | undefined>();
  const showConditions = hideConditions(request);
  const write = response.write as AnyFunction;
  const end = response.end as AnyFunction;
  const writeHead = response.writeHead as AnyFunction;
  const flushHeaders = response.flushHeaders as AnyFunction;
  const addTrailers = response.addTrailers as AnyFunction;
  let isOver = false;
  let decision: Decision | undefined;

  const over = () => {
    isOver = true;
    showConditions();
    if (!decision?.keep) {
      resolve(undefined);
    }
  };
  response.once('close', () => {
    over();
    resolve(decision && judge.confirm(decision, undefined));
  });

  // what other middleware has put over these stays in place: they are not taken away, but let everything pass
  response.writeHead = ((status: number, ...rest: any[]) => {
    if (isOver) {
      const result = writeHead.call(response, status, ...rest);
      if (decision && response.headersSent) {
        resolve(judge.confirm(decision, sentHead(response)));
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
    const fields = fieldsOf(response);
    const length = fields['content-length'];
    // of another type, or of another length than announced: the original says what is wrong with it
    if (!body || (length !== undefined && request.method === 'GET' && length !== String(body.byteLength))) {
      over();
      return end.apply(response, args);
    }
    const status = response.statusCode;
    decision = judge.decide({ status, message: messageOf(response), fields, body });
    over();
    sendAnswer(response, decision.send, callback, end);
    return response;
  }) as never;
  return promise;
}

/** Sends an answer, with these fields and no others. */
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
