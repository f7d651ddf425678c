import type { Findings } from './fault.js';

const HEAD = ['fault', 'tries', 'reads', 'from the cache', 'stale', 'slowest read', 'invalidations lost'];

/** Head of the Markdown table. */
export function head(): string {
  return `${line(HEAD)}\n${line(['---', '--:', '--:', '--:', '--:', '--:', '--:'])}`;
}

export function row(name: string, { tries, reads, hits, stale, slowest, lost }: Findings): string {
  const share = reads > 0 ? `${Math.round((100 * hits) / reads)} %` : '';
  const numbers = [tries, reads].map(number => number.toLocaleString('en'));
  return line([name, ...numbers, share, stale.length, milliseconds(slowest), lost.length]);
}

function milliseconds(time: number): string {
  return time < 1000 ? `${Math.ceil(time)} ms` : `${(time / 1000).toFixed(1)} s`;
}

function line(cells: readonly (string | number)[]): string {
  return `| ${cells.join(' | ')} |`;
}
