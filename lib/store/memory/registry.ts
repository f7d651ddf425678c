import type { Dependency, Scheme } from '../../values/scheme.js';
import { idOf } from '../keys.js';
import { leastRoom, MAX_RECORDS, type TableLimits } from '../limits.js';
import type { Writer } from '../store.js';
import { token } from '../token.js';

/**
 * The schemes that readers of one table use, and the writers in flight on it. The rules are those of
 * `lib/store/redis/lua`.
 */
export class Registry {
  /** a nonce, while the writers that the previous registry knew may still be in flight */
  quarantine: string | undefined = token();
  readonly #schemes = new Map<string, KnownScheme>();
  readonly #writers = new Map<string, WriterRecord>();
  readonly #touched = new Map<string, Set<WriterRecord>>();
  readonly #everything = new Set<WriterRecord>();

  get schemes(): Scheme[] {
    return Array.from(this.#schemes.values(), known => known.scheme);
  }

  /**
   * Registers the schemes of a query, and makes them the most recently used.
   *
   * @returns whether older ones were forgotten. Writers will no longer delete the stamps of these, so the caller must
   *   delete the table's stamp.
   */
  use(dependencies: readonly Dependency[], { maxSchemes }: TableLimits): boolean {
    const missing = new Map<string, Scheme>();
    for (const { scheme } of dependencies) {
      const known = this.#schemes.get(scheme.id);
      if (known) {
        // keeps the map in the order of use
        this.#schemes.delete(scheme.id);
        this.#schemes.set(scheme.id, known);
      } else {
        missing.set(scheme.id, scheme);
      }
    }
    const inUse = new Set(dependencies.map(({ scheme }) => scheme.id));
    const excess = this.#schemes.size + missing.size - maxSchemes;
    const forgotten = excess > 0 && this.#forget(Math.max(excess, leastRoom(maxSchemes)), inUse);
    for (const scheme of missing.values()) {
      this.#schemes.set(scheme.id, { scheme, blind: new Set(this.#writers.values()) });
    }
    return forgotten;
  }

  #forget(count: number, inUse: ReadonlySet<string>): boolean {
    let left = count;
    for (const id of this.#schemes.keys()) {
      if (left === 0) {
        break;
      }
      if (!inUse.has(id)) {
        this.#schemes.delete(id);
        left--;
      }
    }
    return left < count;
  }

  /** The writers in flight that touch, or may touch, one of these dependencies. All of their schemes are registered. */
  blocking(dependencies: readonly Dependency[]): Set<WriterRecord> {
    const found = new Set(this.#everything);
    for (const dependency of dependencies) {
      for (const writer of this.#touched.get(idOf(dependency)) ?? []) {
        found.add(writer);
      }
      for (const writer of this.#schemes.get(dependency.scheme.id)?.blind ?? []) {
        found.add(writer);
      }
    }
    return found;
  }

  /** Is it too large to record so many more dependencies? */
  isFullFor(touched: number): boolean {
    return this.#schemes.size + this.#writers.size + this.#touched.size + touched > MAX_RECORDS;
  }

  /** @param touched ids, or `undefined` for everything */
  record({ id, xid }: Writer, touched: readonly string[] | undefined, now: number): void {
    let record = this.#writers.get(id);
    if (!record) {
      record = { id, xid, since: now, touched: new Set() };
      this.#writers.set(id, record);
    }
    // another mark shows that the writer is alive
    record.since = now;
    if (touched === undefined) {
      this.#everything.add(record);
      return;
    }
    for (const dependency of touched) {
      record.touched.add(dependency);
      const writers = this.#touched.get(dependency);
      if (writers) {
        writers.add(record);
      } else {
        this.#touched.set(dependency, new Set([record]));
      }
    }
  }

  settle(writerId: string): void {
    const record = this.#writers.get(writerId);
    if (!record) {
      return;
    }
    this.#writers.delete(writerId);
    this.#everything.delete(record);
    for (const dependency of record.touched) {
      const writers = this.#touched.get(dependency)!;
      writers.delete(record);
      if (writers.size === 0) {
        this.#touched.delete(dependency);
      }
    }
    for (const { blind } of this.#schemes.values()) {
      blind.delete(record);
    }
  }
}

interface KnownScheme {
  readonly scheme: Scheme;
  /** the writers in flight when it was registered: they did not know it, so they may touch any dependency of it */
  readonly blind: Set<WriterRecord>;
}

export interface WriterRecord extends Writer {
  /** milliseconds */
  since: number;
  readonly touched: Set<string>;
}
