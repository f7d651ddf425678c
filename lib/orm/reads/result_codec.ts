import { CacheopsError } from '../../config/error.js';
import type { Serializer } from '../../config/options.js';
import type { ResultBounds } from '../../query/row_deltas.js';
import { isPlain } from '../../query/serialise.js';
import { findDifference } from '../../values/difference.js';
import type { ReadCall } from '../planning/plan.js';
import { decodeResult, encodeResult, resultOf, withBounds } from './codec.js';

/** Encodes and decodes results of queries. */
export interface ResultCodec {
  /** Never throws, because the caller must get the result that the database has given. */
  encode(kind: ResultKind, result: unknown, bounds?: ResultBounds): Uint8Array | Unstorable;
  /** @throws CacheopsError if it is no result of this kind, or an error of the serializer */
  decode(kind: ResultKind, payload: Uint8Array): unknown;
}

/** The kind of a read decides the form of its result. */
export type ResultKind = ReadCall['kind'];

/** Why a result is not stored. */
export interface Unstorable {
  readonly reason: string;
}

/** @param serializer the user's; `undefined`: the codec of this package */
export function resultCodec(serializer: Serializer | undefined): ResultCodec {
  const codec: AnyCodec = serializer ? new UserCodec(serializer) : OWN;
  return {
    encode: (kind, result, bounds) =>
      hasForm(kind, result)
        ? codec.encode(result, bounds)
        : { reason: `it does not have the form of a ${kind}` },
    decode(kind, payload) {
      const result = codec.decode(payload);
      if (!hasForm(kind, result)) {
        throw new CacheopsError(`A stored result cannot be read: it does not have the form of a ${kind}.`);
      }
      return result;
    },
  };
}

/** Whether a result has the form of its kind. The values in rows are not checked, because a hit must be fast. */
function hasForm(kind: ResultKind, result: unknown): boolean {
  switch (kind) {
    case 'find':
    case 'rows':
      return Array.isArray(result) && result.findIndex(row => !isPlain(row)) < 0; // every() would skip holes
    case 'row':
      return result === undefined || result === null || isPlain(result);
    default:
      return Number.isSafeInteger(result) && (result as number) >= 0;
  }
}

interface AnyCodec {
  encode(result: unknown, bounds?: ResultBounds): Uint8Array | Unstorable;
  decode(payload: Uint8Array): unknown;
}

const OWN: AnyCodec = {
  encode: (result, bounds) =>
    encodeResult(result, bounds) ?? { reason: 'a value that decoding would not restore' },
  decode: decodeResult,
};

/*
 * A result that the user's serializer has encoded:
 *
 *   0  TEXT or BYTES
 *   1  UTF-8, or bytes
 */
const TEXT = 1;
const BYTES = 2;

/**
 * A user's serializer may change a Date, a bigint or an absent key. So each result is decoded again, and stored only if it
 * is equal.
 */
class UserCodec implements AnyCodec {
  readonly #serializer: Serializer;

  constructor(serializer: Serializer) {
    this.#serializer = serializer;
  }

  encode(result: unknown, bounds?: ResultBounds): Uint8Array | Unstorable {
    try {
      const encoded = this.#serializer.encode(result);
      if (typeof encoded !== 'string' && !(encoded instanceof Uint8Array)) {
        return { reason: `the serializer has given a ${typeof encoded}, and neither a string nor bytes` };
      }
      const written = Buffer.concat([
        Buffer.of(typeof encoded === 'string' ? TEXT : BYTES),
        typeof encoded === 'string' ? Buffer.from(encoded) : encoded,
      ]);
      const difference = findDifference(result, this.#read(written));
      if (difference !== undefined) {
        return { reason: `the serializer does not restore it: ${difference}` };
      }
      return bounds ? withBounds(written, bounds) : written;
    } catch (error) {
      return { reason: `the serializer has thrown: ${error}` };
    }
  }

  decode(payload: Uint8Array): unknown {
    return this.#read(resultOf(payload));
  }

  #read(written: Uint8Array): unknown {
    // a copy, because the decoded value may refer to its bytes, which belong to the store
    const content = Buffer.from(written.subarray(1));
    return this.#serializer.decode(written[0] === TEXT ? content.toString() : content);
  }
}
