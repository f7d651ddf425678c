import type { MikroORM } from '@mikro-orm/postgresql';
import { type Granularity, withGranularity } from '../../lib/config/granularity.js';
import { cacheops, getCacheops, MemoryStore } from '../../lib/index.js';
import { loadCatalog } from '../../lib/orm/catalog/catalog.js';
import { joinedRowLookup, type LookUpJoinedRows } from '../../lib/orm/reads/joined_row_lookup.js';
import { revalidate } from '../../lib/orm/reads/revalidation.js';
import type { WatchedTable } from '../../lib/query/watch.js';
import type { EntryAddress, Seal, Store, TableChange, Writer } from '../../lib/store/store.js';
import type { Scheme } from '../../lib/values/scheme.js';
import type { Query } from './queries.js';

const TIMEOUT = 86_400;

/** A store that records the entries that were last read, and all fills. */
class WatchedStore extends MemoryStore {
  last: readonly EntryAddress[] = [];
  readonly payloads = new Map<string, Uint8Array>();

  override read(address: EntryAddress): ReturnType<MemoryStore['read']> {
    this.last = [address];
    return super.read(address);
  }

  override readMany(addresses: readonly EntryAddress[]): ReturnType<MemoryStore['readMany']> {
    // the second read concerns only some of them
    this.last = addresses.length > this.last.length ? addresses : this.last;
    return super.readMany(addresses);
  }

  override fill(address: EntryAddress, seal: Seal, payload: Uint8Array, timeout: number): Promise<void> {
    this.payloads.set(address.key, Uint8Array.from(payload));
    return super.fill(address, seal, payload, timeout);
  }
}

type WatchedAddress = EntryAddress & { readonly tables: readonly WatchedTable[] };

/** A cache of one granularity. */
export class Subject {
  readonly granularity: Granularity;
  readonly store = new WatchedStore({ maxSize: 2 ** 30 });
  /** of each query; of a list of keys, those of its keys */
  readonly #entries: (readonly EntryAddress[])[] = [];
  #orm: MikroORM | undefined;
  #ask: LookUpJoinedRows | undefined;

  constructor(granularity: Granularity) {
    this.granularity = granularity;
  }

  async connect(join: (extension: ReturnType<typeof cacheops>) => Promise<MikroORM>): Promise<void> {
    const profiles = { '*': { ops: 'all', timeout: TIMEOUT } } as const;
    this.#orm = await join(cacheops(withGranularity({ profiles, store: this.store }, this.granularity)));
    const connection = this.#orm.em.getConnection();
    const catalog = await loadCatalog(sql => connection.execute(sql), undefined);
    this.#ask = joinedRowLookup(catalog, (sql, parameters) => connection.execute(sql, [...parameters]));
  }

  /** Runs the query, so that its result is cached. */
  async fill(query: Query, i: number): Promise<void> {
    this.store.last = [];
    await query.ask(this.#orm!.em.fork());
    await getCacheops(this.#orm!).idle();
    const { last, payloads } = this.store;
    if (last.length === 0 || !last.every(({ key }) => payloads.has(key))) {
      throw new Error(`A query is not cached: ${query.shape}.`);
    }
    this.#entries[i] = last;
  }

  /** Is the result cached? */
  async serves(i: number): Promise<boolean> {
    for (const address of this.#entries[i]!) {
      if (!(await this.#holds(address))) {
        return false;
      }
    }
    return true;
  }

  async #holds(address: EntryAddress): Promise<boolean> {
    const found = await this.store.read(address);
    if (!found) {
      return false;
    }
    const verdict = await revalidate(this.store, address as WatchedAddress, found, this.#ask);
    if (!verdict || 'cause' in verdict) {
      return false;
    }
    if (found.moved.length > 0) {
      await this.store.reseal(address, verdict.holds);
    }
    return true;
  }

  /** Stores the previous result again, which is still right. Running all queries again would take hours. */
  async restore(i: number): Promise<void> {
    for (const address of this.#entries[i]!) {
      const lease = await this.store.lease(address, TIMEOUT);
      if (!lease.granted) {
        throw new Error('A writer has not settled.');
      }
      await this.store.fill(address, lease.seal, this.store.payloads.get(address.key)!, TIMEOUT);
    }
  }

  async close(): Promise<void> {
    await this.#orm?.close();
  }
}

/** Passes the calls of a writer to all stores. */
export function toAll(stores: readonly Store[]): Store {
  const [first] = stores;
  const each = async (call: (store: Store) => Promise<unknown>): Promise<void> => {
    await Promise.all(stores.map(call));
  };
  return {
    read: async () => undefined,
    readMany: async addresses => addresses.map(() => undefined),
    reseal: async () => {},
    lease: address => first!.lease(address, TIMEOUT),
    fill: async () => {},
    mark: (writer: Writer, changes: readonly TableChange[]) => each(store => store.mark(writer, changes)),
    schemes: async (table: string): Promise<readonly Scheme[]> => {
      const schemes = await Promise.all(stores.map(store => store.schemes(table)));
      return [...new Map(schemes.flat().map(scheme => [scheme.id, scheme])).values()];
    },
    settle: (writer, tables) => each(store => store.settle(writer, tables)),
    lift: quarantine => each(store => store.lift(quarantine)),
    drop: tables => each(store => store.drop(tables)),
    clear: () => each(store => store.clear()),
    close: async () => {},
  };
}
