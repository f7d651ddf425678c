import { describeCause } from '../../observability/describe.js';
import type { CacheopsEvents } from '../../observability/events.js';
import type { EntryAddress, Found, Lease, Store } from '../../store/store.js';
import type { AddBackground } from '../context/background.js';
import type { Session } from '../context/session.js';
import type { Planned } from '../planning/plan.js';
import { type FillLock, FillLocks } from '../protocol/fill_lock.js';
import type { Auditor } from './auditor.js';
import { type DatabaseReader, encodeIfStorable } from './database_reader.js';
import type { DeferredFills } from './deferred_fills.js';
import type { Filler, Target } from './fill.js';
import type { LookUpJoinedRows } from './joined_row_lookup.js';
import type { KnownKeys } from './known_keys.js';
import type { Request } from './request.js';
import type { ResultCodec } from './result_codec.js';
import { reseal, revalidate } from './revalidation.js';
import type { Pending, SingleFlight } from './single_flight.js';

export interface QueryReaderParts {
  readonly store: Store;
  readonly events: CacheopsEvents;
  readonly codec: ResultCodec;
  readonly background: AddBackground;
  readonly filler: Filler;
  readonly fills: DeferredFills;
  readonly flights: SingleFlight;
  readonly known: KnownKeys;
  readonly reader: DatabaseReader;
  readonly auditor: Auditor | undefined;
  readonly joinedRows: () => LookUpJoinedRows | undefined;
}

/** A read whose result has one entry. */
export interface QueryRead {
  readonly request: Request;
  readonly plan: Planned;
  /** seconds */
  readonly timeout: number;
  /** one process reads, while the others wait */
  readonly lock: boolean;
  readonly session: Session | undefined;
}

export interface ReadResult {
  readonly result: unknown;
  /** why it was a miss, or `shared`: another caller has asked the database; `undefined`: it was a hit */
  readonly cause: string | undefined;
}

/** A result that another caller has read. */
interface Shared {
  readonly result: unknown;
  readonly payload: Uint8Array;
}

/** Reads the result of one query from the store, or from the database. */
export class QueryReader {
  readonly #parts: QueryReaderParts;
  readonly #locks: FillLocks;

  constructor(parts: QueryReaderParts) {
    this.#parts = parts;
    this.#locks = new FillLocks(parts.store, parts.background);
  }

  async read(query: QueryRead): Promise<ReadResult> {
    const { request, plan, session } = query;
    const finding = this.#find(plan, request);
    const early = this.#askLease(query);
    const entry = await finding;
    if (entry && 'result' in entry) {
      if (!session) {
        this.#parts.auditor?.sample(request, plan, entry.found);
      }
      return { result: entry.result, cause: undefined };
    }
    const { result, isShared } = await this.#miss(query, early);
    return { result, cause: isShared ? 'shared' : (entry?.cause ?? 'miss') };
  }

  /** With a fill lock, another process may fill the entry while this one waits, so the lease comes later. */
  #askLease({ request, plan, timeout, lock }: QueryRead): Promise<Lease> | undefined {
    const { known, filler } = this.#parts;
    return !lock && known.areNew([plan.address.key])
      ? filler.askLease([plan.address], timeout, request.catalog!)
      : undefined;
  }

  /** Asks the database, or waits for another caller that is about to: see {@link SingleFlight}. */
  async #miss(
    query: QueryRead,
    early: Promise<Lease> | undefined,
  ): Promise<{ readonly result: unknown; readonly isShared: boolean }> {
    const { request, plan, session } = query;
    const { flights, filler, reader, codec } = this.#parts;
    const { key } = plan.address;
    const mayShare = canShare(request, session);
    const joined = mayShare ? flights.joinable(key, request.beganAt) : undefined;
    const shared =
      joined &&
      ((await this.#join(joined, request, true)) ?? (query.lock && (await this.#findShared(plan, request))));
    if (shared) {
      return { result: shared.result, isShared: true };
    }
    // a caller that has waited in vain asks by itself, at the same time as the others
    const pending = mayShare && !joined ? flights.open(key) : undefined;
    let payload: Uint8Array | undefined;
    let stored: Promise<void> | undefined;
    let lock: FillLock | undefined;
    try {
      if (query.lock && pending) {
        const taken = await this.#locks.take(key, () => {
          pending.sentAt = flights.now();
          return this.#findShared(plan, request);
        });
        if ('found' in taken) {
          payload = taken.found.payload;
          return { result: taken.found.result, isShared: true };
        }
        lock = taken;
      }
      const target = targetOf(request, plan.address, query.timeout);
      const seal = await filler.lease(target, session !== undefined, request.catalog, early);
      const other = mayShare && seal !== undefined ? flights.sealedWith(key, seal) : undefined;
      if (other) {
        if (pending) {
          // a caller may have joined it after the lease
          flights.settle(pending, undefined);
        }
        const theirs = await this.#join(other, request, false);
        if (theirs) {
          return { result: theirs.result, isShared: true };
        }
      } else if (pending) {
        flights.send(pending, seal);
      }
      const asked = await reader.ask(request, session);
      const isWanted = seal !== undefined || pending?.isJoined;
      const encoded = isWanted ? encodeIfStorable(codec, request, plan, asked) : undefined;
      payload = encoded instanceof Uint8Array ? encoded : undefined;
      stored = filler.store(target, seal, encoded);
      return { result: asked.result, isShared: false };
    } finally {
      if (pending) {
        flights.settle(pending, payload);
      }
      lock?.release(stored);
    }
  }

  /** @param early it was joined before it was sent */
  async #join(pending: Pending, request: Request, early: boolean): Promise<Shared | undefined> {
    const payload = await pending.join();
    return payload && (!early || request.beganAt < pending.sentAt)
      ? this.#share(payload, request)
      : undefined;
  }

  /** The result that another process has stored by now. */
  async #findShared(plan: Planned, request: Request): Promise<Shared | undefined> {
    const entry = await this.#find(plan, request);
    return entry && 'found' in entry ? this.#share(entry.found.payload, request) : undefined;
  }

  #share(payload: Uint8Array, { kind, counts }: Request): Shared | undefined {
    try {
      const result = this.#parts.codec.decode(kind, payload);
      counts.shared++;
      return { result, payload };
    } catch (error) {
      this.#parts.events.reportError('read', error);
      return undefined;
    }
  }

  async #find(
    { address }: Planned,
    { kind, options: { ctx }, counts }: Request,
  ): Promise<{ result: unknown; found: Found } | { cause: string } | undefined> {
    const { store, events, codec, fills, joinedRows } = this.#parts;
    fills.sendNow(address.key);
    try {
      const found = await store.read(address);
      if (!found || found.moved.length === 0) {
        return found && { result: codec.decode(kind, found.payload), found };
      }
      // in a transaction nothing is looked up, because a statement that fails would abort the transaction
      const revalidated = await revalidate(store, address, found, ctx ? undefined : joinedRows());
      if (!revalidated || 'cause' in revalidated) {
        return revalidated && { cause: describeCause(revalidated.cause) };
      }
      const { holds } = revalidated;
      const result = codec.decode(kind, holds.payload);
      reseal(this.#parts, address, holds, counts);
      return { result, found: holds };
    } catch (error) {
      events.reportError('read', error);
      return undefined;
    }
  }
}

/** What a transaction reads is its own, and a caller that may cancel must not wait for others. */
export function canShare({ options }: Request, session: Session | undefined): boolean {
  return !session && !options.signal;
}

export function targetOf({ subject, op, counts }: Request, address: EntryAddress, timeout: number): Target {
  return { entity: subject.className, op, counts, address, timeout };
}
