/** Number of characters to show around the first difference of two lines. */
const CONTEXT = 150;
const LINES = 6;

/** The lines in which two texts differ. */
export function difference(found: string, expected: string): string {
  const foundLines = found.split('\n');
  const expectedLines = expected.split('\n');
  const lines: string[] = [];
  for (let i = 0; i < Math.max(foundLines.length, expectedLines.length) && lines.length < LINES; i++) {
    const a = foundLines[i] ?? '(nothing)';
    const b = expectedLines[i] ?? '(nothing)';
    if (a !== b) {
      const at = [...a].findIndex((character, j) => character !== b[j]);
      const start = Math.max(0, (at < 0 ? a.length : at) - CONTEXT);
      lines.push(`  cached:   ${cut(a, start)}\n  database: ${cut(b, start)}`);
    }
  }
  return lines.join('\n');
}

function cut(line: string, start: number): string {
  const end = start + 2 * CONTEXT;
  return `${start > 0 ? '…' : ''}${line.slice(start, end)}${end < line.length ? '…' : ''}`;
}
