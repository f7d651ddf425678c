import { dependenciesOf, idOf, Keys, type TableKeys } from '../../../lib/store/keys.js';
import { joinLeases, type TableLease } from '../../../lib/store/leases.js';
import type {
  EntryAddress,
  Found,
  Lease,
  Moved,
  Quarantine,
  Seal,
  TableChange,
  Writer,
} from '../../../lib/store/store.js';
import { isCounted, type Touch, touchedBy } from '../../../lib/store/touched.js';
import type { Dependency, Scheme, TableDependencies } from '../../../lib/values/scheme.js';
import type { ExploredStore } from './explored_store.js';
import type { Keeps } from './rules.js';

const KEYS = new Keys('');

interface Entry {
  /** identifies the seal on this payload */
  readonly id: string;
  readonly seal: Seal;
  readonly payload: Uint8Array;
}

interface Registry {
  quarantine: string | undefined;
  /** in the order of their use */
  readonly schemes: Map<string, { readonly scheme: Scheme; readonly blind: Set<string> }>;
  /** the dependencies that a writer changes; `undefined` for all */
  readonly writers: Map<string, { readonly writer: Writer; readonly touched: readonly string[] | undefined }>;
}

/**
 * A model of the store's part of the protocol. Each rule is explicit, so that a test can break it, and the state can be
 * read.
 */
export class ModelStore implements ExploredStore {
  readonly #entries = new Map<string, Entry>();
  readonly #stamps = new Map<string, string>();
  /** encoded deltas; the last one belongs to the stamp's current count */
  readonly #trails = new Map<string, readonly string[]>();
  readonly #registries = new Map<string, Registry>();
  #tokens = 0;

  constructor(
    readonly keeps: Keeps,
    readonly maxSchemes = Number.POSITIVE_INFINITY,
  ) {}

  async read(address: EntryAddress): Promise<Found | undefined> {
    const [key, ...stampKeys] = KEYS.ofAddress(address);
    const entry = this.#entries.get(key!);
    if (!entry) {
      return undefined;
    }
    const earlier = entry.seal.split(',');
    if (earlier.length !== stampKeys.length) {
      return undefined; // the same query, planned with another catalog
    }
    const later = stampKeys.map(stampKey => this.#stamps.get(stampKey));
    const moved: Moved[] = [];
    for (const [i, on] of dependenciesOf(address).entries()) {
      if (later[i] === earlier[i] || (later[i] === undefined && !this.keeps('missing is a miss'))) {
        continue;
      }
      const steps = on && this.#stepsBetween(on, earlier[i]!, later[i]);
      if (!steps) {
        return undefined;
      }
      moved.push({ ...on, steps: steps.map(step => JSON.parse(step)) });
    }
    const carried = () => earlier.join();
    return { payload: entry.payload, moved, seal: `${entry.id} ${later.join()}`, id: entry.id, carried };
  }

  #stepsBetween(
    { table, dependency }: Omit<Moved, 'steps'>,
    earlier: string,
    later: string | undefined,
  ): readonly string[] | undefined {
    const [from, to] = [earlier.split(':'), later?.split(':') ?? []];
    if (!isCounted(dependency.scheme) || from[0] !== to[0]) {
      return undefined;
    }
    const count = Number(to[1]) - Number(from[1]);
    const trail = this.#trails.get(KEYS.of(table).trails + idOf(dependency)) ?? [];
    return trail.length < count && this.keeps('whole delta log') ? undefined : trail.slice(-count);
  }

  async reseal(address: EntryAddress, found: Found): Promise<void> {
    const [key, ...stampKeys] = KEYS.ofAddress(address);
    const [id, seen] = found.seal.split(' ');
    const entry = this.#entries.get(key!);
    if (!entry || (entry.id !== id && this.keeps('same entry'))) {
      return;
    }
    const now = stampKeys.map(stampKey => this.#stamps.get(stampKey)).join();
    const seal = this.keeps('seal that was seen') ? seen! : now;
    this.#entries.set(key!, { ...entry, id: this.#token(), seal });
  }

  async lease({ tables }: EntryAddress): Promise<Lease> {
    return joinLeases(
      tables,
      tables.map(table => this.#leaseTable(table)),
    );
  }

  #leaseTable({ table, dependencies }: TableDependencies): TableLease {
    const keys = KEYS.of(table);
    const registry = this.#registries.get(keys.registry) ?? this.#renew(table, 'lease');
    this.#use(table, registry, dependencies);
    if (registry.quarantine) {
      return { kind: 'quarantine', nonce: registry.quarantine };
    }
    const writers = [...registry.writers.values()]
      .filter(({ writer, touched }) =>
        dependencies.some(
          dependency =>
            (touched === undefined && this.keeps('record of a wide writer')) ||
            (touched?.includes(idOf(dependency)) && this.keeps('record of a writer')) ||
            (registry.schemes.get(dependency.scheme.id)?.blind.has(writer.id) &&
              this.keeps('unknown schemes')),
        ),
      )
      .map(({ writer }) => ({ ...writer, age: 0 }));
    if (writers.length > 0) {
      return { kind: 'writers', writers };
    }
    const stamps = dependencies.map(dependency => {
      const id = idOf(dependency);
      return isCounted(dependency.scheme)
        ? this.#stamp(keys.dependencies + id, keys.trails + id)
        : this.#stamp(keys.dependencies + id);
    });
    return { kind: 'granted', stamps: [this.#stamp(keys.stamp), ...stamps] };
  }

  async fill({ key }: EntryAddress, seal: Seal, payload: Uint8Array): Promise<void> {
    this.#entries.set(KEYS.entry(key), { id: this.#token(), seal, payload });
  }

  async mark(writer: Writer, changes: readonly TableChange[]): Promise<void> {
    for (const change of changes) {
      const keys = KEYS.of(change.table);
      const registry = this.#registries.get(keys.registry) ?? this.#renew(change.table, 'mark');
      const schemes = Array.from(registry.schemes.values(), ({ scheme }) => scheme);
      const touched = touchedBy(change, schemes, Number.POSITIVE_INFINITY);
      if (touched === undefined && this.keeps('wide mark deletes')) {
        this.#stamps.delete(keys.stamp);
      }
      for (const touch of touched ?? []) {
        this.#touch(keys, touch);
      }
      registry.writers.set(writer.id, { writer, touched: touched?.map(({ id }) => id) });
    }
  }

  #touch({ dependencies, trails }: TableKeys, { id, counted, steps }: Touch): void {
    const stamp = this.#stamps.get(dependencies + id);
    if (!steps) {
      if (this.keeps(counted ? 'vague mark deletes' : 'mark deletes')) {
        this.#stamps.delete(dependencies + id);
      }
    } else if (stamp !== undefined) {
      const [token, count] = stamp.split(':');
      this.#trails.set(trails + id, [...(this.#trails.get(trails + id) ?? []), ...steps]);
      if (this.keeps('mark counts')) {
        this.#stamps.set(dependencies + id, `${token}:${Number(count) + steps.length}`);
      }
    }
  }

  async settle(writerId: string, tables: readonly string[]): Promise<void> {
    for (const table of tables) {
      const registry = this.#registries.get(KEYS.of(table).registry);
      registry?.writers.delete(writerId);
      for (const { blind } of registry?.schemes.values() ?? []) {
        blind.delete(writerId);
      }
    }
  }

  async lift({ table, nonce }: Quarantine): Promise<void> {
    const registry = this.#registries.get(KEYS.of(table).registry);
    if (registry && (registry.quarantine === nonce || !this.keeps('lift by nonce'))) {
      registry.quarantine = undefined;
    }
  }

  async drop(tables: readonly string[]): Promise<void> {
    for (const table of tables) {
      this.#stamps.delete(KEYS.of(table).stamp);
    }
  }

  evict(key: string): void {
    this.#entries.delete(key);
    this.#stamps.delete(key);
    this.#trails.delete(key);
    this.#registries.delete(key);
  }

  get state(): unknown {
    const registries = Array.from(this.#registries, ([key, { quarantine, schemes, writers }]) => [
      key,
      quarantine,
      this.#inOrder(Array.from(schemes, ([id, { blind }]) => [id, [...blind].sort()])),
      [...writers].sort(),
    ]);
    const entries = Array.from(this.#entries, ([key, { id, seal, payload }]) => [
      key,
      id,
      seal,
      String(payload),
    ]);
    return [entries.sort(), [...this.#stamps].sort(), [...this.#trails].sort(), registries.sort()];
  }

  /** The order of use decides which scheme is evicted: it does not matter while there is room. */
  #inOrder<T>(schemes: T[]): T[] {
    return Number.isFinite(this.maxSchemes) ? schemes : schemes.sort();
  }

  #renew(table: string, by: 'lease' | 'mark'): Registry {
    const keys = KEYS.of(table);
    if (this.keeps(`lost registry, ${by}`)) {
      this.#stamps.delete(keys.stamp);
    }
    const quarantine = this.keeps(`quarantine, ${by}`) ? this.#token() : undefined;
    const registry: Registry = { quarantine, schemes: new Map(), writers: new Map() };
    this.#registries.set(keys.registry, registry);
    return registry;
  }

  #use(table: string, { schemes, writers }: Registry, dependencies: readonly Dependency[]): void {
    const wanted = new Map(dependencies.map(({ scheme }) => [scheme.id, scheme]));
    for (const [id, scheme] of wanted) {
      const known = schemes.get(id);
      schemes.delete(id);
      schemes.set(id, known ?? { scheme, blind: new Set(writers.keys()) });
    }
    for (const id of schemes.keys()) {
      const mayGo = !wanted.has(id) || !this.keeps('schemes in use');
      if (schemes.size > this.maxSchemes && mayGo) {
        schemes.delete(id);
        if (this.keeps('forgotten schemes')) {
          this.#stamps.delete(KEYS.of(table).stamp);
        }
      }
    }
  }

  #stamp(key: string, trailKey?: string): string {
    let stamp = this.#stamps.get(key);
    if (stamp === undefined) {
      stamp = this.keeps('unique stamps') ? this.#token() : 'same';
      if (trailKey !== undefined) {
        stamp += ':0';
        this.#trails.delete(trailKey);
      }
      this.#stamps.set(key, stamp);
    }
    return stamp;
  }

  /** Predictable, so that states which differ only in tokens are merged. */
  #token(): string {
    return `~${this.#tokens++}`;
  }
}
