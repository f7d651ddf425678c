import { CacheopsError } from '../config/error.js';
import { pathTo } from './storable.js';

/**
 * Values as text, such that two with the same text are the same: every value carries its type, and nothing is left
 * out. `[1]`, `['1']` and `[1n]` differ.
 *
 * @param describe text for what is no plain data, but known (an entity, by its key and row); else `undefined`
 * @param root what the value is called in messages
 * @throws CacheopsError that names the path of what cannot be told from others: functions, symbols, instances of
 * classes, cycles
 */
export function fingerprint(
  value: unknown,
  describe: (value: object, path: string) => string | undefined,
  root: string,
): string {
  const open = new Set<object>();

  const write = (part: unknown, path: string): string => {
    switch (typeof part) {
      case 'string':
        return JSON.stringify(part);
      case 'number':
        return Object.is(part, -0) ? '-0' : String(part);
      case 'boolean':
        return part ? 't' : 'f';
      case 'bigint':
        return `${part}n`;
      case 'undefined':
        return 'u';
      case 'object':
        return part === null ? 'null' : writeObject(part, path);
      default:
        throw refusal(path, `a ${typeof part}`);
    }
  };

  const writeObject = (part: object, path: string): string => {
    if (open.has(part)) {
      throw refusal(path, 'cyclic');
    }
    const described = describe(part, path);
    if (described !== undefined) {
      return `<${described}>`;
    }
    open.add(part);
    const text = writeContainer(part, path);
    open.delete(part);
    return text;
  };

  const writeContainer = (part: object, path: string): string => {
    const prototype = Object.getPrototypeOf(part);
    const [symbol] = Object.getOwnPropertySymbols(part);
    if (symbol) {
      throw refusal(`${path}[${String(symbol)}]`, 'under a key that is a symbol');
    }
    if (prototype === Array.prototype) {
      return `[${(part as unknown[]).map((item, i) => write(item, `${path}[${i}]`)).join(',')}]`;
    }
    if (prototype === Object.prototype || prototype === null) {
      // the order of keys means nothing to most functions, and something to some
      return `{${Object.entries(part)
        .map(([key, item]) => `${JSON.stringify(key)}:${write(item, pathTo(path, key))}`)
        .join(',')}}`;
    }
    if (prototype === Date.prototype) {
      return `Date(${(part as Date).getTime()})`;
    }
    if (prototype === Map.prototype) {
      const entries = [...(part as Map<unknown, unknown>)].map(
        ([key, item], i) => `${write(key, `${path}.keys()[${i}]`)}=>${write(item, `${path}.values()[${i}]`)}`,
      );
      return `Map(${entries.join(',')})`;
    }
    if (prototype === Set.prototype) {
      return `Set(${[...(part as Set<unknown>)].map((item, i) => write(item, `${path}.values()[${i}]`)).join(',')})`;
    }
    if (prototype === RegExp.prototype || prototype === URL.prototype) {
      return `${prototype.constructor.name}(${JSON.stringify(String(part))})`;
    }
    if (ArrayBuffer.isView(part)) {
      const bytes = Buffer.from(part.buffer, part.byteOffset, part.byteLength);
      return `${prototype.constructor.name}(${bytes.toString('base64')})`;
    }
    throw refusal(path, `an instance of ${prototype.constructor?.name || 'a class'}`);
  };

  return write(value, root);
}

function refusal(path: string, what: string): CacheopsError {
  return new CacheopsError(
    `${path} is ${what}, which cannot be told from others like it. Pass plain data, entities, or what identifies it.`,
  );
}
