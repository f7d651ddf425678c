import type { Tallies, Tally } from './tally.js';

/** A table with one line per shape, and the granularities side by side. */
export function report(tallies: ReadonlyMap<string, Tallies>): string {
  const names = [...tallies.keys()];
  const any = [...tallies.values()][0]!;
  const line = (name: string, tallyOf: (of: Tallies) => Tally): string => {
    const all = [...tallies.values()].map(tallyOf);
    const recall = Math.min(...all.map(tally => tally.recall));
    return row([
      name,
      all[0]!.changed,
      ...all.flatMap(t => [t.dropped, t.precision.toFixed(3)]),
      recall.toFixed(3),
    ]);
  };
  return [
    row(['', 'changed', ...names.flatMap(name => [`dropped: ${name}`, 'precision']), 'recall']),
    row(['---', ...Array.from({ length: 2 + 2 * names.length }, () => '---:')]),
    ...any.shapes.map(shape => line(shape, of => of.of(shape))),
    line('**all**', of => of.all),
  ].join('\n');
}

function row(cells: readonly (string | number)[]): string {
  const texts = cells.map(cell => (typeof cell === 'number' ? cell.toLocaleString('en') : cell));
  return `| ${texts.join(' | ')} |`;
}

/** The most frequent of these texts, each with its number. */
export function mostFrequent(texts: readonly string[], shown: number): string {
  return [...Map.groupBy(texts, text => text)]
    .map(([text, same]) => [same.length, text] as const)
    .sort(([a], [b]) => b - a)
    .slice(0, shown)
    .map(([count, text]) => `${count}: ${text}`)
    .join('\n');
}
