/** How PostgreSQL stores a name (in UTF-8): it keeps the first 63 bytes. */

const MAX_BYTES = 63;
const ASCII = /^[\0-\x7f]*$/;

/** The name of an unquoted word: only the letters A to Z are folded. */
export function foldWord(word: string): string {
  const folded = ASCII.test(word)
    ? word.toLowerCase()
    : word.replace(/[A-Z]+/g, letters => letters.toLowerCase());
  return truncate(folded);
}

/** @param quoted `"…"`; `undefined` if it is empty, which is not a name */
export function unquoteName(quoted: string): string | undefined {
  const name = quoted.slice(1, -1).replaceAll('""', '"');
  return name === '' ? undefined : truncate(name);
}

export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** For a text without a backslash, or where string constants are read as in standard SQL. */
export function quoteText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** The part of a long name that PostgreSQL keeps. */
export function truncate(name: string): string {
  if (name.length * 3 <= MAX_BYTES || Buffer.byteLength(name) <= MAX_BYTES) {
    return name;
  }
  let bytes = 0;
  let kept = '';
  for (const char of name) {
    bytes += Buffer.byteLength(char);
    if (bytes > MAX_BYTES) {
      break;
    }
    kept += char;
  }
  return kept;
}
