import { describeDependencies } from '../../observability/describe.js';
import type { ReadOp } from '../../observability/stats.js';
import type { EntryAddress, Lease, Seal } from '../../store/store.js';
import type { Catalog } from '../catalog/table.js';
import { askLease, type Leased, type LeaseParts, takeLease, takeLeases } from '../protocol/lease.js';
import type { DeferredFills } from './deferred_fills.js';
import type { Unstorable } from './result_codec.js';

/** The entry that a read fills, and the name of the read in events. */
export interface Target extends Leased {
  readonly entity: string;
  readonly op: ReadOp;
}

/**
 * The second half of a miss, for queries, key lists, functions and timed values: lease, then compute, then fill. The
 * lease comes first: otherwise a change between the computation and the lease would not change the lease's stamps.
 */
export class Filler {
  readonly #parts: LeaseParts;
  readonly #deferred: DeferredFills | undefined;

  /** @param deferred sends the fills after the caller has its result; default: fills are sent at once */
  constructor(parts: LeaseParts, deferred?: DeferredFills) {
    this.#parts = parts;
    this.#deferred = deferred;
  }

  /**
   * Never rejects.
   *
   * @param catalog the catalog that the read was planned with, if any
   * @param early the answer of {@link askLease}
   * @returns `undefined` if the result must not be stored
   */
  lease(
    target: Target,
    inTransaction: boolean,
    catalog: Catalog | undefined,
    early?: Promise<Lease>,
  ): Promise<Seal | undefined> {
    return takeLease(this.#parts, target, inTransaction, catalog, early);
  }

  /** Asks for the lease of a read that may be a miss. */
  askLease(addresses: readonly EntryAddress[], timeout: number, catalog: Catalog): Promise<Lease> {
    return askLease(this.#parts, addresses, timeout, catalog);
  }

  /** {@link lease} for several entries of one read, in their order. */
  leases(
    targets: readonly Target[],
    inTransaction: boolean,
    catalog: Catalog,
    early?: Promise<Lease>,
  ): Promise<(Seal | undefined)[]> {
    return takeLeases(this.#parts, targets, inTransaction, catalog, early);
  }

  /**
   * Stores what was encoded, and reports the outcome. Never rejects.
   *
   * @param seal `undefined`: the lease was refused
   * @returns a promise that settles when the entry is stored; `undefined` if it is not stored
   */
  store(
    target: Target,
    seal: Seal | undefined,
    encoded: Uint8Array | Unstorable | undefined,
  ): Promise<void> | undefined {
    if (seal !== undefined && encoded instanceof Uint8Array) {
      return this.#fill(target, seal, encoded);
    }
    this.reportNotStored(target, seal === undefined ? target.refusal! : (encoded as Unstorable).reason);
    return undefined;
  }

  /** Stores an entry that no event reports. Never rejects. */
  storeUnreported(address: EntryAddress, seal: Seal, payload: Uint8Array, timeout: number): Promise<boolean> {
    return this.#parts.store.fill(address, seal, payload, timeout).then(
      () => true,
      () => false, // the store has reported it
    );
  }

  /** A refused lease is not counted here, because `refused` counts it. */
  reportNotStored({ entity, op, counts, refusal, address: { key } }: Target, reason: string): void {
    if (reason !== refusal) {
      counts.unstored++;
    }
    this.#parts.events.announce('unstored', () => ({ entity, op, key, reason }));
  }

  #fill(target: Target, seal: Seal, payload: Uint8Array): Promise<void> {
    const send = () => this.#send(target, seal, payload);
    return this.#deferred ? this.#deferred.later(target.address.key, send) : send();
  }

  async #send(target: Target, seal: Seal, payload: Uint8Array) {
    const { entity, op, counts, address, timeout } = target;
    if (await this.storeUnreported(address, seal, payload, timeout)) {
      counts.fills++;
      this.#parts.events.announce('fill', () => ({
        entity,
        op,
        key: address.key,
        dependencies: op === 'value' ? [] : describeDependencies(address),
        size: payload.length,
        timeout,
      }));
    } else {
      this.reportNotStored(target, 'a store that is not available');
    }
  }
}
