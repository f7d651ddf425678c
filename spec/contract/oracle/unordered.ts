/**
 * Whether two descriptions are equal except for unspecified order. Without ORDER BY, rows come in table order, and any
 * update may move a row: that does not change a result.
 *
 * @param isOrdered whether the query orders its result
 */
export function isSameSnapshot(found: string, expected: string, isOrdered: boolean): boolean {
  const [result, ...lines] = withoutNumbers(found).split('\n');
  const [otherResult, ...otherLines] = withoutNumbers(expected).split('\n');
  const compared = isOrdered ? (line: string) => line : sortedParts;
  return (
    compared(result!) === compared(otherResult!) &&
    lines.map(sortedParts).sort().join('\n') === otherLines.map(sortedParts).sort().join('\n')
  );
}

/** The same for the driver's rows, each described separately. */
export function areSameRows(
  found: readonly string[],
  expected: readonly string[],
  isOrdered: boolean,
): boolean {
  const [foundParts, expectedParts] = [found, expected].map(rows => rows.map(sortedParts)) as [
    string[],
    string[],
  ];
  return (
    (isOrdered ? foundParts : foundParts.sort()).join('\n') ===
    (isOrdered ? expectedParts : expectedParts.sort()).join('\n')
  );
}

/** Entities are numbered in the order of their appearance. */
function withoutNumbers(text: string): string {
  return text.replace(/#\d+ /g, '');
}

function sortedParts(line: string): string {
  return line
    .split(/[,[\]]/)
    .map(part => part.trim())
    .sort()
    .join();
}
