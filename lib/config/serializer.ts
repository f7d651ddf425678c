import { hash } from 'node:crypto';
import { isObject, show } from './check.js';
import { CacheopsError } from './error.js';
import type { Serializer } from './options.js';

/** @throws CacheopsError if it is no serializer, or has neither a name nor a source text */
export function checkSerializer(serializer: unknown, where = ''): Serializer | undefined {
  if (serializer === undefined) {
    return undefined;
  }
  if (
    !isObject(serializer) ||
    typeof serializer.encode !== 'function' ||
    typeof serializer.decode !== 'function'
  ) {
    throw new CacheopsError(
      `${where}serializer: ${show(serializer)} is no serializer. Give { encode(value), decode(encoded) }.`,
    );
  }
  const { name } = serializer;
  if (name !== undefined && (typeof name !== 'string' || name === '')) {
    throw new CacheopsError(`${where}serializer: name: ${show(name)} is no name. Give a text.`);
  }
  if (name === undefined && [serializer.encode, serializer.decode].some(isAnonymous)) {
    throw new CacheopsError(
      `${where}serializer: a bound function has no source text to know it by. Give the serializer a name: { name: '…' }.`,
    );
  }
  return serializer as unknown as Serializer;
}

/** The text of a bound function has no name; that of a native function, such as `JSON.parse`, has. */
function isAnonymous(fn: unknown): boolean {
  return /^function \(\) \{\s*\[native code\]\s*\}$/.test(String(fn));
}

/** Identifies a serializer in keys. `''`: the default. */
export function serializerKey(serializer: Serializer | undefined): string {
  if (!serializer) {
    return '';
  }
  const { name, encode, decode } = serializer;
  return hash('sha256', JSON.stringify(name ?? [String(encode), String(decode)]), 'base64url');
}
