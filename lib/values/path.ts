/**
 * A text within a column of type jsonb: `"meta"->'size'->>'unit'`, which is NULL where it is not there, and where it is
 * JSON's null. To dependencies and images it is one more column, with a name that no other has.
 */
export interface Path {
  readonly column: string;
  /** of the objects that lead to it, at least one; they are not the indexes of arrays */
  readonly keys: readonly string[];
}

const paths = new Map<string, Path | undefined>();
const MAX_KNOWN = 10_000;

export function pathName({ column, keys }: Path): string {
  return JSON.stringify([column, ...keys]);
}

/** What {@link pathName} named; `undefined` if it is the name of a real column. */
export function pathOf(name: string): Path | undefined {
  if (!name.startsWith('["')) {
    return undefined;
  }
  if (!paths.has(name)) {
    if (paths.size >= MAX_KNOWN) {
      paths.clear();
    }
    paths.set(name, parse(name));
  }
  return paths.get(name);
}

/** The column that is stored: itself, if it is not a path. */
export function storedColumn(name: string): string {
  return pathOf(name)?.column ?? name;
}

/** How people write it: `meta.size.unit`. */
export function readableName(name: string): string {
  const path = pathOf(name);
  return path ? [path.column, ...path.keys].join('.') : name;
}

/**
 * May such a key stand in SQL as it is? The ORM puts an alias in the place of `[::alias::]`, wherever that stands. Every
 * version of Node.js must say the same of a key.
 */
export function isPlainKey(key: string): boolean {
  return /^[^'"\\\p{Cc}\p{Cs}]*$/u.test(key) && !key.includes('::');
}

function parse(name: string): Path | undefined {
  try {
    const parts: unknown = JSON.parse(name);
    if (!Array.isArray(parts) || parts.length < 2 || !parts.every(part => typeof part === 'string')) {
      return undefined;
    }
    const [column, ...keys] = parts as [string, ...string[]];
    return keys.every(isPlainKey) ? { column, keys } : undefined;
  } catch {
    return undefined;
  }
}
