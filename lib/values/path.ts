/**
 * A text within a jsonb column: `"meta"->'size'->>'unit'`. It is NULL if it is absent or JSON's null. Dependencies
 * and images treat it as a column with a unique name.
 */
export interface Path {
  readonly column: string;
  /** the keys of the objects that lead to it, at least one; not array indexes */
  readonly keys: readonly string[];
}

const paths = new Map<string, Path | undefined>();
const MAX_KNOWN = 10_000;

export function pathName({ column, keys }: Path): string {
  return JSON.stringify([column, ...keys]);
}

/** The path that {@link pathName} named; `undefined` for the name of a real column. */
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

/** The stored column: the name itself, if it is not a path. */
export function storedColumn(name: string): string {
  return pathOf(name)?.column ?? name;
}

/** The usual notation: `meta.size.unit`. */
export function readableName(name: string): string {
  const path = pathOf(name);
  return path ? [path.column, ...path.keys].join('.') : name;
}

/**
 * Can this key be written into SQL unchanged? The ORM replaces `[::alias::]` anywhere in SQL. The answer must be the
 * same in every version of Node.js.
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
