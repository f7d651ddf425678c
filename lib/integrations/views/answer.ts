import { CacheopsError } from '../../config/error.js';
import { plainPacker } from '../../values/packer.js';
import type { FieldChanges, HeaderFields } from './fields.js';

/** A whole response to one request. */
export interface Answer {
  readonly status: number;
  /** if it is not the default of the status */
  readonly message: string | undefined;
  /** all fields of the response */
  readonly headers: HeaderFields;
  readonly body: Uint8Array;
}

/** A stored response: the changes that it makes to any response. */
export interface StoredAnswer {
  readonly status: number;
  readonly message: string | undefined;
  readonly changes: FieldChanges;
  readonly body: Uint8Array;
  /** when it was created, in milliseconds since 1970 by the clock of that process */
  readonly made: number;
}

/** Part of the keys, so that responses of other versions are not found. */
export const FORMAT = 2;

export function encodeAnswer({ status, message, changes, body, made }: StoredAnswer): Uint8Array {
  const { set, appended, removed } = changes;
  return plainPacker.pack([status, message ?? null, set, appended, removed, body, made]);
}

/** @throws CacheopsError if {@link encodeAnswer} cannot have written the payload */
export function decodeAnswer(payload: Uint8Array): StoredAnswer {
  const parts: unknown = plainPacker.unpack(payload);
  if (!Array.isArray(parts) || parts.length !== 7) {
    throw damaged('its parts');
  }
  const [status, message, set, appended, removed, body, made] = parts;
  if (!Number.isInteger(status) || status < 200 || status > 599) {
    throw damaged('the status');
  }
  if (message !== null && !isFieldValue(message)) {
    throw damaged('the status message');
  }
  if (!isFields(set) || !isFields(appended) || !Array.isArray(removed) || !removed.every(isFieldName)) {
    throw damaged('the fields');
  }
  if (!(body instanceof Uint8Array)) {
    throw damaged('the body');
  }
  if (!Number.isSafeInteger(made) || made < 0 || made > MAX_TIME) {
    throw damaged('the time');
  }
  return { status, message: message ?? undefined, changes: { set, appended, removed }, body, made };
}

/** The latest time of a `Date`, in milliseconds since 1970. */
const MAX_TIME = 8.64e15;

function damaged(what: string): CacheopsError {
  return new CacheopsError(`A stored response is damaged: ${what}.`);
}

function isFields(value: unknown): value is HeaderFields {
  return (
    typeof value === 'object' &&
    value !== null &&
    Object.getPrototypeOf(value) === Object.prototype &&
    Object.entries(value).every(
      ([name, field]) =>
        isFieldName(name) && (Array.isArray(field) ? field.every(isFieldValue) : isFieldValue(field)),
    )
  );
}

function isFieldName(name: unknown): name is string {
  return typeof name === 'string' && /^[\w!#$%&'*+.^`|~-]+$/.test(name) && name === name.toLowerCase();
}

function isFieldValue(value: unknown): value is string {
  return typeof value === 'string' && /^[\t\x20-\x7e\x80-\xff]*$/.test(value);
}
