const TOKEN =
  /'(?:[^']|'')*'(?!::reg)|'(\w+)'(?=::reg)|"[^"]*"|::(?=(?:text|oid|json|xid8|regclass|regtype)\b)|(?<![.\w])(?:pg_(?!catalog\b)\w+|(?!(?:array|coalesce|extract)\b)[a-z]\w*(?=\())/g;

/**
 * Qualifies functions, tables and types with `pg_catalog`, because the search path may have others of the same names
 * before. A function is a name directly followed by a bracket: all others need a space between.
 */
export function inPgCatalog(sql: string): string {
  return sql.replace(TOKEN, (token, quoted?: string) =>
    quoted !== undefined
      ? `'pg_catalog.${quoted}'`
      : token === '::'
        ? '::pg_catalog.'
        : /^['"]/.test(token)
          ? token
          : `pg_catalog.${token}`,
  );
}
