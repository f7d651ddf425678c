import { deserialize, serialize } from 'node:v8';
import type { Serializer } from '../../config/options.js';

/** The structured clone algorithm: exact for everything that `dissect` accepts, also -0, NaN and a lone surrogate. */
export const structured: Serializer = {
  encode: value => serialize(value),
  decode: bytes => deserialize(bytes as Uint8Array),
};
