import { isDeepStrictEqual } from 'node:util';
import type { Child } from './child.js';
import type { Setting } from './setting.js';
import type { Answer } from './tasks.js';

/** The party that takes the next step: the reader (lease, database, fill) or the writer (mark, commit, settle). */
export type Turn = 'reader' | 'writer';
export type Order = readonly Turn[];

/** All orders of two parties with three steps each. */
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
  /**
   * whether third parties read after every step from the commit on, or only at the end (their reads may fill the cache,
   * too)
   */
  readonly watched: boolean;
}

export interface Outcome {
  /** answers that were out of date when they were asked for */
  readonly stale: readonly string[];
  /** the reader got a lease, and has stored its result */
  readonly filled: boolean;
  /** number of reads compared with the database */
  readonly reads: number;
  /** number of hits among them */
  readonly hits: number;
}

export interface Cast {
  readonly setting: Setting;
  readonly reader: Child;
  readonly writer: Child;
}

/**
 * A reader after a miss and a writer, in separate processes, take their steps in a given order. Third parties read:
 * this process, and at the end also the reader and the writer.
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
  const compare = async (name: string, ask: Promise<Answer>) => {
    const { answer, hit } = await ask;
    reads++;
    hits += Number(hit);
    if (!isDeepStrictEqual(answer, after)) {
      stale.push(`${name} got ${JSON.stringify(answer)} in ${JSON.stringify(race)}`);
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
  for (const name of ['a third party', 'a third party, again']) {
    await compare(name, setting.do('ask', question, n));
  }
  await compare('the reader', reader.do('ask', question, n));
  await compare('the writer', writer.do('ask', question, n));
  return { stale, filled, reads, hits };
}
