import type { HeaderFields } from './answer.js';
import { fieldOf, itemsOf } from './fields.js';

/** Those which a cache may keep without being told how long (RFC 9110, 15.1), but for partial and failed ones. */
const STATUSES = new Set([200, 203, 204, 300, 301, 308, 404, 410]);

/** What an answer has to be for `whyNotStored()`. */
interface Candidate {
  readonly status: number;
  /** what the view has added */
  readonly headers: HeaderFields;
}

/**
 * Why an answer must not be given to anybody else, if it must not.
 *
 * @param vary names of the request's fields that are in the key
 */
export function whyNotStored({ status, headers }: Candidate, vary: ReadonlySet<string>): string | undefined {
  if (!STATUSES.has(status)) {
    return `status ${status}`;
  }
  if (headers['set-cookie'] !== undefined) {
    return 'Set-Cookie';
  }
  // Cache-Control: private="field" counts as private, too
  const forbidden = itemsOf(fieldOf(headers, 'cache-control')).find(item =>
    /^(private|no-store)\b/.test(item),
  );
  if (forbidden) {
    return `Cache-Control: ${forbidden}`;
  }
  if (headers['content-range'] !== undefined) {
    return 'Content-Range';
  }
  const varying = itemsOf(fieldOf(headers, 'vary')).find(item => !vary.has(item));
  if (varying) {
    return `Vary: ${varying}`;
  }
  // encoded for one client's sake, but nothing says so
  if (headers['content-encoding'] !== undefined && !vary.has('accept-encoding')) {
    return 'Content-Encoding';
  }
  return undefined;
}
