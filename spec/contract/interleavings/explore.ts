import { hash } from 'node:crypto';
import type { Flaw } from './flaw.js';
import type { World } from './world.js';

export interface Exploration {
  /** number of complete histories */
  readonly interleavings: bigint;
  /** number of answers from the cache, all of them checked */
  readonly hits: number;
  /** the flaw with the shortest history, if any; the exploration stops there */
  readonly flaw: Flaw | undefined;
}

/** A point in one or more histories, with the path that reached it first. */
interface Moment {
  readonly before: Moment | undefined;
  /** index among the steps possible then */
  readonly step: number;
  /** number of histories that lead here */
  ways: bigint;
}

/**
 * Plays a cast's steps in every order: first all histories of one step, then all of two and so on. Histories that lead
 * to the same state are continued as one.
 *
 * @param open creates the initial state; every later state is replayed from it
 * @param mergesAlike if false, every history is played to its end
 */
export async function explore(open: () => Promise<World>, mergesAlike = true): Promise<Exploration> {
  let interleavings = 0n;
  let hits = 0;
  let moments: Moment[] = [{ before: undefined, step: -1, ways: 1n }];
  while (moments.length > 0) {
    const next = new Map<string, Moment>();
    for (const before of moments) {
      let world = await replay(open, before);
      const choices = world.steps().length;
      for (let step = 0; step < choices; step++) {
        world = step === 0 ? world : await replay(open, before);
        const moment: Moment = { before, step, ways: before.ways };
        const error = await errorOf(async () => {
          await world.take(world.steps()[step]!);
          await world.check();
        });
        if (error) {
          return { interleavings, hits, flaw: { error, history: await namesOf(open, moment) } };
        }
        hits += world.hits;
        const state = mergesAlike ? hash('sha256', world.state, 'base64') : String(next.size);
        const known = next.get(state);
        if (known) {
          known.ways += before.ways;
        } else {
          next.set(state, moment);
        }
      }
      if (choices === 0) {
        interleavings += before.ways;
        const error = await errorOf(() => world.close());
        if (error) {
          return { interleavings, hits, flaw: { error, history: await namesOf(open, before) } };
        }
      }
    }
    moments = [...next.values()];
  }
  return { interleavings, hits, flaw: undefined };
}

async function replay(open: () => Promise<World>, moment: Moment): Promise<World> {
  const world = await open();
  for (const step of stepsTo(moment)) {
    await world.take(world.steps()[step]!);
  }
  return world;
}

async function namesOf(open: () => Promise<World>, moment: Moment): Promise<string[]> {
  const world = await open();
  const names: string[] = [];
  for (const index of stepsTo(moment)) {
    const step = world.steps()[index]!;
    names.push(step.name);
    // the last step is the one that fails
    await errorOf(() => world.take(step));
  }
  return names;
}

function stepsTo(moment: Moment): number[] {
  const steps: number[] = [];
  for (let at = moment; at.before; at = at.before) {
    steps.push(at.step);
  }
  return steps.reverse();
}

async function errorOf(play: () => Promise<void>): Promise<Error | undefined> {
  try {
    await play();
    return undefined;
  } catch (error) {
    return error as Error;
  }
}
