import type { ResultBounds } from '../../query/row_deltas.js';
import { exactPacker } from '../../values/packer.js';

/*
 * Encodes results of the driver (rows in database form, or a count) as bytes.
 *
 * They are encoded before the caller gets the rows, and decoded again for each hit, because hydration keeps and changes
 * parts of rows.
 */

/**
 * Never throws, because the caller must get the result that the database has given.
 *
 * @param bounds read only when the entry is revalidated
 * @returns `undefined` if decoding would not restore the result exactly
 */
export function encodeResult(result: unknown, bounds?: ResultBounds): Uint8Array | undefined {
  try {
    const encoded = isStorable(result, 0) ? exactPacker.pack(result) : undefined;
    return encoded && bounds ? withBounds(encoded, bounds) : encoded;
  } catch {
    return undefined; // it is too large, or an object's own methods fail
  }
}

/** @throws an error of `msgpackr`, on other bytes */
export function decodeResult(payload: Uint8Array): unknown {
  return exactPacker.unpack(resultOf(payload));
}

/** The encoded result without its bounds. */
export function resultOf(payload: Uint8Array): Uint8Array {
  return payload[0] === BOUNDED ? payload.subarray(RESULT_AT, boundsAt(payload)) : payload;
}

/** The bounds of the result. */
export function decodeBounds(payload: Uint8Array): ResultBounds {
  return payload[0] === BOUNDED ? exactPacker.unpack(payload.subarray(boundsAt(payload))) : [];
}

/*
 * A payload is a result, or
 *
 *   0  a byte that no result begins with
 *   1  length of the result
 *   5  the result, then the bounds
 */
const BOUNDED = 0xc1;
const RESULT_AT = 5;

/** @param result its first byte must not be {@link BOUNDED} */
export function withBounds(result: Uint8Array, bounds: ResultBounds): Uint8Array {
  const encoded = exactPacker.pack(bounds);
  const payload = Buffer.allocUnsafe(RESULT_AT + result.length + encoded.length);
  payload[0] = BOUNDED;
  payload.writeUInt32LE(result.length, 1);
  payload.set(result, RESULT_AT);
  payload.set(encoded, RESULT_AT + result.length);
  return payload;
}

function boundsAt(payload: Uint8Array): number {
  return RESULT_AT + new DataView(payload.buffer, payload.byteOffset).getUint32(1, true);
}

const MAX_DEPTH = 64;

function isStorable(value: unknown, depth: number): boolean {
  switch (typeof value) {
    case 'number':
      return !Object.is(value, -0); // it would come back as 0
    case 'string':
      return value.isWellFormed(); // a lone surrogate, which json may contain, has no UTF-8
    case 'boolean':
    case 'undefined':
    case 'bigint':
      return true;
    case 'object':
      return value === null || (depth < MAX_DEPTH && isStorableObject(value, depth));
    default:
      return false;
  }
}

/** Keys that json may have, and that the encoder would confuse with members of every object. */
const TAKEN_FOR_METHODS: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'toJSON']);

function isStorableObject(value: object, depth: number): boolean {
  if (Array.isArray(value)) {
    return value.every(item => isStorable(item, depth + 1));
  }
  const prototype = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) {
    for (const key in value) {
      if (
        TAKEN_FOR_METHODS.has(key) ||
        !key.isWellFormed() ||
        !isStorable((value as Record<string, unknown>)[key], depth + 1)
      ) {
        return false;
      }
    }
    // properties that are not enumerable would be lost: the class of a row in an inheritance hierarchy, for example
    return Reflect.ownKeys(value).length === Object.keys(value).length;
  }
  return prototype === Date.prototype || prototype === Buffer.prototype;
}
