import type { EntityManager, MikroORM } from '@mikro-orm/pglite';
import { expect } from 'chai';
import type { Cacheops } from '../../../lib/index.js';
import { readsOf } from './observe.js';
import { snapshotOf } from './snapshot.js';

/** Reads with an EntityManager of its own. */
export type Variant = (orm: MikroORM) => Promise<{ readonly em: EntityManager; readonly result: unknown }>;

/** Reads with a new fork. */
export function asking(read: (em: EntityManager) => Promise<unknown>): Variant {
  return async orm => {
    const em = orm.em.fork();
    return { em, result: await read(em) };
  };
}

/**
 * Expects that each variant returns what the database returns, in any order, that no two share a key, and that repeated
 * reads are hits.
 */
export async function expectIsolated(
  { orm, cache, uncached }: { orm: MikroORM; cache: Cacheops; uncached: MikroORM },
  variants: Readonly<Record<string, Variant>>,
): Promise<void> {
  const keys = new Map<string, string>();
  for (const round of ['filled', 'cached']) {
    for (const [name, variant] of Object.entries(variants)) {
      const expected = await snapshot(uncached, variant);
      const reads = await readsOf(cache, async () => {
        expect(await snapshot(orm, variant), `${name}, ${round}`).to.equal(expected);
      });
      for (const { key, source, reason } of reads) {
        expect(keys.get(key!) ?? name, 'who else has the key').to.equal(name);
        keys.set(key!, name);
        expect(source, `${name}: ${reason}`).to.equal(round === 'cached' ? 'cache' : source);
      }
    }
  }
}

async function snapshot(orm: MikroORM, variant: Variant): Promise<string> {
  const { em, result } = await variant(orm);
  return snapshotOf(em, result);
}
