import { inspect, types } from 'node:util';
import { CacheopsError } from '../../config/error.js';

/**
 * Writes a value as text, so that values with equal text are equal in every type and property. `[1]`, `['1']` and `[1n]`
 * differ, and so do `[]` and `new Array(1)`, `{}` and `Object.create(null)`, and one object twice and two equal objects.
 *
 * It accepts primitives except symbols; plain objects and arrays whose properties are all enumerable and no accessors;
 * Map, Set, Date, RegExp, URL, bytes and typed arrays without further properties. It refuses everything else. Whether a
 * property is writable is not part of the text.
 *
 * @param describe the text of an object that is no plain data (an entity, by its key and row); otherwise `undefined`
 * @param root the name of the value in messages
 * @throws CacheopsError that names the path of a value without a text: a function, a symbol, an instance of a class, a
 * proxy, a cycle
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
      // in their order, which matters to some functions
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

/** Makes an error that names a value that cannot be used, and its path. */
export type Refuse = (path: string, what: string) => CacheopsError;

/**
 * The kind of an object.
 *
 * @throws the error of `refuse`, if the object has no known kind, or more than its kind has
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

/** The properties of a plain object. @throws the error of `refuse`, for one that is hidden or an accessor */
export function propertiesOf(part: object, path: string, refuse: Refuse): [key: string, value: unknown][] {
  return Reflect.ownKeys(part).map(key => [key as string, dataOf(part, key, path, refuse)]);
}

/** The items of an array, without its holes. @throws the error of `refuse`, if it has other properties */
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

/** The value of a property that is enumerable and no accessor. */
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

/** A kind of objects with internal slots, which cannot be recognised by their prototype alone. */
export interface Kind {
  readonly name: string;
  is(value: unknown): boolean;
  /** own properties that every object of the kind has */
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
        types.isArrayBuffer(value.buffer) && // shared memory may change at any time
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

/** The kind of a typed array, which does not depend on its prototype. */
function tagOf(value: unknown): string | undefined {
  return tagGetter.call(value) as string | undefined;
}

/** Listing the indices of a larger typed array would take longer than most functions. */
const MAX_LISTED = 4096;

/** Own keys, without the indices of a typed array; of a large one, a placeholder if there are any. */
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
 * Checks for internal slots. Left out: views, which one other check covers; and keys, whose checks take microseconds and
 * which have symbols.
 */
const BRANDS = Object.entries(types)
  .filter(([name]) => !/^is(CryptoKey|KeyObject|Proxy|.*Array|DataView|ArrayBufferView)$/.test(name))
  .map(([, is]) => is as (value: unknown) => boolean);

/** An object with internal slots is not plain, whatever its prototype was set to. */
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
    `${path} is ${what}, which cannot be part of a key. Pass plain data, entities, or a value that identifies it.`,
  );
}
