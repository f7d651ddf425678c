import type { Interview, Reply } from './interview.js';
import { milliseconds, number, paint, print } from './terminal.js';

const HEADINGS = ['', 'hits', 'misses', 'database', 'cache', 'faster'];

/** Prints a table: for each question, where its answers came from, and how long they took (medians). */
export function printSummary({ replies, uncached }: Interview): void {
  const rows = [...Map.groupBy(replies, reply => reply.question)].map(([question, ofIt]) =>
    cells(question.title, ofIt, uncached.get(question)!),
  );
  rows.push(cells('all', replies, [...uncached.values()].flat()));
  const table = [HEADINGS, ...rows];
  const widths = HEADINGS.map((_, column) => Math.max(...table.map(row => row[column]!.length)));
  const line = (row: readonly string[]) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('   ');
  print();
  print(paint('bold', line(HEADINGS)));
  for (const row of rows) {
    print(line(row));
  }
}

function cells(title: string, replies: readonly Reply[], uncached: readonly number[]): string[] {
  const hits = replies.filter(reply => reply.source === 'cache');
  const fromDatabase = median(uncached);
  const fromCache = median(hits.map(reply => reply.duration));
  return [
    title,
    number(hits.length),
    number(replies.length - hits.length),
    milliseconds(fromDatabase),
    milliseconds(fromCache),
    `${(fromDatabase / fromCache).toFixed(1)} ×`,
  ];
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)]!;
}
