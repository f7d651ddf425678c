import { deserialize, serialize } from 'node:v8';
import type { Serializer } from '../../config/options.js';

/** The structured clone algorithm: exact for everything that `dissect` lets pass, also -0, NaN and half a surrogate pair. */
export const structured: Serializer = {
  encode: value => serialize(value),
  decode: bytes => deserialize(bytes as Uint8Array),
};
