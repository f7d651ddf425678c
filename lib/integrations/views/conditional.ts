import { hash } from 'node:crypto';
import fresh from 'fresh';
import type { Answer, StoredAnswer } from './answer.js';
import { applyChanges, fieldOf, type HeaderFields, union } from './fields.js';

/** The parts of a request that conditional responses depend on. */
export interface Asked {
  readonly method: string;
  /** names in lower case */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** Fields about a body, which a 304 does not have. */
const OF_THE_BODY = new Set([
  'content-type',
  'content-length',
  'content-encoding',
  'content-language',
  'content-range',
  'transfer-encoding',
]);

/**
 * The fields of a cacheable response, as sent to clients: `no-cache` makes browsers and proxies ask again, because
 * invalidations do not reach them, unless the application sets `Cache-Control` or `Expires`.
 *
 * @param vary names of the request's fields that are in the key by the option `vary`
 */
export function published(fields: HeaderFields, vary: ReadonlySet<string>): HeaderFields {
  return {
    ...fields,
    ...(fields['cache-control'] === undefined &&
      fields.expires === undefined && { 'cache-control': 'no-cache' }),
    ...(vary.size > 0 && { vary: union(fieldOf(fields, 'vary'), [...vary].join()) }),
  };
}

/** Weak, because middleware outside of the view may still compress the body. */
export function etagOf(fields: HeaderFields, body: Uint8Array): string {
  const what = [fields['content-type'], fields['content-encoding'], fields['content-language']];
  const digest = hash('sha256', Buffer.concat([Buffer.from(`${JSON.stringify(what)}\n`), body]), 'base64url');
  return `W/"${digest.slice(0, 27)}"`;
}

/** The response for this request: without a body for HEAD, and 304 if the client has the same response. */
export function answerFor(asked: Asked, answer: Answer): Answer {
  if (answer.status === 200 && isFresh(asked, answer.headers)) {
    const kept = Object.entries(answer.headers).filter(([name]) => !OF_THE_BODY.has(name));
    return { status: 304, message: undefined, headers: Object.fromEntries(kept), body: NOTHING };
  }
  const { 'transfer-encoding': _, ...fields } = answer.headers;
  const bodiless = answer.status === 204 || answer.status === 304;
  const headers = bodiless ? fields : { ...fields, 'content-length': String(answer.body.byteLength) };
  return { ...answer, headers, body: asked.method === 'HEAD' ? NOTHING : answer.body };
}

const NOTHING = new Uint8Array();

/**
 * The fields of a stored response applied to those of this response, with an `Age`, because `max-age` counts from the
 * creation.
 */
export function fieldsNow({ changes, made }: StoredAnswer, present: HeaderFields, now: number): HeaderFields {
  const resident = Math.max(0, Math.floor((now - made) / 1000));
  const before = Number(fieldOf(changes.set, 'age') ?? 0);
  return {
    ...applyChanges(present, changes),
    date: changes.set.date ?? new Date(made).toUTCString(),
    age: String(resident + (Number.isSafeInteger(before) && before > 0 ? before : 0)),
  };
}

function isFresh({ method, headers }: Asked, answer: HeaderFields): boolean {
  return (
    (method === 'GET' || method === 'HEAD') &&
    fresh(headers as never, {
      etag: fieldOf(answer, 'etag'),
      'last-modified': fieldOf(answer, 'last-modified'),
    })
  );
}
