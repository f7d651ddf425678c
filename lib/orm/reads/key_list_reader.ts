import { describeCause } from '../../observability/describe.js';
import type { CacheopsEvents } from '../../observability/events.js';
import type { Key, KeyList } from '../../query/key_list.js';
import { withKeys } from '../../query/key_list.js';
import { mergeInOrder, partitionByKey, placesOf } from '../../query/key_rows.js';
import type { EntryAddress, Found, Store } from '../../store/store.js';
import type { Session } from '../context/session.js';
import type { KeyPlans } from '../planning/key_list_planner.js';
import type { Planned } from '../planning/plan.js';
import { boundsOf } from '../planning/result_bounds.js';
import { type LeaseParts, takeLeases } from '../protocol/lease.js';
import type { DeferredFills } from './deferred_fills.js';
import type { DatabaseAnswer, Request } from './request.js';
import type { ResultCodec, Unstorable } from './result_codec.js';
import { revalidate } from './revalidation.js';
import type { Flight, SingleFlights } from './single_flight.js';

export interface KeyListParts extends LeaseParts {
  readonly store: Store;
  readonly events: CacheopsEvents;
  readonly codec: ResultCodec;
  readonly fills: DeferredFills;
  readonly flights: SingleFlights;
  readonly ask: (request: Request, session: Session | undefined) => Promise<DatabaseAnswer>;
  readonly fill: (
    request: Request,
    address: EntryAddress,
    seal: string,
    payload: Uint8Array,
    timeout: number,
  ) => unknown;
  readonly reportNotStored: (request: Request, address: EntryAddress, unstorable?: Unstorable) => void;
  readonly reseal: (request: Request, address: EntryAddress, found: Found) => void;
  /** may compare a hit with the database */
  readonly audit: (request: Request, plan: Planned, found: Found) => void;
}

/** A find by a list of keys. */
export interface KeyListRead {
  readonly request: Request;
  readonly list: KeyList;
  readonly keys: KeyPlans;
  /** seconds */
  readonly timeout: number;
  readonly session: Session | undefined;
}

export interface KeyListAnswer {
  readonly result: unknown;
  /** why the database was asked, or `shared`: by somebody else; `undefined`: it was not */
  readonly cause: string | undefined;
}

type Rows = Record<string, unknown>[];

/** What was found of a part: an entry that holds, or why it does not. */
type Looked = { readonly found: Found } | { readonly cause: string };

/** What the database said of some of the keys. */
interface Asked {
  readonly result: unknown;
  /** the rows of each of these keys; `undefined`: that cannot be told, or they are not what everybody would be given */
  readonly parts: readonly Rows[] | undefined;
}

const MISS: Looked = { cause: 'miss' };
const UNKNOWN_KEY: Unstorable = { reason: 'a row that does not tell which of the keys it has' };
const UNPLANNED: Unstorable = { reason: 'other statements than it was planned for' };

/**
 * Answers finds by lists of keys key by key: each key has an entry of its own, with its own dependencies. What is there
 * is taken, and the database is asked for the rest by one statement.
 *
 * A list must be as consistent as the one statement that it stands for: there has to be one moment at which the
 * database would have given all of it.
 *
 * - If all of it was found, that is the moment at which the store has read it ({@link Store.readMany}): an entry holds
 *   as long as no writer has marked what it depends on, and writers mark before they commit.
 * - If some of it was not, that is the moment of the statement by which the database was asked for the rest. A writer may
 *   have committed between the look at the store and that statement, which then gives what is new beside what is old. So
 *   the store is looked at once more *after* the database has answered. If all that was found before is still there,
 *   the same and valid, it has held all the while, also at the moment of the statement.
 * - If not, or if the statement was not answered as it would be to everybody (by a transaction that has written
 *   meanwhile, say), the database is asked for all of it.
 */
export class KeyListReader {
  readonly #parts: KeyListParts;

  constructor(parts: KeyListParts) {
    this.#parts = parts;
  }

  async answer(batch: KeyListRead): Promise<KeyListAnswer> {
    const all = [...batch.list.keys.keys()];
    const looked = await this.#look(batch, all);
    const missing = all.filter(i => 'cause' in looked[i]!);
    if (missing.length === 0) {
      const result = this.#combine(batch, looked);
      if (result) {
        this.#use(batch, all, looked);
        return { result, cause: undefined };
      }
    }
    const [first = MISS] = missing.map(i => looked[i]!);
    const { cause } = first as { readonly cause: string };
    const isPart = missing.length > 0 && missing.length < all.length;
    const result = isPart ? await this.#complete(batch, looked, missing) : undefined;
    return result ? { result, cause } : this.#askTogether(batch, all, cause);
  }

  /** Of many who miss a whole list at the same time, one asks the database: see {@link SingleFlights}. */
  async #askTogether(batch: KeyListRead, all: readonly number[], cause: string): Promise<KeyListAnswer> {
    const { request, keys, session } = batch;
    const { flights, codec } = this.#parts;
    // what a transaction sees is its own, and who may cancel waits for nobody
    const mayShare = !session && !request.options.signal;
    const key = keys.plans.map(({ address }) => address.key).join(' ');
    const joined = mayShare ? flights.joinable(key, request.begun) : undefined;
    const theirs = joined && (await joined.join());
    if (theirs && request.begun < joined.sent) {
      request.counts.shared++;
      return { result: codec.decode('find', theirs), cause: 'shared' };
    }
    // who has waited in vain goes on alone, at the same time as the others who have
    const flight = mayShare && !joined ? flights.open(key) : undefined;
    let payload: Uint8Array | undefined;
    try {
      const { result, parts } = await this.#ask(batch, all, flight);
      const encoded = flight?.joined && parts ? codec.encode('find', result) : undefined;
      payload = encoded instanceof Uint8Array ? encoded : undefined;
      return { result, cause };
    } finally {
      if (flight) {
        flights.settle(flight, payload);
      }
    }
  }

  /** Asks for what is missing, and puts it to the rest if that has held all the while. */
  async #complete(
    batch: KeyListRead,
    looked: readonly Looked[],
    missing: readonly number[],
  ): Promise<Rows | undefined> {
    const { parts } = await this.#ask(batch, missing);
    if (!parts) {
      return undefined;
    }
    const held = [...looked.keys()].filter(i => 'found' in looked[i]!);
    const again = await this.#look(batch, held);
    if (!held.every((i, n) => isSame(looked[i]!, again[n]!))) {
      return undefined;
    }
    const asked = new Map(missing.map((i, n) => [i, parts[n]!]));
    const result = this.#combine(batch, looked, asked);
    if (result) {
      this.#use(batch, held, again);
    }
    return result;
  }

  /** In one round trip, and a second one if something has happened that may not matter. */
  async #look({ keys: { plans } }: KeyListRead, indices: readonly number[]): Promise<Looked[]> {
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

  /** The database is not asked about joined rows: an entry is what it was at the moment at which all were read. */
  #revalidate({ address }: Planned, found: Found | undefined): Looked | Promise<Looked> {
    if (!found || found.moved.length === 0) {
      return found ? { found } : MISS;
    }
    return revalidate(this.#parts.store, address, found).then(verdict =>
      !verdict
        ? MISS
        : 'cause' in verdict
          ? { cause: describeCause(verdict.cause) }
          : { found: verdict.holds },
    );
  }

  /** @param asked rows of those that were not found */
  #combine(
    { keys: { family } }: KeyListRead,
    looked: readonly Looked[],
    asked?: ReadonlyMap<number, Rows>,
  ): Rows | undefined {
    const { codec, events } = this.#parts;
    try {
      const parts = looked.map((each, i) =>
        'found' in each ? (codec.decode('find', each.found.payload) as Rows) : asked!.get(i)!,
      );
      return mergeInOrder(parts, family.order) as Rows | undefined;
    } catch (error) {
      events.reportError('read', error);
      return undefined;
    }
  }

  /** What is done with entries that have been of use. At most one of them is audited: together they are one hit. */
  #use(
    { request, list, keys, session }: KeyListRead,
    indices: readonly number[],
    looked: readonly Looked[],
  ): void {
    const audited = session ? undefined : Math.floor(Math.random() * looked.length);
    for (const [n, each] of looked.entries()) {
      const plan = keys.plans[indices[n]!]!;
      if ('found' in each && each.found.moved.length > 0) {
        this.#parts.reseal(request, plan.address, each.found);
      }
      if ('found' in each && n === audited) {
        this.#parts.audit(onlyOf(request, list, [list.keys[indices[n]!]!]), plan, each.found);
      }
    }
  }

  /** The leases first, the database second. */
  async #ask(batch: KeyListRead, indices: readonly number[], flight?: Flight): Promise<Asked> {
    const { request, list, keys, timeout, session } = batch;
    const plans = indices.map(i => keys.plans[i]!);
    const asked = indices.map(i => list.keys[i]!);
    const seals = await takeLeases(
      this.#parts,
      plans.map(({ address }) => address),
      timeout,
      session !== undefined,
      request.counts,
      request.catalog!,
    );
    if (flight) {
      this.#parts.flights.send(flight, undefined);
    }
    const isAll = asked.length === list.keys.length;
    const answer = await this.#parts.ask(isAll ? request : onlyOf(request, list, asked), session);
    const parts = this.#deal(batch, asked, plans[0]!, answer);
    if ('reason' in parts) {
      this.#parts.reportNotStored(request, plans[0]!.address, parts);
      return { result: answer.result, parts: undefined };
    }
    for (const [n, rows] of parts.entries()) {
      this.#store(batch, plans[n]!, seals[n], rows, answer);
    }
    return { result: keys.family.order.length > 0 ? answer.result : parts.flat(), parts };
  }

  /** The rows of each key, if they are what everybody would be given. */
  #deal(
    { keys: { family } }: KeyListRead,
    asked: readonly Key[],
    plan: Planned,
    { result, statements, obstacle }: DatabaseAnswer,
  ): readonly Rows[] | Unstorable {
    if (obstacle !== undefined) {
      return { reason: obstacle };
    }
    if (!plan.confirms(statements)) {
      return UNPLANNED;
    }
    const places = placesOf(family.column.kind, asked);
    if (!places) {
      return UNKNOWN_KEY; // that is these keys' affair, and not that of others
    }
    const parts = partitionByKey(result, family.column, places);
    if (!parts || !mergeInOrder(parts, family.order)) {
      family.isWhole = true;
      return UNKNOWN_KEY;
    }
    return parts as Rows[];
  }

  #store(
    { request, timeout }: KeyListRead,
    plan: Planned,
    seal: string | undefined,
    rows: Rows,
    { statements }: DatabaseAnswer,
  ): void {
    if (seal === undefined) {
      this.#parts.reportNotStored(request, plan.address);
      return;
    }
    const { meta, surroundings } = request;
    const answer = { meta, result: rows, statements, reversed: false };
    const bounds =
      surroundings?.isPlain && plan.bounds.length > 0 ? boundsOf(plan.bounds, answer) : undefined;
    const payload = this.#parts.codec.encode('find', rows, bounds);
    if (payload instanceof Uint8Array) {
      this.#parts.fill(request, plan.address, seal, payload, timeout);
    } else {
      this.#parts.reportNotStored(request, plan.address, payload);
    }
  }
}

/** The same entry, which has held at both looks. */
function isSame(before: Looked, after: Looked): boolean {
  return 'found' in before && 'found' in after && before.found.id === after.found.id;
}

/** The same request for some of its keys. */
function onlyOf(request: Request, list: KeyList, keys: readonly Key[]): Request {
  const where = withKeys(request.where, list, keys);
  return { ...request, where, run: change => request.run(change, where) };
}
