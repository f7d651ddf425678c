import type { Serializer } from '../config/options.js';
import { structured } from './serializer.js';
import { dissect } from './storable.js';

/** @throws CacheopsError that names the path of what cannot be stored */
export function encodeValue(value: unknown, serializer: Serializer | undefined): Uint8Array {
  const { plain } = serializer ? { plain: serializer.encode(value) } : dissect(value, () => false, 'value');
  return structured.encode(plain) as Uint8Array;
}

/** @throws whatever the serializer throws on what is not its own */
export function decodeValue(payload: Uint8Array, serializer: Serializer | undefined): unknown {
  const decoded = structured.decode(payload);
  return serializer ? serializer.decode(decoded as string | Uint8Array) : decoded;
}
