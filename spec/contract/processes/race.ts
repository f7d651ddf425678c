import { isDeepStrictEqual } from 'node:util';
import type { Child } from './child.js';
import type { Setting } from './setting.js';
import type { Answer } from './tasks.js';

/** Who takes the next step: the reader (lease, database, fill) or the writer (mark, commit, settle). */
export type Turn = 'reader' | 'writer';
export type Order = readonly Turn[];

/** All orders in which two parties can take three steps each. */
export const ORDERS: readonly Order[] = orders(3, 3);

function orders(reader: number, writer: number): Order[] {
  if (reader === 0 && writer === 0) {
    return [[]];
  }
  return [
    ...(reader > 0 ? orders(reader - 1, writer).map(rest => ['reader' as const, ...rest]) : []),
    ...(writer > 0 ? orders(reader, writer - 1).map(rest => ['writer' as const, ...rest]) : []),
  ];
}

export interface Race {
  readonly question: string;
  readonly n: number;
  readonly order: Order;
  /** whether others read at every step after the commit, or only when all is over (they might fill the cache, too) */
  readonly watched: boolean;
}

export interface Outcome {
  /** answers that the database would not have given any more */
  readonly stale: readonly string[];
  /** the reader was given a lease, and has stored what it read */
  readonly filled: boolean;
  /** reads that were compared with what the database said */
  readonly reads: number;
  /** those of them that the cache has answered */
  readonly hits: number;
}

export interface Cast {
  readonly setting: Setting;
  readonly reader: Child;
  readonly writer: Child;
}

/**
 * A reader that has missed and a writer, in processes of their own, take their steps in a given order, and third
 * parties read: this process, and in the end the reader and the writer as well.
 */
export async function runRace({ setting, reader, writer }: Cast, race: Race): Promise<Outcome> {
  const { question, n, order, watched } = race;
  const reading = reader.stepwise('ask', question, n);
  const writing = writer.stepwise('change', question, n);
  await reading.upTo('lease');
  await writing.upTo('mark');
  const { answer: before } = await setting.doUncached<Answer>('ask', question, n);

  const stale: string[] = [];
  let after: unknown;
  let reads = 0;
  let hits = 0;
  const compare = async (who: string, ask: Promise<Answer>) => {
    const { answer, hit } = await ask;
    reads++;
    hits += Number(hit);
    if (!isDeepStrictEqual(answer, after)) {
      stale.push(`${who} was answered ${JSON.stringify(answer)} in ${JSON.stringify(race)}`);
    }
  };
  let filled = false;
  for (const turn of order) {
    if (turn === 'reader') {
      filled ||= (await reading.next()) === 'fill';
    } else if ((await writing.next()) === 'settle') {
      after = (await setting.doUncached<Answer>('ask', question, n)).answer;
      if (isDeepStrictEqual(before, after)) {
        throw new Error(`The change of "${question}" changes nothing.`);
      }
    }
    if (watched && after !== undefined) {
      await compare('a third party', setting.do('ask', question, n));
    }
  }
  await Promise.all([reading.toTheEnd(), writing.toTheEnd()]);

  // the second time, from the cache
  for (const who of ['a third party', 'a third party, again']) {
    await compare(who, setting.do('ask', question, n));
  }
  await compare('the reader', reader.do('ask', question, n));
  await compare('the writer', writer.do('ask', question, n));
  return { stale, filled, reads, hits };
}
