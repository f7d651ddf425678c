import { hash } from 'node:crypto';
import fresh from 'fresh';
import type { Answer, HeaderFields, StoredAnswer } from './answer.js';
import { fieldOf, mergeFields } from './fields.js';

/** What a request says about itself, as far as answers depend on it. */
export interface Asked {
  readonly method: string;
  /** names in lower case */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/** Fields that tell of a body, which a 304 does not have. */
const OF_THE_BODY = new Set([
  'content-type',
  'content-length',
  'content-encoding',
  'content-language',
  'content-range',
  'transfer-encoding',
]);

/**
 * An answer that may be kept, as everybody gets it: with a validator, and with word for browsers and proxies that they
 * must ask again. They hear of no invalidation; whoever knows how long an answer is good sets `Cache-Control`.
 *
 * @param vary names of the request's fields that are in the key
 */
export function published(answer: Answer, vary: ReadonlySet<string>): Answer {
  const added: Record<string, string> = {};
  if (answer.headers['cache-control'] === undefined && answer.headers.expires === undefined) {
    added['cache-control'] = 'no-cache';
  }
  if (answer.headers.etag === undefined && answer.status === 200) {
    added.etag = etagOf(answer);
  }
  if (vary.size > 0) {
    added.vary = [...vary].join(', ');
  }
  return { ...answer, headers: mergeFields(answer.headers, added) };
}

/** Weak, because what is outside of the view may still compress it. */
function etagOf({ headers, body }: Answer): string {
  const what = [headers['content-type'], headers['content-encoding'], headers['content-language']];
  const digest = hash('sha256', Buffer.concat([Buffer.from(`${JSON.stringify(what)}\n`), body]), 'base64url');
  return `W/"${digest.slice(0, 27)}"`;
}

/** An answer as this request gets it: without a body if it was HEAD, and 304 if its sender has it already. */
export function answerFor(asked: Asked, answer: Answer): Answer {
  if (answer.status === 200 && isFresh(asked, answer.headers)) {
    const kept = Object.entries(answer.headers).filter(([name]) => !OF_THE_BODY.has(name));
    return { status: 304, headers: Object.fromEntries(kept), body: NOTHING };
  }
  const bodiless = answer.status === 204 || answer.status === 304;
  const headers = bodiless
    ? answer.headers
    : { ...answer.headers, 'content-length': String(answer.body.byteLength) };
  return { status: answer.status, headers, body: asked.method === 'HEAD' ? NOTHING : answer.body };
}

const NOTHING = new Uint8Array();

/** A kept answer, with its age: whoever was told how long it is good counts from when it was made. */
export function aged({ made, ...answer }: StoredAnswer, now: number): Answer {
  const age = Math.max(0, Math.floor((now - made) / 1000));
  const headers = { ...answer.headers, date: new Date(made).toUTCString(), age: String(age) };
  return { ...answer, headers };
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
