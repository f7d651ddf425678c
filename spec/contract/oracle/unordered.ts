/**
 * Are two descriptions the same but for the order of what no order was asked for? Rows without an ORDER BY come as they
 * stand in the table, and an update of any column, or of none, may move one: that is no change of a result.
 *
 * @param isOrdered was the result itself asked for in an order?
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

/** The same of rows as the driver gives them, each described by itself. */
export function areSameRows(
  found: readonly string[],
  expected: readonly string[],
  isOrdered: boolean,
): boolean {
  const [ours, theirs] = [found, expected].map(rows => rows.map(sortedParts)) as [string[], string[]];
  return (isOrdered ? ours : ours.sort()).join('\n') === (isOrdered ? theirs : theirs.sort()).join('\n');
}

/** Entities are numbered in the order in which they turn up. */
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
