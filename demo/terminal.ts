import { cursorTo } from 'node:readline';
import { styleText } from 'node:util';

type Style = Parameters<typeof styleText>[0];

const { stdout } = process;

/** In colour on a terminal, plain elsewhere, unless NO_COLOR or FORCE_COLOR say otherwise. */
export function paint(style: Style, text: string): string {
  return styleText(style, text, { stream: stdout });
}

export function print(line = ''): void {
  stdout.write(`${line}\n`);
}

/** A line that the next one replaces. Only on a terminal. */
export function printForNow(line: string): void {
  if (stdout.isTTY) {
    cursorTo(stdout, 0);
    stdout.write(line);
    stdout.clearLine(1);
  }
}

export function milliseconds(duration: number): string {
  return `${duration.toFixed(2)} ms`;
}

/** `135,233` */
export function number(value: number): string {
  return value.toLocaleString('en');
}
