import type { Serializer } from '../config/index.js';
import type { Guards } from '../query/steps.js';
import { findDifference } from '../values/difference.js';
import { decodeResult, encodeResult, resultOf, withGuards } from './codec.js';

/** How results of queries are written, and read again. */
export interface ResultCodec {
  /** Never throws: the database has answered by then. */
  encode(result: unknown, guards?: Guards): Uint8Array | Unstorable;
  /** @throws whatever the serializer throws */
  decode(payload: Uint8Array): unknown;
}

/** Why a result is not stored. */
export interface Unstorable {
  readonly reason: string;
}

/** @param serializer the user's; left out: the codec of this package */
export function resultCodec(serializer: Serializer | undefined): ResultCodec {
  return serializer ? new UserCodec(serializer) : OWN;
}

const OWN: ResultCodec = {
  encode: (result, guards) =>
    encodeResult(result, guards) ?? { reason: 'something that would not come back the same' },
  decode: decodeResult,
};

/*
 * A result, as the user's serializer has written it, in the place of our own:
 *
 *   0  TEXT or BYTES
 *   1  UTF-8, or bytes
 */
const TEXT = 1;
const BYTES = 2;

/**
 * Nobody knows what a serializer of the user's makes of a Date, a bigint or an absent key. So each result is read back,
 * and is stored only if it is the same.
 */
class UserCodec implements ResultCodec {
  readonly #serializer: Serializer;

  constructor(serializer: Serializer) {
    this.#serializer = serializer;
  }

  encode(result: unknown, guards?: Guards): Uint8Array | Unstorable {
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
        return { reason: `the serializer does not give it back as it was: ${difference}` };
      }
      return guards ? withGuards(written, guards) : written;
    } catch (error) {
      return { reason: `the serializer has thrown: ${error}` };
    }
  }

  decode(payload: Uint8Array): unknown {
    return this.#read(resultOf(payload));
  }

  #read(written: Uint8Array): unknown {
    // a copy: what is made of it may go on to use its bytes, and the store keeps them
    const content = Buffer.from(written.subarray(1));
    return this.#serializer.decode(written[0] === TEXT ? content.toString() : content);
  }
}
