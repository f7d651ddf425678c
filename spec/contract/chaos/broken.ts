import { Redis } from 'ioredis';
import { GuardedStore } from '../../../lib/store/guarded_store.js';
import type { RedisStore } from '../../../lib/store/redis/redis_store.js';

/**
 * Rules that keep invalidations from being lost. Each can be broken in a short-lived process, to show that it is
 * needed.
 */
export const RULES = {
  kept: 'a failed mark is kept, or fails its transaction',
  repeated: 'the mark of an undecided transaction is repeated when the store is back',
  'not trusted': 'a store that lacks an invalidation is not trusted',
  'delivered at the end': 'missing invalidations are delivered before a process ends',
  quarantine: 'a lost registry is in quarantine',
  epoch: 'the stamps of another server are invalid',
} as const;

export type Rule = keyof typeof RULES;

/** Breaks a rule in this process permanently. */
export function breakRule(rule: Rule, store: RedisStore): void {
  BREAKING[rule](store, GuardedStore.prototype);
}

const BREAKING: Record<Rule, (store: RedisStore, bounded: GuardedStore) => void> = {
  kept: (store, bounded) => {
    bounded.mark = async (...args) => {
      await store.mark(...args).catch(() => {});
    };
  },
  repeated: (store, bounded) => {
    const [markOfStore, mark] = [store.mark, bounded.mark];
    const marking = new Set<string>();
    bounded.mark = async function (this: GuardedStore, writer, changes) {
      marking.add(writer.id);
      await mark.call(this, writer, changes).finally(() => marking.delete(writer.id));
    };
    store.mark = async (writer, changes) => {
      if (marking.has(writer.id)) {
        await markOfStore.call(store, writer, changes);
      }
    };
  },
  'not trusted': (store, bounded) => {
    bounded.read = address => store.read(address).catch(() => undefined);
    bounded.readMany = addresses => store.readMany(addresses).catch(() => addresses.map(() => undefined));
  },
  'delivered at the end': (_store, bounded) => {
    bounded.flush = async () => {};
  },
  quarantine: store => {
    const { lease } = store;
    store.lease = async (address, ttl) => {
      const refused = await lease.call(store, address, ttl);
      if (refused.granted) {
        return refused;
      }
      await Promise.all(refused.quarantines.map(quarantine => store.lift(quarantine)));
      return lease.call(store, address, ttl);
    };
  },
  epoch: () => {
    const same = 'run_id:same\r\nmaster_replid:same\r\nrole:master\r\n';
    Redis.prototype.info = async (...args: unknown[]) => {
      // the client sends INFO as well, to check that the server is ready
      const callback = args.at(-1) as ((error: null, info: string) => void) | undefined;
      callback?.(null, same);
      return same;
    };
  },
};
