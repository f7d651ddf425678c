/**
 * Describes the first difference between two values: `[0].at: a Date came back as a string`. Contains types and
 * paths, no values. Types, the order of keys, -0 and absent keys count as differences; a plain object without a
 * prototype does not.
 *
 * @returns `undefined` if they are the same; a value other than plain data, Date or Buffer always differs
 */
export function findDifference(a: unknown, b: unknown): string | undefined {
  return difference(a, b, '', 0);
}

const MAX_DEPTH = 64;

function difference(a: unknown, b: unknown, path: string, depth: number): string | undefined {
  const [kind, other] = [kindOf(a), kindOf(b)];
  if (kind !== other) {
    return `${label(path)} ${article(kind)} came back as ${article(other)}`;
  }
  switch (kind) {
    case 'array':
    case 'plain object':
      return depth < MAX_DEPTH
        ? inside(a as object, b as object, path, depth)
        : `${label(path)} nests too deep`;
    case 'Date':
      return Object.is((a as Date).getTime(), (b as Date).getTime()) ? undefined : another(path, kind);
    case 'Buffer':
      return (a as Buffer).equals(b as Buffer) ? undefined : another(path, kind);
    case 'string':
    case 'number':
    case 'boolean':
    case 'bigint':
    case 'undefined':
    case 'null':
      return Object.is(a, b) ? undefined : another(path, kind);
    default:
      return `${label(path)} ${article(kind)} is not plain data`;
  }
}

function inside(a: object, b: object, path: string, depth: number): string | undefined {
  const [keys, others] = [Reflect.ownKeys(a), Reflect.ownKeys(b)];
  if (keys.length !== others.length || keys.some((key, i) => key !== others[i])) {
    return `${label(path)} other keys, or in another order`;
  }
  for (const key of keys) {
    const [mine, theirs] = [a, b].map(each => Object.getOwnPropertyDescriptor(each, key)!);
    const isPlain = 'value' in mine! && 'value' in theirs! && typeof key === 'string';
    if (!isPlain || mine.enumerable !== theirs.enumerable || (!mine.enumerable && !isLength(a, key))) {
      return `${label(path)} a key that is not plain data: ${String(key)}`;
    }
    const inner = Array.isArray(a) ? `${path}[${key}]` : `${path}.${key}`;
    const found = difference(mine.value, theirs.value, inner, depth + 1);
    if (found) {
      return found;
    }
  }
  return undefined;
}

function isLength(value: object, key: string): boolean {
  return Array.isArray(value) && key === 'length';
}

function kindOf(value: unknown): string {
  if (typeof value !== 'object') {
    return typeof value;
  }
  if (value === null) {
    return 'null';
  }
  switch (Object.getPrototypeOf(value)) {
    case Array.prototype:
      return Array.isArray(value) ? 'array' : 'instance of Array';
    case Object.prototype:
    case null:
      return 'plain object';
    case Date.prototype:
      return isDate(value) ? 'Date' : 'instance of Date';
    case Buffer.prototype:
      return ArrayBuffer.isView(value) ? 'Buffer' : 'instance of Buffer';
    default:
      return `instance of ${value.constructor?.name || 'a class'}`;
  }
}

function isDate(value: object): value is Date {
  return Object.prototype.toString.call(value) === '[object Date]' && Reflect.ownKeys(value).length === 0;
}

function another(path: string, kind: string): string {
  return `${label(path)} another ${kind} came back`;
}

function label(path: string): string {
  return path === '' ? 'the result:' : `${path}:`;
}

function article(kind: string): string {
  return kind === 'undefined' || kind === 'null' ? kind : `${/^[aeiou]/.test(kind) ? 'an' : 'a'} ${kind}`;
}
