import { CacheopsError } from '../../config/error.js';
import type { Serializer } from '../../config/options.js';
import { structured } from './serializer.js';
import { dissect } from './storable.js';

/** @throws CacheopsError that names the path of what cannot be stored */
export function encodeValue(value: unknown, serializer: Serializer | undefined): Uint8Array {
  const { plain } = serializer ? { plain: serializer.encode(value) } : dissect(value, () => false, 'value');
  return structured.encode(plain) as Uint8Array;
}

/** @throws CacheopsError, or an error of the serializer, if the bytes are not its own */
export function decodeValue(payload: Uint8Array, serializer: Serializer | undefined): unknown {
  const decoded = structured.decode(payload);
  if (!serializer) {
    return decoded;
  }
  if (typeof decoded !== 'string' && !(decoded instanceof Uint8Array)) {
    throw new CacheopsError('A stored value cannot be read: it is neither a string nor bytes.');
  }
  return serializer.decode(decoded);
}
