import { checkInteger } from '../config/check.js';
import type { Serializer } from '../config/options.js';
import { serializerKey } from '../config/serializer.js';
import { type LeaseParts, takeLease } from '../orm/lease.js';
import { dropNamed, namedDependency } from '../orm/manual.js';
import { KEYS } from '../orm/pseudo_tables.js';
import { currentScope } from '../orm/scope.js';
import type { ReadCounts } from '../orm/stats.js';
import { channels, conclude, type ReadMessage, traced } from '../orm/tracing.js';
import type { EntryAddress } from '../store/store.js';
import { CacheMiss, type TimedCache } from './cache.js';
import { SingleFlight } from './single_flight.js';
import { decodeValue, encodeValue } from './value.js';

export interface StoreCacheParts extends LeaseParts {
  readonly enabled: boolean;
  readonly serializer: Serializer | undefined;
  /** what a key gets before it: by tenant, say */
  readonly prefix: (key: string) => string;
}

function nameOf(prefix: string, key: string): string {
  return `${prefix}key:${key}`;
}

interface Value {
  readonly value: unknown;
}

/** An hour, in seconds. */
const DEFAULT_TIMEOUT = 3600;

/**
 * Values by key in the store of the queries, for a time: in Redis, all processes share them.
 *
 * Where the store is down, `get` misses and `set` does nothing. `delete` is an invalidation, and as such never
 * forgotten: see the option `onStoreFailure`.
 */
export class StoreCache implements TimedCache {
  readonly #parts: StoreCacheParts;
  readonly #flights = new SingleFlight();
  readonly #format: string;

  constructor(parts: StoreCacheParts) {
    this.#parts = parts;
    this.#format = serializerKey(parts.serializer);
  }

  async get<T = unknown>(key: string): Promise<T> {
    const found = await this.#traced(key, message => this.#look(key, message));
    if (!found) {
      throw new CacheMiss(key);
    }
    return found.value as T;
  }

  async #look(key: string, message: ReadMessage | undefined): Promise<Value | undefined> {
    const started = performance.now();
    const address = this.#addressOf(key);
    const found = await this.#find(address);
    this.#tell(key, address, found !== undefined, started, message);
    return found;
  }

  async set(key: string, value: unknown, options: { timeout?: number } = {}): Promise<void> {
    const timeout = timeoutOf(options);
    const payload = this.#encode(value);
    if (this.#isOff()) {
      return;
    }
    const address = this.#addressOf(key);
    const seal = await takeLease(this.#parts, address, timeout, false, this.#counts);
    if (seal !== undefined) {
      await this.#fill(key, address, seal, payload, timeout);
    }
  }

  async delete(key: string): Promise<void> {
    const { store, events, prefix } = this.#parts;
    await dropNamed(store, KEYS, 'key', [nameOf(prefix(key), key)]);
    events.announceInvalidation(() => ({ names: [{ op: 'value', name: key }] }));
  }

  async through<T>(key: string, compute: () => Promise<T>, options: { timeout?: number } = {}): Promise<T> {
    const timeout = timeoutOf(options);
    return this.#traced(key, message => this.#through(key, compute, timeout, message));
  }

  async #through<T>(
    key: string,
    compute: () => Promise<T>,
    timeout: number,
    message: ReadMessage | undefined,
  ): Promise<T> {
    const started = performance.now();
    const address = this.#addressOf(key);
    if (this.#isOff()) {
      const value = await compute();
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
      this.#tell(key, address, true, started, message);
      return found.value as T;
    }
    const payload = await this.#flights.run(address.key, async () => {
      const seal = await takeLease(this.#parts, address, timeout, false, this.#counts);
      const made = this.#encode(await compute());
      if (seal !== undefined) {
        await this.#fill(key, address, seal, made, timeout);
      }
      return made;
    });
    this.#tell(key, address, false, started, message);
    // what comes from the cache is a copy, so this is one, too
    return this.#decode(payload) as T;
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

  #addressOf(key: string): EntryAddress {
    const prefix = this.#parts.prefix(key);
    // by whatever serializer it was written, it is deleted by the same name
    const name = nameOf(prefix, key);
    const entry = this.#format === '' ? name : `${prefix}key(${this.#format}):${key}`;
    return { key: entry, tables: [namedDependency(KEYS, 'key', name)] };
  }

  async #find(address: EntryAddress): Promise<Value | undefined> {
    if (this.#isOff()) {
      return undefined;
    }
    try {
      const found = await this.#parts.store.read(address);
      return found?.moved.length === 0 ? { value: this.#decode(found.payload) } : undefined;
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
    address: EntryAddress,
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
      ...(!isOff && { key: address.key, dependencies: [] }),
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
