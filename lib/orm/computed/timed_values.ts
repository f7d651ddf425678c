import { hash } from 'node:crypto';
import type { EntityManager } from '@mikro-orm/core';
import { checkInteger } from '../../config/check.js';
import type { Serializer } from '../../config/options.js';
import { serializerKey } from '../../config/serializer.js';
import type { ReadCounts } from '../../observability/stats.js';
import { channels, conclude, type ReadMessage, traced } from '../../observability/tracing.js';
import type { EntryAddress, Seal, Store } from '../../store/store.js';
import { currentScope, type Ingredient, type Note, noting } from '../context/scope.js';
import { type LeaseParts, REFUSED, takeLease } from '../protocol/lease.js';
import { dropNamed, namedDependency } from '../protocol/named_dependency.js';
import { KEYS } from '../protocol/virtual_tables.js';
import { SingleFlight } from './single_flight.js';
import { CacheMiss, type TimedCache } from './timed_cache.js';
import { decodeValue, encodeValue } from './value_codec.js';

export interface StoreCacheParts extends LeaseParts {
  /** the store itself, behind what guards it: ORMs may share one */
  readonly own: Store;
  /** it serves other processes, too */
  readonly isShared: boolean;
  /** the global one of its ORM */
  readonly em: () => EntityManager;
  /** tells the database from others; it is asked for that once */
  readonly databaseName: () => Promise<string>;
  readonly enabled: boolean;
  readonly serializer: Serializer | undefined;
  /** what a key gets before it: by tenant, say */
  readonly prefix: (key: string) => string;
}

/** What a value is told from others of its key by, and what is in its key then, so that it is no ingredient of others. */
export interface ValueVariant {
  readonly text: string;
  /** the EntityManagers that decide about it, each as text */
  readonly managers: readonly string[];
}

const NO_VARIANT: ValueVariant = { text: '', managers: [] };

interface Value {
  readonly value: unknown;
}

/** An hour, in seconds. */
const DEFAULT_TIMEOUT = 3600;

/**
 * Values by key in the store of the queries, for a time: in Redis, all processes share them.
 *
 * Where the store is down, `get` misses and `set` stores nothing. `delete`, and `set` of what was there before, are
 * invalidations, and as such never forgotten: see the option `onStoreFailure`.
 */
export class StoreCache implements TimedCache {
  readonly #parts: StoreCacheParts;
  readonly #flights = new SingleFlight();
  readonly #format: string;

  constructor(parts: StoreCacheParts) {
    this.#parts = parts;
    this.#format = serializerKey(parts.serializer);
  }

  /** @internal the ORM's global EntityManager */
  get em(): EntityManager {
    return this.#parts.em();
  }

  /** @internal whether values are for other processes, too */
  get isShared(): boolean {
    return this.#parts.isShared;
  }

  /** @param variant @internal */
  async get<T = unknown>(key: string, variant: ValueVariant = NO_VARIANT): Promise<T> {
    const found = await noting(note => this.#traced(key, message => this.#look(key, variant, note, message)));
    if (!found) {
      throw new CacheMiss(key);
    }
    return found.value as T;
  }

  async #look(
    key: string,
    variant: ValueVariant,
    note: Note,
    message: ReadMessage | undefined,
  ): Promise<Value | undefined> {
    const started = performance.now();
    const address = await this.#addressOf(key, variant);
    const found = await this.#find(address);
    note?.(found ? this.#ingredient(address!, found.seal, DEFAULT_TIMEOUT, variant) : 'there was no value');
    this.#tell(key, address, found !== undefined, started, message);
    return found;
  }

  /**
   * Also drops what was made of the value that was there before. The value is stored as it is now.
   *
   * @param pending @internal a reason why nothing is to be stored, or what tells it from others
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
    const seal = await takeLease(this.#parts, address, timeout, false, this.#counts);
    if (seal !== undefined) {
      await this.#fill(key, address, seal, payload, timeout);
    }
  }

  async delete(key: string): Promise<void> {
    const { store, events } = this.#parts;
    currentScope().computation?.noteWrite();
    await dropNamed(store, KEYS, 'key', [this.#nameOf(key)]);
    events.announceInvalidation(() => ({ names: [{ op: 'value', name: key }] }));
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
      this.#traced(key, message => this.#through(key, compute, timeout, variant, note, message)),
    );
  }

  async #through<T>(
    key: string,
    compute: () => Promise<T>,
    timeout: number,
    variant: ValueVariant,
    note: Note,
    message: ReadMessage | undefined,
  ): Promise<T> {
    const started = performance.now();
    const address = this.#isOff() ? undefined : await this.#addressOf(key, variant);
    if (!address) {
      const value = await compute();
      note?.('disabled');
      this.#tell(key, address, false, started, message);
      return value;
    }
    let found = await this.#find(address);
    const underWay = found ? undefined : this.#flights.underWay(address.key);
    if (underWay) {
      await underWay;
      // not what another has computed: that may have been deleted meanwhile
      found = await this.#find(address);
    }
    if (found) {
      note?.(this.#ingredient(address, found.seal, timeout, variant));
      this.#tell(key, address, true, started, message);
      return found.value as T;
    }
    const payload = await this.#flights.run(address.key, async () => {
      const seal = await takeLease(this.#parts, address, timeout, false, this.#counts);
      const made = this.#encode(await compute());
      note?.(seal === undefined ? REFUSED : this.#ingredient(address, () => seal, timeout, variant));
      if (seal !== undefined) {
        await this.#fill(key, address, seal, made, timeout);
      }
      return made;
    });
    this.#tell(key, address, false, started, message);
    // what comes from the cache is a copy, so this is one, too
    return this.#decode(payload) as T;
  }

  #ingredient(
    { tables }: EntryAddress,
    seal: () => Seal,
    timeout: number,
    { managers }: ValueVariant,
  ): Ingredient {
    return { tables, seal: seal(), timeout, store: this.#parts.own, managers };
  }

  #traced<T>(entity: string, run: (message: ReadMessage | undefined) => Promise<T>): Promise<T> {
    if (!channels.read.hasSubscribers) {
      return run(undefined);
    }
    const { events } = this.#parts;
    const message: ReadMessage = { entity, op: 'value', database: events.database, events };
    return traced(channels.read, message, () => run(message));
  }

  get #counts(): ReadCounts {
    return this.#parts.events.stats.of('value', '');
  }

  #isOff(): boolean {
    return !this.#parts.enabled || currentScope().disabled === true;
  }

  /** `undefined` if the database cannot say who it is */
  async #addressOf(key: string, variant: ValueVariant): Promise<EntryAddress | undefined> {
    let database: string;
    try {
      database = await this.#parts.databaseName();
    } catch (error) {
      this.#parts.events.reportError('read', error);
      return undefined;
    }
    const prefix = this.#parts.prefix(key);
    // all that tells it from others is in the digest: what stands before may end and begin anywhere
    const identity = JSON.stringify([prefix, key, database, variant.text, this.#format]);
    // whatever its variant and serializer are, it is deleted by one name
    const names = [this.#nameOf(key), this.#nameOf(key, database, variant)];
    return {
      key: `${prefix}key:${key}:${hash('sha256', identity, 'base64url')}`,
      tables: [
        { table: KEYS, dependencies: names.flatMap(name => namedDependency(KEYS, 'key', name).dependencies) },
      ],
    };
  }

  /** Of all variants of a value, or of one. */
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

  async #fill(
    key: string,
    address: EntryAddress,
    seal: string,
    payload: Uint8Array,
    timeout: number,
  ): Promise<void> {
    const { store, events } = this.#parts;
    try {
      await store.fill(address, seal, payload, timeout);
    } catch (error) {
      events.reportError('fill', error);
      return;
    }
    this.#counts.fills++;
    events.announce('fill', () => ({
      entity: key,
      op: 'value',
      key: address.key,
      dependencies: [],
      size: payload.length,
      timeout,
    }));
  }

  #tell(
    key: string,
    address: EntryAddress | undefined,
    hit: boolean,
    started: number,
    message: ReadMessage | undefined,
  ): void {
    const isOff = this.#isOff();
    const outcome = isOff ? 'bypass' : hit ? 'hit' : 'miss';
    const reason = isOff ? 'disabled' : hit ? undefined : 'miss';
    this.#counts[isOff ? 'bypassed' : hit ? 'hits' : 'misses']++;
    if (message) {
      conclude(message, outcome, reason, isOff ? undefined : address);
    }
    this.#parts.events.announce('read', () => ({
      entity: key,
      op: 'value',
      source: hit ? 'cache' : 'database',
      ...(reason !== undefined && { reason }),
      ...(!isOff && address && { key: address.key, dependencies: [] }),
      duration: performance.now() - started,
    }));
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
