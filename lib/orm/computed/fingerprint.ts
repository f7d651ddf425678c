import { inspect, types } from 'node:util';
import { CacheopsError } from '../../config/error.js';

/**
 * Values as text, such that two with the same text are the same: every value carries its type, and nothing is left
 * out. `[1]`, `['1']` and `[1n]` differ, and so do `[]` and `new Array(1)`, `{}` and `Object.create(null)`, and an object
 * twice and two objects that are alike.
 *
 * What is known to be told apart is accepted, and everything else refused: primitives but symbols; plain objects and
 * arrays whose properties are all enumerable and no accessors; Map, Set, Date, RegExp, URL, bytes and typed arrays
 * without further properties. Whether a property may be written is not told apart.
 *
 * @param describe text for what is no plain data, but known (an entity, by its key and row); else `undefined`
 * @param root what the value is called in messages
 * @throws CacheopsError that names the path of what cannot be told from others: functions, symbols, instances of
 * classes, proxies, cycles
 */
export function fingerprint(
  value: unknown,
  describe: (value: object, path: string) => string | undefined,
  root: string,
): string {
  const open = new Set<object>();
  const numbers = new Map<object, number>();

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
    const number = numbers.get(part);
    if (number !== undefined) {
      return `^${number}`;
    }
    numbers.set(part, numbers.size);
    open.add(part);
    const text = writeContainer(part, path);
    open.delete(part);
    return text;
  };

  const writeContainer = (part: object, path: string): string => {
    const shape = shapeOf(part, path, refusal);
    if (shape === 'array') {
      return writeArray(part as readonly unknown[], path);
    }
    if (shape === 'plain') {
      const mark = Object.getPrototypeOf(part) === null ? 'null' : '';
      // the order of keys means nothing to most functions, and something to some
      const entries = propertiesOf(part, path, refusal).map(
        ([key, item]) => `${JSON.stringify(key)}:${write(item, pathTo(path, key))}`,
      );
      return `${mark}{${entries.join(',')}}`;
    }
    return `${shape.name}(${shape.write(part as never, path, write)})`;
  };

  const writeArray = (part: readonly unknown[], path: string): string => {
    const items: string[] = [];
    let expected = 0;
    for (const [index, item] of itemsOf(part, path, refusal)) {
      if (index > expected) {
        items.push(`-${index - expected}`); // holes
      }
      items.push(`=${write(item, `${path}[${index}]`)}`);
      expected = index + 1;
    }
    if (part.length > expected) {
      items.push(`-${part.length - expected}`);
    }
    return `[${items.join(',')}]`;
  };

  return write(value, root);
}

/** An error that says what stands where, and that it cannot be used. */
export type Refuse = (path: string, what: string) => CacheopsError;

/**
 * What an object is, if it is known to be that and nothing more.
 *
 * @throws what `refuse` gives
 */
export function shapeOf(part: object, path: string, refuse: Refuse): Kind | 'array' | 'plain' {
  if (types.isProxy(part)) {
    throw refuse(path, 'a Proxy');
  }
  const prototype = Object.getPrototypeOf(part);
  const kind = KINDS.get(prototype);
  if (kind) {
    if (!kind.is(part)) {
      throw refuse(path, `no real ${kind.name}`);
    }
    checkKeys(ownKeys(part), kind.keys ?? NO_KEYS, path, refuse);
    return kind;
  }
  if (prototype === Array.prototype && Array.isArray(part)) {
    return 'array';
  }
  if ((prototype === Object.prototype || prototype === null) && isPlain(part)) {
    return 'plain';
  }
  throw refuse(path, nameOf(part, prototype));
}

/** What a plain object holds. @throws what `refuse` gives, for what not everybody sees, and sees the same */
export function propertiesOf(part: object, path: string, refuse: Refuse): [key: string, value: unknown][] {
  return Reflect.ownKeys(part).map(key => [key as string, dataOf(part, key, path, refuse)]);
}

/** The items of an array, without its holes. @throws what `refuse` gives, if it has other properties */
export function itemsOf(
  part: readonly unknown[],
  path: string,
  refuse: Refuse,
): [index: number, item: unknown][] {
  const items: [number, unknown][] = [];
  for (const key of Reflect.ownKeys(part)) {
    if (key === 'length') {
      continue;
    }
    const index = typeof key === 'string' && /^\d+$/.test(key) ? Number(key) : -1;
    if (index < 0 || index >= part.length || String(index) !== key) {
      throw refuse(pathToAny(path, key), typeof key === 'symbol' ? A_SYMBOL : 'a property of an array');
    }
    items.push([index, dataOf(part, key, path, refuse)]);
  }
  return items;
}

/** The value of a property, if it is one that everybody sees, and sees the same. */
function dataOf(part: object, key: string | symbol, path: string, refuse: Refuse): unknown {
  if (typeof key === 'symbol') {
    throw refuse(pathToAny(path, key), A_SYMBOL);
  }
  const { enumerable, ...property } = Reflect.getOwnPropertyDescriptor(part, key)!;
  if (!('value' in property)) {
    throw refuse(pathTo(path, key), 'an accessor');
  }
  if (!enumerable) {
    throw refuse(pathTo(path, key), 'not enumerable');
  }
  return property.value;
}

const A_SYMBOL = 'under a key that is a symbol';

function pathToAny(path: string, key: string | symbol): string {
  return typeof key === 'symbol' ? `${path}[${String(key)}]` : pathTo(path, key);
}

/** `result.title`, `result['a b']` */
export function pathTo(path: string, key: string): string {
  if (path === '') {
    return key;
  }
  return /^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(key) ? `${path}.${key}` : `${path}[${JSON.stringify(key)}]`;
}

type Write = (part: unknown, path: string) => string;

/** What has slots of its own: its prototype alone does not tell that it has them. */
export interface Kind {
  readonly name: string;
  is(value: unknown): boolean;
  /** the properties that each of them has */
  readonly keys?: ReadonlySet<string | symbol>;
  write(value: never, path: string, write: Write): string;
}

const NO_KEYS: ReadonlySet<string | symbol> = new Set();
const isUrl = (value: unknown) => {
  try {
    hrefOf.call(value as URL);
    return true;
  } catch {
    return false;
  }
};
const hrefOf = Object.getOwnPropertyDescriptor(URL.prototype, 'href')!.get!;

const KINDS = new Map<object, Kind>([
  [Date.prototype, { name: 'Date', is: types.isDate, write: (value: Date) => String(value.getTime()) }],
  [
    Map.prototype,
    {
      name: 'Map',
      is: types.isMap,
      write: (value: Map<unknown, unknown>, path, write) =>
        Array.from(
          value,
          ([key, item], i) =>
            `${write(key, `${path}.keys()[${i}]`)}=>${write(item, `${path}.values()[${i}]`)}`,
        ).join(),
    },
  ],
  [
    Set.prototype,
    {
      name: 'Set',
      is: types.isSet,
      write: (value: Set<unknown>, path, write) =>
        Array.from(value, (item, i) => write(item, `${path}.values()[${i}]`)).join(),
    },
  ],
  [
    RegExp.prototype,
    {
      name: 'RegExp',
      is: types.isRegExp,
      keys: new Set(['lastIndex']),
      write: (value: RegExp, path, write) =>
        `${JSON.stringify([value.source, value.flags])}${write(value.lastIndex, `${path}.lastIndex`)}`,
    },
  ],
  [URL.prototype, { name: 'URL', is: isUrl, write: (value: URL) => JSON.stringify(value.href) }],
  [
    ArrayBuffer.prototype,
    {
      name: 'ArrayBuffer',
      is: (value: unknown) => types.isArrayBuffer(value),
      write: (value: ArrayBuffer) => Buffer.from(value).toString('base64'),
    },
  ],
  ...[
    Buffer,
    Uint8Array,
    Uint8ClampedArray,
    Uint16Array,
    Uint32Array,
    Int8Array,
    Int16Array,
    Int32Array,
    BigInt64Array,
    BigUint64Array,
    Float32Array,
    Float64Array,
    DataView,
  ].map(({ prototype, name }): [object, Kind] => [
    prototype,
    {
      name,
      is: value =>
        ArrayBuffer.isView(value) &&
        types.isArrayBuffer(value.buffer) && // what others may write at the same time is another
        (name === 'Buffer' || name === 'DataView'
          ? types.isDataView(value) === (name === 'DataView')
          : tagOf(value) === name) &&
        (name !== 'Buffer' || tagOf(value) === 'Uint8Array'),
      write: ({ buffer, byteOffset, byteLength }: ArrayBufferView) =>
        Buffer.from(buffer, byteOffset, byteLength).toString('base64'),
    },
  ]),
]);

const tagGetter = Object.getOwnPropertyDescriptor(
  Object.getPrototypeOf(Uint8Array.prototype),
  Symbol.toStringTag,
)!.get!;

/** The name of a typed array's kind, whatever its prototype is. */
function tagOf(value: unknown): string | undefined {
  return tagGetter.call(value) as string | undefined;
}

/** Listing the indices of a larger typed array takes longer than most functions. */
const MAX_LISTED = 4096;

/** Own keys, without the indices of a typed array; of a large one, the first that is enumerable. */
function ownKeys(part: object): readonly (string | symbol)[] {
  if (tagOf(part) === undefined) {
    return Reflect.ownKeys(part);
  }
  const { length } = part as Uint8Array;
  if (length <= MAX_LISTED) {
    // the indices come first, and there are no other integer keys
    return Reflect.ownKeys(part).slice(length);
  }
  const shown = inspect(part, { maxArrayLength: 0, depth: 0, customInspect: false, breakLength: Infinity });
  return shown.endsWith(' more items ]') ? [] : ['a further key'];
}

function checkKeys(
  keys: readonly (string | symbol)[],
  expected: ReadonlySet<string | symbol>,
  path: string,
  refuse: Refuse,
): void {
  const extra = keys.find(key => !expected.has(key));
  if (extra !== undefined) {
    const what = typeof extra === 'symbol' ? A_SYMBOL : 'a property that its like do not have';
    throw refuse(pathToAny(path, extra), what);
  }
}

/**
 * Whether a value has slots of its own. Left out: views, which are one question; keys, which take microseconds to ask for and
 * have symbols.
 */
const BRANDS = Object.entries(types)
  .filter(([name]) => !/^is(CryptoKey|KeyObject|Proxy|.*Array|DataView|ArrayBufferView)$/.test(name))
  .map(([, is]) => is as (value: unknown) => boolean);

/** A prototype can be changed: an object that has slots of its own is not plain. */
function isPlain(part: object): boolean {
  return !Array.isArray(part) && !BRANDS.some(is => is(part)) && !ArrayBuffer.isView(part);
}

function nameOf(
  part: object,
  prototype: { readonly constructor?: { readonly name?: string } } | null,
): string {
  const name = prototype === Object.prototype || prototype === null ? undefined : prototype.constructor?.name;
  return name ? `an instance of ${name}` : Array.isArray(part) ? 'no real array' : 'an instance of a class';
}

function refusal(path: string, what: string): CacheopsError {
  return new CacheopsError(
    `${path} is ${what}, which cannot be told from others like it. Pass plain data, entities, or what identifies it.`,
  );
}
