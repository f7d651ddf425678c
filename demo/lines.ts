import { numbersOf, type RowChange } from './change.js';
import type { Reply } from './interview.js';
import { questions } from './questions.js';
import { milliseconds, paint, print } from './terminal.js';
import type { Write } from './writes.js';

const titleWidth = Math.max(...questions.map(({ title }) => title.length));

export function printReplies(first: Reply, second: Reply): void {
  print(`  ${title(first)}  ${source(first)}, then ${source(second)}`);
  print(paint('dim', `    ${second.answer}`));
}

export function printWrite({ title, code, table }: Write, changes: readonly RowChange[]): void {
  const counts = Object.entries(numbersOf(changes)).filter(([, count]) => count > 0);
  const rows = (count: number) => (count === 1 ? '1 row' : `${count} rows`);
  const changed = counts.map(([what, count]) => `${rows(count)} of ${table} ${what}`).join(', ');
  print();
  print(`${paint('bold', title)} (${changed || 'nothing changed'})  ${paint('dim', code)}`);
}

export interface Verdict {
  readonly before: Reply;
  readonly reply: Reply;
  /** the effects of the write on each dependency, in words */
  readonly effects: readonly (string | undefined)[];
}

export function printVerdict({ before, reply, effects }: Verdict): void {
  const { dependencies } = before;
  const reasons = dependencies.flatMap((it, i) => (effects[i] ? `${it} ← ${effects[i]}` : []));
  const dropped = reply.source === 'database';
  const verdict = dropped ? paint('yellow', 'dropped') : paint('green', 'kept   ');
  const why = dropped ? reasons.join(', ') : paint('dim', dependencies.join(', '));
  print(`  ${verdict}  ${title(reply)}  ${source(reply)}  ${why}`);
  if (reply.answer !== before.answer) {
    print(paint('dim', `           now ${reply.answer}`));
  }
}

function title({ question }: Reply): string {
  return question.title.padEnd(titleWidth);
}

function source({ source, duration }: Reply): string {
  const colour = source === 'cache' ? 'green' : 'yellow';
  return paint(colour, `${source.padEnd('database'.length)} ${milliseconds(duration).padStart(9)}`);
}
