/**
 * A query as text, such that two queries with the same text mean the same: every value carries its type, strings
 * are quoted, and nothing is left out.
 *
 * Returns `undefined` where that cannot be promised: functions, raw fragments (symbol keys), class instances. Such
 * queries are keyed by the SQL that the ORM makes of them.
 */
export function serialise(value: unknown): string | undefined {
  return unlessUntold(() => write(value, 0));
}

/** As `serialise([where, options])`, without the options that are skipped or have no value. */
export function serialiseQuery(
  where: unknown,
  options: Readonly<Record<string, unknown>>,
  skipped: ReadonlySet<string>,
): string | undefined {
  return unlessUntold(() => {
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

function unlessUntold(tell: () => string): string | undefined {
  try {
    return tell();
  } catch (error) {
    if (error === UNTOLD) {
      return undefined;
    }
    throw error;
  }
}

/**
 * The shape of a query: as {@link serialise}, but of a scalar only its type. Two queries of the same shape are
 * compiled to SQL that differs in its literals only. Lists keep whether they are empty.
 */
export function shapeOf(value: unknown): string {
  return shapeKey(value, 0);
}

const UNTOLD = Symbol('cannot be told');
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
      throw UNTOLD;
  }
}

function writeObject(value: object, depth: number): string {
  if (depth > MAX_DEPTH) {
    throw UNTOLD; // cyclic, or as good as
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
  if (!isPlain(value) || Object.getOwnPropertySymbols(value).length > 0) {
    throw UNTOLD;
  }
  let text = '{';
  for (const key of Object.keys(value)) {
    text += `${writeKey(key)}${write((value as Record<string, unknown>)[key], depth + 1)},`;
  }
  return `${text}}`;
}

/** The length says where it ends, whatever is in it: escaping would take longer. */
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
    // items of one kind are as good as one of them; a list of conditions is not
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
export function isPlain(value: unknown): value is Record<string, unknown> {
  if (value === null || typeof value !== 'object') {
    return false;
  }
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
