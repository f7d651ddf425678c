/** What PostgreSQL makes of a name as it is written (in UTF-8): it keeps the first 63 bytes of a longer one. */

const MAX_BYTES = 63;
const ASCII = /^[\0-\x7f]*$/;

/** The name that an unquoted word stands for: only the letters A to Z are folded. */
export function foldWord(word: string): string {
  const folded = ASCII.test(word)
    ? word.toLowerCase()
    : word.replace(/[A-Z]+/g, letters => letters.toLowerCase());
  return truncate(folded);
}

/** @param quoted `"…"`; `undefined` if nothing is between the quotes, which is no name */
export function unquoteName(quoted: string): string | undefined {
  const name = quoted.slice(1, -1).replaceAll('""', '"');
  return name === '' ? undefined : truncate(name);
}

export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** What is kept of a name that is too long. */
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
