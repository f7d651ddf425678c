import { type IncomingMessage, type ServerResponse, STATUS_CODES } from 'node:http';
import { type HeaderFields, normaliseFields } from '../views/fields.js';
import type { Head } from '../views/view.js';

type AnyFunction = (...args: any[]) => any;

/**
 * Resolves with the head of a response as it is sent, or with `undefined` if the connection ends before.
 */
export function headOf(response: ServerResponse): Promise<Head | undefined> {
  const { promise, resolve } = Promise.withResolvers<Head | undefined>();
  const writeHead = response.writeHead as AnyFunction;
  response.once('close', () => resolve(undefined));
  // other middleware may replace writeHead() as well, before or after this
  response.writeHead = ((...args: unknown[]) => {
    const result = writeHead.apply(response, args);
    if (response.headersSent) {
      resolve(sentHead(response));
    }
    return result;
  }) as never;
  return promise;
}

/** The head of a response that has been sent. */
export function sentHead(response: ServerResponse): Head {
  // HTTP/1: parses the sent text, because getHeaders() lacks some fields that were given to writeHead()
  const { _header: text } = response as unknown as { _header?: unknown };
  const fields = typeof text === 'string' ? parse(text) : fieldsOf(response);
  return { status: response.statusCode, fields };
}

function parse(head: string): HeaderFields {
  const fields: Record<string, string | string[]> = {};
  for (const line of head.split('\r\n').slice(1)) {
    const colon = line.indexOf(':');
    if (colon > 0) {
      const name = line.slice(0, colon).toLowerCase();
      const value = line.slice(colon + 1).trim();
      fields[name] = fields[name] === undefined ? value : [fields[name], value].flat();
    }
  }
  return fields;
}

export function fieldsOf(response: ServerResponse): HeaderFields {
  return normaliseFields(response.getHeaders());
}

/** Replaces all fields of a response. */
export function replaceFields(response: ServerResponse, fields: HeaderFields): void {
  const present = fieldsOf(response);
  for (const name of Object.keys(present)) {
    if (fields[name] === undefined) {
      response.removeHeader(name);
    }
  }
  for (const [name, value] of Object.entries(fields)) {
    if (value !== present[name]) {
      response.setHeader(name, value);
    }
  }
}

/** HTTP/2 has no status message, and warns if it is read. */
function hasMessage({ req }: ServerResponse): boolean {
  return ((req as IncomingMessage | undefined)?.httpVersionMajor ?? 1) < 2;
}

/** The status message, if it is not the default. */
export function messageOf(response: ServerResponse, status = response.statusCode): string | undefined {
  const message = hasMessage(response) ? response.statusMessage : undefined;
  return message === STATUS_CODES[status] || message === '' ? undefined : message;
}

export function setMessage(response: ServerResponse, message: string | undefined): void {
  if (hasMessage(response)) {
    response.statusMessage = message as string;
  }
}
