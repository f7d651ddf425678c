import type { EntityManager } from '@mikro-orm/pglite';
import { expect } from 'chai';
import { sourcesOf } from './observe.js';
import { snapshotOf } from './snapshot.js';
import type { Started } from './start.js';

export type Step = (em: EntityManager) => Promise<unknown>;

/** A write, and queries that it changes or not. */
export interface WritePath {
  readonly write: Step;
  /** queries with another result after the write */
  readonly changes: Step | readonly Step[];
  /** queries that must stay cached */
  readonly keeps?: readonly Step[];
}

/** Expects fresh results of queries that the write changes, and hits for the others. */
export async function expectNoticed(
  started: Started,
  { write, changes, keeps = [] }: WritePath,
): Promise<void> {
  const changing = [changes].flat() as Step[];
  const before = await Promise.all(changing.map(step => truth(started, step)));
  for (const step of [...changing, ...keeps]) {
    await cached(started, step);
  }
  await write(started.orm.em.fork());
  for (const [i, step] of changing.entries()) {
    const after = await truth(started, step);
    expect(after, 'the result that the write changes').not.to.equal(before[i]);
    expect(await answer(started, step), 'read after the write').to.equal(after);
  }
  for (const step of keeps) {
    const after = await truth(started, step);
    const sources = await sourcesOf(started.cache, async () => {
      expect(await answer(started, step)).to.equal(after);
    });
    expect(new Set(sources), `a query that the write does not change: ${step}`).to.deep.equal(
      new Set(['cache']),
    );
  }
  for (const step of [...changing, ...keeps]) {
    // no mark remains that prevents storing
    await cached(started, step);
  }
}

async function cached(started: Started, step: Step): Promise<void> {
  await answer(started, step);
  await started.cache.idle();
  const sources = await sourcesOf(started.cache, () => answer(started, step));
  expect(new Set(sources), 'what is read twice').to.deep.equal(new Set(['cache']));
}

async function answer({ orm }: Started, step: Step): Promise<string> {
  const em = orm.em.fork();
  return snapshotOf(em, await step(em));
}

function truth(started: Started, step: Step): Promise<string> {
  return started.cache.disabled(() => answer(started, step));
}
