/**
 * A query as text: two queries with the same text mean the same. Every value carries its type, strings are quoted,
 * and nothing is left out.
 *
 * Returns `undefined` where this is not possible: functions, raw fragments (symbol keys), hidden properties (strict
 * filters), class instances. Such queries are keyed by their compiled SQL.
 */
export function serialise(value: unknown): string | undefined {
  return textOrUndefined(() => write(value, 0));
}

/** As `serialise([where, options])`, without skipped options and options without a value. */
export function serialiseQuery(
  where: unknown,
  options: Readonly<Record<string, unknown>>,
  skipped: ReadonlySet<string>,
): string | undefined {
  return textOrUndefined(() => {
    let text = write(where, 0);
    for (const name of Object.keys(options)) {
      const value = options[name];
      if (value !== undefined && !skipped.has(name)) {
        text += `,${writeKey(name)}${write(value, 0)}`;
      }
    }
    return text;
  });
}

function textOrUndefined(write: () => string): string | undefined {
  try {
    return write();
  } catch (error) {
    if (error === UNSERIALISABLE) {
      return undefined;
    }
    throw error;
  }
}

/**
 * The shape of a query: as {@link serialise}, but with only the types of scalars. Queries of one shape compile to SQL
 * that differs only in literals. Empty lists have a shape of their own.
 */
export function shapeOf(value: unknown): string {
  return shapeKey(value, 0);
}

const UNSERIALISABLE = Symbol('unserialisable');
const MAX_DEPTH = 32;

function write(value: unknown, depth: number): string {
  switch (typeof value) {
    case 'string':
      return writeString(value);
    case 'number':
      return Object.is(value, -0) ? '-0' : String(value);
    case 'boolean':
      return value ? 't' : 'f';
    case 'bigint':
      return `i${value}`;
    case 'undefined':
      return 'u';
    case 'object':
      return value === null ? 'n' : writeObject(value, depth);
    default:
      throw UNSERIALISABLE;
  }
}

function writeObject(value: object, depth: number): string {
  if (depth > MAX_DEPTH) {
    throw UNSERIALISABLE; // cyclic, or nested too deep
  }
  if (Array.isArray(value)) {
    let text = '[';
    for (const item of value) {
      text += `${write(item, depth + 1)},`;
    }
    return `${text}]`;
  }
  if (value instanceof Date) {
    return `d${value.getTime()}`;
  }
  if (ArrayBuffer.isView(value)) {
    return `b${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64')}`;
  }
  if (!isPlain(value) || hasHiddenKeys(value)) {
    throw UNSERIALISABLE;
  }
  let text = '{';
  for (const key of Object.keys(value)) {
    text += `${writeKey(key)}${write((value as Record<string, unknown>)[key], depth + 1)},`;
  }
  return `${text}}`;
}

/** The length marks the end for any content, which is faster than escaping. */
function writeString(text: string): string {
  return `${text.length}"${text}"`;
}

function writeKey(name: string): string {
  return `${name.length}"${name}":`;
}

function shapeKey(value: unknown, depth: number): string {
  if (value === null || typeof value !== 'object') {
    return value === null ? 'n' : typeof value;
  }
  if (Array.isArray(value)) {
    // scalars of one type have one shape; a list of conditions keeps all shapes
    const items = new Set(value.map(item => shapeKey(item, depth + 1)));
    return value.some(item => isPlain(item))
      ? `[${value.map(v => shapeKey(v, depth + 1))}]`
      : `[${[...items]}]`;
  }
  if (!isPlain(value)) {
    return value.constructor?.name ?? 'object';
  }
  return `{${Object.keys(value).map(
    key => `${JSON.stringify(key)}:${shapeKey((value as Record<string, unknown>)[key], depth + 1)}`,
  )}}`;
}

/** Is it an object without a class? */
export function isPlain(value: unknown): value is Record<PropertyKey, unknown> {
  if (value === null || typeof value !== 'object') {
    return false;
  }
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** Does it have symbol keys, or properties that are not enumerable? */
export function hasHiddenKeys(value: object): boolean {
  return Reflect.ownKeys(value).length > Object.keys(value).length;
}
