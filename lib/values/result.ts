import { type Comparable, canonicalDecimal } from './comparable.js';
import { WHOLE_MINUTES_SINCE } from './parameter.js';

/** The lowest and highest possible value, both included. */
export type Bounds = readonly [low: string, high: string];

/**
 * Bounds of the stored value behind a value in a result: `null` for NULL, and `undefined` if there are no certain
 * bounds. A Date has milliseconds, the database microseconds.
 */
export function canonicalOfResult(kind: Comparable, value: unknown): Bounds | null | undefined {
  if (value === null) {
    return null;
  }
  const canonical = exactly(kind, value);
  if (canonical !== undefined) {
    return [canonical, canonical];
  }
  // earlier dates may be read in time zones whose offsets have seconds
  if (kind === 'instant' && value instanceof Date && value.getTime() >= WHOLE_MINUTES_SINCE) {
    const microseconds = BigInt(value.getTime()) * 1000n;
    return [String(microseconds - 1000n), String(microseconds + 1000n)];
  }
  return undefined;
}

const NUMBER = /^-?\d+(?:\.\d+)?$/;
const DATE = /^(?:\d{4,}-\d\d-\d\d(?: BC)?|-?infinity)$/;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

function exactly(kind: Comparable, value: unknown): string | undefined {
  switch (kind) {
    case 'boolean':
      return typeof value === 'boolean' ? String(value) : undefined;
    case 'integer':
      return typeof value === 'number'
        ? Number.isSafeInteger(value)
          ? String(value)
          : undefined
        : typeof value === 'bigint'
          ? String(value)
          : typeof value === 'string' && /^-?\d+$/.test(value)
            ? value
            : undefined;
    case 'decimal':
      // not a number: it may have lost digits
      return typeof value === 'string' && NUMBER.test(value) ? canonicalDecimal(value) : undefined;
    case 'text':
      return typeof value === 'string' ? value : undefined;
    case 'padded':
      return typeof value === 'string' ? value.replace(/ +$/, '') : undefined;
    case 'date':
      // other values of DateStyle give other forms
      return typeof value === 'string' && DATE.test(value) ? value : undefined;
    case 'uuid':
      return typeof value === 'string' && UUID.test(value) ? value : undefined;
    default:
      return undefined;
  }
}
