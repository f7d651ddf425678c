import { describeCause } from '../../observability/describe.js';
import type { Key, KeyList } from '../../query/key_list.js';
import { withKeys } from '../../query/key_list.js';
import { mergeInOrder, partitionByKey, placesOf } from '../../query/key_rows.js';
import type { Found, Lease } from '../../store/store.js';
import type { Session } from '../context/session.js';
import type { KeyPlans } from '../planning/key_list_planner.js';
import type { Planned } from '../planning/plan.js';
import { type DatabaseResult, encodeWithBounds, obstacleTo } from './database_reader.js';
import { canShare, type QueryReaderParts, type ReadResult, targetOf } from './query_reader.js';
import type { Request } from './request.js';
import type { Unstorable } from './result_codec.js';
import { reseal, revalidate } from './revalidation.js';
import type { Pending } from './single_flight.js';

/** A find by a list of keys. */
export interface KeyListRead {
  readonly request: Request;
  readonly list: KeyList;
  readonly keys: KeyPlans;
  /** seconds */
  readonly timeout: number;
  readonly session: Session | undefined;
}

type Rows = Record<string, unknown>[];

/** What was found for a key: an entry that holds, or why there is none. */
type Entry = { readonly found: Found } | { readonly cause: string };

/** What the database has given for some of the keys. */
interface Asked {
  readonly result: unknown;
  /** the rows of each of these keys; `undefined`: not known, or another session might be given others */
  readonly parts: readonly Rows[] | undefined;
}

const MISS: Entry = { cause: 'miss' };
const UNKNOWN_KEY: Unstorable = { reason: 'a row whose key is unknown' };

/**
 * Answers finds by lists of keys key by key: each key has an entry of its own, with its own dependencies. The entries
 * that hold are used, and the database is asked for the other keys by one statement.
 *
 * The result must be as consistent as the one statement that it replaces: there has to be one moment at which the
 * database would have given all of it.
 *
 * - If all entries were found, it is the moment at which the store has read them (`Store.readMany`): an entry
 *   holds as long as no writer has marked what it depends on, and writers mark before they commit.
 * - If some were missing, it is the moment of the statement that asks the database for them. A transaction may have
 *   committed between the read of the store and that statement, which then gives new rows beside old ones. So the store
 *   is read once more *after* the database has answered. If all entries that were found are still there, the same and
 *   valid, they have held all the while, also at the moment of the statement.
 * - Otherwise, or if another session might have been given other rows (because the transaction has written meanwhile,
 *   for example), the database is asked for the whole list.
 */
export class KeyListReader {
  readonly #parts: QueryReaderParts;

  constructor(parts: QueryReaderParts) {
    this.#parts = parts;
  }

  async read(list: KeyListRead): Promise<ReadResult> {
    const all = [...list.keys.plans.keys()];
    const finding = this.#find(list, all);
    const early = this.#askLease(list);
    const entries = await finding;
    const missing = all.filter(i => 'cause' in entries[i]!);
    if (missing.length === 0) {
      const result = this.#combine(list, entries);
      if (result) {
        this.#use(list, all, entries);
        return { result, cause: undefined };
      }
    }
    const [first = MISS] = missing.map(i => entries[i]!);
    const { cause } = first as { readonly cause: string };
    const isPart = missing.length > 0 && missing.length < all.length;
    const result = isPart ? await this.#complete(list, entries, missing) : undefined;
    return result ? { result, cause } : this.#askForAll(list, all, cause, early);
  }

  #askLease({ request, keys: { plans }, timeout }: KeyListRead): Promise<Lease> | undefined {
    const { known, filler } = this.#parts;
    const addresses = plans.map(({ address }) => address);
    return known.areNew(addresses.map(({ key }) => key))
      ? filler.askLease(addresses, timeout, request.catalog!)
      : undefined;
  }

  /** Of several callers that miss a whole list at the same time, one asks the database: see single_flight.ts. */
  async #askForAll(
    list: KeyListRead,
    all: readonly number[],
    cause: string,
    early: Promise<Lease> | undefined,
  ): Promise<ReadResult> {
    const { request, keys, session } = list;
    const { flights, codec } = this.#parts;
    const mayShare = canShare(request, session);
    const key = keys.plans.map(({ address }) => address.key).join(' ');
    const joined = mayShare ? flights.joinable(key, request.beganAt) : undefined;
    const theirs = joined && (await joined.join());
    if (theirs && request.beganAt < joined.sentAt) {
      request.counts.shared++;
      return { result: codec.decode('find', theirs), cause: 'shared' };
    }
    // a caller that has waited in vain asks by itself, at the same time as the others
    const pending = mayShare && !joined ? flights.open(key) : undefined;
    let payload: Uint8Array | undefined;
    try {
      const { result, parts } = await this.#ask(list, all, pending, early);
      const encoded = pending?.isJoined && parts ? codec.encode('find', result) : undefined;
      payload = encoded instanceof Uint8Array ? encoded : undefined;
      return { result, cause };
    } finally {
      if (pending) {
        flights.settle(pending, payload);
      }
    }
  }

  /** Asks for the missing keys, and adds their rows to the entries if these have held all the while. */
  async #complete(
    list: KeyListRead,
    entries: readonly Entry[],
    missing: readonly number[],
  ): Promise<Rows | undefined> {
    const { parts } = await this.#ask(list, missing);
    if (!parts) {
      return undefined;
    }
    const held = [...entries.keys()].filter(i => 'found' in entries[i]!);
    const again = await this.#find(list, held);
    if (!held.every((i, n) => isSame(entries[i]!, again[n]!))) {
      return undefined;
    }
    const asked = new Map(missing.map((i, n) => [i, parts[n]!]));
    const result = this.#combine(list, entries, asked);
    if (result) {
      this.#use(list, held, again);
    }
    return result;
  }

  /** Takes one round trip, and a second one if changes have to be revalidated. */
  async #find({ keys: { plans } }: KeyListRead, indices: readonly number[]): Promise<Entry[]> {
    const { store, fills, events } = this.#parts;
    const addresses = indices.map(i => plans[i]!.address);
    try {
      for (const { key } of addresses) {
        fills.sendNow(key);
      }
      const entries = await store.readMany(addresses);
      return await Promise.all(indices.map((i, n) => this.#revalidate(plans[i]!, entries[n])));
    } catch (error) {
      events.reportError('read', error);
      return indices.map(() => MISS);
    }
  }

  /** Looks up no joined rows, because entries must be as they were when all were read together. */
  #revalidate({ address }: Planned, found: Found | undefined): Entry | Promise<Entry> {
    if (!found || found.moved.length === 0) {
      return found ? { found } : MISS;
    }
    return revalidate(this.#parts.store, address, found).then(revalidated =>
      !revalidated
        ? MISS
        : 'cause' in revalidated
          ? { cause: describeCause(revalidated.cause) }
          : { found: revalidated.holds },
    );
  }

  /** @param asked rows of the keys without an entry */
  #combine(
    { keys: { family } }: KeyListRead,
    entries: readonly Entry[],
    asked?: ReadonlyMap<number, Rows>,
  ): Rows | undefined {
    const { codec, events } = this.#parts;
    try {
      const parts = entries.map((each, i) =>
        'found' in each ? (codec.decode('find', each.found.payload) as Rows) : asked!.get(i)!,
      );
      return mergeInOrder(parts, family.order) as Rows | undefined;
    } catch (error) {
      events.reportError('read', error);
      return undefined;
    }
  }

  /** Reseals the entries that were used. At most one of them is audited, because together they are one hit. */
  #use(
    { request, list, keys, session }: KeyListRead,
    indices: readonly number[],
    entries: readonly Entry[],
  ): void {
    const audited = session ? undefined : Math.floor(Math.random() * entries.length);
    for (const [n, each] of entries.entries()) {
      const plan = keys.plans[indices[n]!]!;
      if ('found' in each && each.found.moved.length > 0) {
        reseal(this.#parts, plan.address, each.found, request.counts);
      }
      if ('found' in each && n === audited) {
        this.#parts.auditor?.sample(onlyOf(request, list, [list.keys[indices[n]!]!]), plan, each.found);
      }
    }
  }

  async #ask(
    read: KeyListRead,
    indices: readonly number[],
    pending?: Pending,
    early?: Promise<Lease>,
  ): Promise<Asked> {
    const { request, list, keys, timeout, session } = read;
    const { filler, flights, reader, codec } = this.#parts;
    const plans = indices.map(i => keys.plans[i]!);
    const asked = indices.map(i => list.keys[i]!);
    const targets = plans.map(({ address }) => targetOf(request, address, timeout));
    const seals = await filler.leases(targets, session !== undefined, request.catalog!, early);
    if (pending) {
      flights.send(pending, undefined);
    }
    const isAll = asked.length === list.keys.length;
    const given = await reader.ask(isAll ? request : onlyOf(request, list, asked), session);
    const parts = this.#split(read, asked, plans[0]!, given);
    if ('reason' in parts) {
      filler.reportNotStored(targets[0]!, parts.reason);
      return { result: given.result, parts: undefined };
    }
    for (const [n, rows] of parts.entries()) {
      const seal = seals[n];
      const ofKey = { ...given, result: rows };
      const encoded = seal === undefined ? undefined : encodeWithBounds(codec, request, plans[n]!, ofKey);
      void filler.store(targets[n]!, seal, encoded);
    }
    return { result: keys.family.order.length > 0 ? given.result : parts.flat(), parts };
  }

  /** The rows of each key, if every session would be given them. */
  #split(
    { keys: { family } }: KeyListRead,
    asked: readonly Key[],
    plan: Planned,
    given: DatabaseResult,
  ): readonly Rows[] | Unstorable {
    const reason = obstacleTo(plan, given);
    if (reason !== undefined) {
      return { reason };
    }
    const places = placesOf(family.column.kind, asked);
    if (!places) {
      return UNKNOWN_KEY; // only these keys are unusable: other lists of the same shape may still be split
    }
    const parts = partitionByKey(given.result, family.column, places);
    if (!parts || !mergeInOrder(parts, family.order)) {
      family.isWhole = true;
      return UNKNOWN_KEY;
    }
    return parts as Rows[];
  }
}

/** Whether it is the same entry, which has held at both reads. */
function isSame(before: Entry, after: Entry): boolean {
  return 'found' in before && 'found' in after && before.found.id === after.found.id;
}

/** The request for some of its keys. */
function onlyOf(request: Request, list: KeyList, keys: readonly Key[]): Request {
  const where = withKeys(request.where, list, keys);
  return { ...request, where, run: change => request.run(change, where) };
}
