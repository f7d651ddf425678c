import { type Aim, flushAims, readAims } from './aims.js';
import type { ReadTimings } from './contenders.js';
import type { Flushes } from './flushes.js';
import type { Reads } from './reads.js';
import { ratio, type Timings } from './timings.js';

/** The table, followed by the aims, in Markdown. */
export function report(reads: Reads, flushes: Flushes): string {
  const aims = [...readAims(reads), ...flushAims(flushes)];
  const lines = [
    ['', 'answered by', 'median µs', 'p99 µs', '× uncached', 'aim'],
    ['---', '---', '--:', '--:', '--:', '---'],
    ...reads.queries.flatMap(query => readLines(query, aims)),
    ...flushLines(flushes, aims),
    ['a command of Redis', 'round trip', ...figures(reads.roundTrip), '', ''],
  ];
  const table = lines.map(cells => `| ${cells.join(' | ')} |`).join('\n');
  return `${table}\n\nAims:\n\n${aims.map(aimLine).join('\n')}`;
}

function readLines({ name, database, ...hits }: ReadTimings, aims: readonly Aim[]): string[][] {
  const line = (what: string, timings: Timings) => [
    '',
    what,
    ...figures(timings),
    database ? fixed(ratio(timings, database.uncached)) : '',
    compareWithAims(timings, aims),
  ];
  const lines = [
    ...(database
      ? [
          line('the database, without the extension', database.uncached),
          line('the database, after a miss', database.miss),
          line("MikroORM's result cache on Redis", database.resultCache),
        ]
      : []),
    line('a hit from Redis', hits.redis),
    line('its floor: one `GET`, and a decode', hits.redisFloor),
    line('a hit from memory', hits.memory),
    line('its floor: one `Map.get`, and a decode', hits.memoryFloor),
  ];
  lines[0]![0] = name;
  return lines;
}

function flushLines({ plain, dependents, compared }: Flushes, aims: readonly Aim[]): string[][] {
  const line = (what: string, timings: Timings) => [
    '',
    what,
    ...figures(timings),
    fixed(ratio(timings, plain)),
    compareWithAims(timings, aims),
  ];
  const lines = [
    line('without the extension', plain),
    ...dependents.map(({ count, timings }) =>
      line(`${count.toLocaleString('en')} dependent entries`, timings),
    ),
    line('0, of a column that queries compare', compared),
  ];
  lines[0]![0] = '`flush` of one changed row';
  return lines;
}

function figures(timings: Timings): string[] {
  return [timings.median, timings.p99].map(value => value.toFixed(0));
}

function compareWithAims(timings: Timings, aims: readonly Aim[]): string {
  const aim = aims.find(each => each.timings.length === 1 && each.timings[0] === timings);
  return aim ? `${fixed(aim.value)} × ${aim.of}; ${verdict(aim)}` : '';
}

function aimLine(aim: Aim): string {
  return `- ${aim.name}: ≤ ${aim.limit} × ${aim.of}: ${fixed(aim.value)}, ${verdict(aim)}`;
}

function verdict({ value, limit }: Aim): string {
  return value <= limit ? 'met' : '**missed**';
}

function fixed(value: number): string {
  return value.toFixed(2);
}
