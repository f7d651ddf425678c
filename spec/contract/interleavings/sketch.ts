import { idOf, Keys } from '../../../lib/store/keys.js';
import { joinLeases, type TableLease } from '../../../lib/store/leases.js';
import type {
  Dependency,
  EntryAddress,
  Found,
  Lease,
  Quarantine,
  Scheme,
  Seal,
  TableChange,
  TableDependencies,
  Writer,
} from '../../../lib/store/store.js';
import { touchedBy } from '../../../lib/store/touched.js';
import type { ExploredStore } from './explored_store.js';
import type { Keeps } from './rules.js';

const KEYS = new Keys('');

interface Registry {
  quarantine: string | undefined;
  /** in the order of their use */
  readonly schemes: Map<string, { readonly scheme: Scheme; readonly blind: Set<string> }>;
  /** what they touch; `undefined` for everything */
  readonly writers: Map<string, { readonly writer: Writer; readonly touched: readonly string[] | undefined }>;
}

/**
 * The store's part of the protocol and nothing else, with every rule in plain sight, so that one can be left out and
 * what is kept can be looked at.
 */
export class Sketch implements ExploredStore {
  readonly #entries = new Map<string, { readonly seal: Seal; readonly payload: Uint8Array }>();
  readonly #stamps = new Map<string, string>();
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
    const seal = entry.seal.split(',');
    const holds = stampKeys.every((stampKey, i) => {
      const stamp = this.#stamps.get(stampKey);
      return stamp === seal[i] || (stamp === undefined && !this.keeps('missing is a miss'));
    });
    return holds ? { payload: entry.payload, moved: [], seal: entry.seal } : undefined;
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
    const stampKeys = [keys.stamp, ...dependencies.map(dependency => keys.dependencies + idOf(dependency))];
    return { kind: 'granted', stamps: stampKeys.map(key => this.#stamp(key)) };
  }

  async fill({ key }: EntryAddress, seal: Seal, payload: Uint8Array): Promise<void> {
    this.#entries.set(KEYS.entry(key), { seal, payload });
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
      if (touched && this.keeps('mark deletes')) {
        for (const id of touched) {
          this.#stamps.delete(keys.dependencies + id);
        }
      }
      registry.writers.set(writer.id, { writer, touched });
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

  evict(key: string): void {
    this.#entries.delete(key);
    this.#stamps.delete(key);
    this.#registries.delete(key);
  }

  get state(): unknown {
    const registries = Array.from(this.#registries, ([key, { quarantine, schemes, writers }]) => [
      key,
      quarantine,
      this.#inOrder(Array.from(schemes, ([id, { blind }]) => [id, [...blind].sort()])),
      [...writers].sort(),
    ]);
    const entries = Array.from(this.#entries, ([key, { seal, payload }]) => [key, seal, String(payload)]);
    return [entries.sort(), [...this.#stamps].sort(), registries.sort()];
  }

  /** The order of use decides who makes room: nothing, as long as there is room. */
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

  #stamp(key: string): string {
    const stamp = this.#stamps.get(key) ?? (this.keeps('unique stamps') ? this.#token() : 'same');
    this.#stamps.set(key, stamp);
    return stamp;
  }

  /** Recognisable, so that states which differ in nothing but the tokens are one. */
  #token(): string {
    return `~${this.#tokens++}`;
  }
}
