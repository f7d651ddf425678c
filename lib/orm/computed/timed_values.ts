import { hash } from 'node:crypto';
import type { EntityManager } from '@mikro-orm/core';
import { checkInteger } from '../../config/check.js';
import type { Serializer } from '../../config/options.js';
import { serializerKey } from '../../config/serializer.js';
import type { ReadCounts } from '../../observability/stats.js';
import type { EntryAddress, Seal, Store } from '../../store/store.js';
import { currentScope, type Ingredient, type Note, noting } from '../context/scope.js';
import type { LeaseParts } from '../protocol/lease.js';
import { dropNamed, namedDependency } from '../protocol/named_dependency.js';
import { KEYS } from '../protocol/virtual_tables.js';
import { Filler, type Target } from '../reads/fill.js';
import { type ReportedRead, reportFailure, reportRead, traceRead } from '../reads/read_report.js';
import { SingleFlight } from '../reads/single_flight.js';
import { CacheMiss, findOrCompute, type TimedCache } from './timed_cache.js';
import { Unstored } from './unstored.js';
import { decodeValue, encodeValue } from './value_codec.js';

export interface StoreCacheParts extends LeaseParts {
  /** the store without its wrappers, which several ORMs may share */
  readonly own: Store;
  /** other processes use it, too */
  readonly isShared: boolean;
  /** the global EntityManager of its ORM */
  readonly em: () => EntityManager;
  /** the name of the database, which the database is asked for once */
  readonly databaseName: () => Promise<string>;
  readonly enabled: boolean;
  readonly serializer: Serializer | undefined;
  /** the prefix of a key, by tenant for example */
  readonly prefix: (key: string) => string;
}

/** One of several values with the same key. */
export interface ValueVariant {
  /** differs from that of other variants */
  readonly text: string;
  /** the EntityManagers that influence it, each as text */
  readonly managers: readonly string[];
}

const NO_VARIANT: ValueVariant = { text: '', managers: [] };

interface Value {
  readonly value: unknown;
}

/** An hour, in seconds. */
const DEFAULT_TIMEOUT = 3600;

/**
 * Values by key that expire, in the store of the queries: in Redis, all processes share them.
 *
 * While the store is down, `get` misses and `set` stores nothing. `delete`, and `set` of a key with a value, are
 * invalidations, which are delivered later: see the option `onStoreFailure`.
 */
export class StoreCache implements TimedCache {
  readonly #parts: StoreCacheParts;
  readonly #flights = new SingleFlight();
  readonly #filler: Filler;
  readonly #format: string;

  constructor(parts: StoreCacheParts) {
    this.#parts = parts;
    this.#filler = new Filler(parts);
    this.#format = serializerKey(parts.serializer);
  }

  /** @internal the ORM's global EntityManager */
  get em(): EntityManager {
    return this.#parts.em();
  }

  /** @internal whether other processes share the values */
  get isShared(): boolean {
    return this.#parts.isShared;
  }

  /** @param variant @internal */
  async get<T = unknown>(key: string, variant: ValueVariant = NO_VARIANT): Promise<T> {
    const found = await noting(note =>
      traceRead(this.#parts.events, key, 'value', read => this.#look(key, variant, note, read)),
    );
    if (!found) {
      throw new CacheMiss(key);
    }
    return found.value as T;
  }

  async #look(
    key: string,
    variant: ValueVariant,
    note: Note,
    read: ReportedRead,
  ): Promise<Value | undefined> {
    const address = await this.#addressOf(key, variant);
    const found = await this.#find(address);
    note?.(found ? this.#ingredient(address!, found.seal(), DEFAULT_TIMEOUT, variant) : 'there was no value');
    this.#report(read, address, found !== undefined);
    return found;
  }

  /**
   * Also invalidates results that were computed from the previous value. The value is copied at once.
   *
   * @param pending @internal the variant, or a reason why nothing must be stored
   */
  async set(
    key: string,
    value: unknown,
    options: { timeout?: number } = {},
    pending: ValueVariant | Promise<ValueVariant | string> = NO_VARIANT,
  ): Promise<void> {
    const timeout = timeoutOf(options);
    const payload = this.#encode(value);
    currentScope().computation?.noteWrite();
    const variant = await pending;
    if (this.#isOff() || typeof variant === 'string') {
      return;
    }
    const address = await this.#addressOf(key, variant);
    if (!address) {
      return;
    }
    await dropNamed(this.#parts.store, KEYS, 'key', [
      this.#nameOf(key, await this.#parts.databaseName(), variant),
    ]);
    const target = this.#targetOf(key, address, timeout);
    const seal = await this.#filler.lease(target, false, undefined);
    if (seal !== undefined) {
      await this.#filler.store(target, seal, payload);
    }
  }

  async delete(key: string): Promise<void> {
    const { store, events } = this.#parts;
    currentScope().computation?.noteWrite();
    await dropNamed(store, KEYS, 'key', [this.#nameOf(key)]);
    events.announceInvalidation(() => ({ names: [{ op: 'value', name: key }] }));
  }

  /** @internal computes a value that is neither read nor stored */
  bypass<T>(key: string, reason: string, compute: () => Promise<T>): Promise<T> {
    return this.#followed(key, async read => {
      const value = await compute();
      this.#counts.bypassed++;
      reportRead(this.#parts.events, read, 'bypass', reason);
      return value;
    });
  }

  /** @param variant @internal */
  async through<T>(
    key: string,
    compute: () => Promise<T>,
    options: { timeout?: number } = {},
    variant: ValueVariant = NO_VARIANT,
  ): Promise<T> {
    const timeout = timeoutOf(options);
    return noting(note =>
      this.#followed(key, read => this.#through(key, compute, timeout, variant, note, read)),
    );
  }

  /** Reports the read if it fails. */
  #followed<T>(key: string, run: (read: ReportedRead) => Promise<T>): Promise<T> {
    const { events } = this.#parts;
    return traceRead(events, key, 'value', async read => {
      try {
        return await run(read);
      } catch (error) {
        if (error instanceof Unstored) {
          this.#report(read, undefined, false);
        } else {
          reportFailure(events, this.#counts, read, error);
        }
        throw error;
      }
    });
  }

  async #through<T>(
    key: string,
    compute: () => Promise<T>,
    timeout: number,
    variant: ValueVariant,
    note: Note,
    read: ReportedRead,
  ): Promise<T> {
    const address = this.#isOff() ? undefined : await this.#addressOf(key, variant);
    if (!address) {
      const value = await compute();
      note?.('disabled');
      this.#report(read, address, false);
      return value;
    }
    const result = await findOrCompute(
      this.#flights,
      address.key,
      () => this.#find(address),
      async () => {
        const target = this.#targetOf(key, address, timeout);
        const seal = await this.#filler.lease(target, false, undefined);
        const encoded = this.#encode(await compute());
        note?.(seal === undefined ? target.refusal! : this.#ingredient(address, seal, timeout, variant));
        if (seal !== undefined) {
          await this.#filler.store(target, seal, encoded);
        }
        return encoded;
      },
    );
    if ('found' in result) {
      const { value, seal } = result.found;
      note?.(this.#ingredient(address, seal(), timeout, variant));
      this.#report(read, address, true);
      return value as T;
    }
    this.#report(read, address, false);
    // a copy, because a value from the cache is a copy, too
    return this.#decode(result.computed) as T;
  }

  #ingredient({ tables }: EntryAddress, seal: Seal, timeout: number, { managers }: ValueVariant): Ingredient {
    return { tables, seal, timeout, store: this.#parts.own, managers };
  }

  get #counts(): ReadCounts {
    return this.#parts.events.stats.of('value', '');
  }

  #isOff(): boolean {
    return !this.#parts.enabled || currentScope().disabled === true;
  }

  /** `undefined` if the name of the database cannot be read */
  async #addressOf(key: string, variant: ValueVariant): Promise<EntryAddress | undefined> {
    let database: string;
    try {
      database = await this.#parts.databaseName();
    } catch (error) {
      this.#parts.events.reportError('read', error);
      return undefined;
    }
    const prefix = this.#parts.prefix(key);
    // the digest contains all parts, because their boundaries in the rest of the key are ambiguous
    const identity = JSON.stringify([prefix, key, database, variant.text, this.#format]);
    // one name deletes all variants, of all serializers
    const names = [this.#nameOf(key), this.#nameOf(key, database, variant)];
    return {
      key: `${prefix}key:${key}:${hash('sha256', identity, 'base64url')}`,
      tables: [
        { table: KEYS, dependencies: names.flatMap(name => namedDependency(KEYS, 'key', name).dependencies) },
      ],
    };
  }

  /** The name of all variants of a value, or of one. */
  #nameOf(key: string, database?: string, variant?: ValueVariant): string {
    return JSON.stringify([this.#parts.prefix(key), key, ...(variant ? [database, variant.text] : [])]);
  }

  async #find(address: EntryAddress | undefined): Promise<(Value & { seal: () => Seal }) | undefined> {
    if (!address || this.#isOff()) {
      return undefined;
    }
    try {
      const found = await this.#parts.store.read(address);
      return found?.moved.length === 0
        ? { value: this.#decode(found.payload), seal: () => found.carried() }
        : undefined;
    } catch (error) {
      this.#parts.events.reportError('read', error);
      return undefined;
    }
  }

  #targetOf(key: string, address: EntryAddress, timeout: number): Target {
    return { entity: key, op: 'value', counts: this.#counts, address, timeout };
  }

  #report(read: ReportedRead, address: EntryAddress | undefined, hit: boolean): void {
    const isOff = this.#isOff();
    this.#counts[isOff ? 'bypassed' : hit ? 'hits' : 'misses']++;
    const outcome = isOff ? 'bypass' : hit ? 'hit' : 'miss';
    const reason = isOff ? 'disabled' : hit ? undefined : 'miss';
    reportRead(this.#parts.events, read, outcome, reason, isOff ? undefined : address);
  }

  #encode(value: unknown): Uint8Array {
    return encodeValue(value, this.#parts.serializer);
  }

  #decode(payload: Uint8Array): unknown {
    return decodeValue(payload, this.#parts.serializer);
  }
}

function timeoutOf({ timeout = DEFAULT_TIMEOUT }: { timeout?: number }): number {
  return checkInteger(timeout, 1, 'timeout', 'seconds');
}
