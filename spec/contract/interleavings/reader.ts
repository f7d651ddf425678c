import type { EntryAddress, Refusal, Seal } from '../../../lib/store/store.js';
import { type Actor, type Scene, type Step, TIMEOUT } from './actor.js';
import { CATALOG_ADDRESS, type Query } from './query.js';
import { type Resolution, resolveWriters } from './resolve_writers.js';

type Stage =
  | 'leases the catalog'
  | 'reads the catalog'
  | 'compares the catalog'
  | 'leases'
  | 'asks for their fate'
  | 'settles and lifts'
  | 'selects'
  | 'fills';

/**
 * Takes a lease after a miss, asks the database and fills.
 *
 * The read itself is no step, because the answers of the cache are checked at every moment. A reader that takes a lease
 * now may have missed at any earlier moment at which the entry was missing. An eager reader leases in the round trip of
 * its read, so it needs no miss.
 */
export class Reader implements Actor {
  #stage: Stage | undefined;
  #wasRefused = false;
  #refusal: Refusal | undefined;
  /** the step to retry after the refusal */
  #refused: Stage | undefined;
  #resolution: Resolution | undefined;
  #seal: Seal | undefined;
  #result: string | undefined;
  /** stamp of the catalog before it was read */
  #stamp: Seal | undefined;
  /** the address under the catalog that was read */
  #address: EntryAddress | undefined;

  constructor(
    readonly name: string,
    readonly query: Query,
    readonly scene: Scene,
    readonly isEager = false,
  ) {
    this.#stage = scene.keeps('lease first') ? 'leases' : 'selects';
    if (query.redefined) {
      this.#stage = scene.keeps('catalog leased first') ? 'leases the catalog' : 'reads the catalog';
    }
  }

  steps(): readonly Step[] {
    const stage = this.#stage;
    if (!stage || (!this.isEager && !this.scene.missed.has(this.query.address.key))) {
      return [];
    }
    return [{ name: `${this.name} ${stage}`, take: () => this.#take(stage) }];
  }

  get state(): unknown {
    return [
      this.query.address.key,
      this.isEager,
      this.#stage,
      this.#wasRefused,
      this.#refused,
      this.#refusal,
      this.#resolution,
      this.#seal,
      this.#result,
      this.#stamp,
      this.#address?.tables,
    ];
  }

  async #take(stage: Stage): Promise<void> {
    const { keeps } = this.scene;
    switch (stage) {
      case 'leases the catalog':
        return this.#lease(CATALOG_ADDRESS, seal => {
          this.#stamp = seal;
          this.#stage = keeps('catalog leased first') ? 'reads the catalog' : 'leases';
        });
      case 'reads the catalog': {
        const { address, redefined } = this.query;
        this.#address = this.scene.database.isDefined ? redefined!.address : address;
        this.#stage = !keeps('catalog leased first')
          ? 'leases the catalog'
          : keeps('catalog compared last')
            ? 'leases'
            : 'compares the catalog';
        return;
      }
      case 'compares the catalog': {
        const lease = await this.scene.store.lease(CATALOG_ADDRESS, TIMEOUT);
        if (!lease.granted || lease.seal !== this.#stamp) {
          return this.#end();
        }
        this.#stage = keeps('catalog compared last') ? 'selects' : 'leases';
        return;
      }
      case 'leases':
        return this.#lease(this.#address ?? this.query.address, seal => {
          this.#seal = seal;
          this.#stage = this.#result === undefined ? 'selects' : 'fills';
          if (this.#address && keeps('catalog compared') && keeps('catalog compared last')) {
            this.#stage = 'compares the catalog';
          }
        });
      case 'asks for their fate':
        return this.#ask();
      case 'settles and lifts':
        return this.#resolve();
      case 'selects':
        return this.#select();
      case 'fills':
        return this.#fill();
    }
  }

  async #lease(address: EntryAddress, goOn: (seal: Seal) => void): Promise<void> {
    const lease = await this.scene.store.lease(address, TIMEOUT);
    if (lease.granted) {
      this.#wasRefused = false;
      goOn(lease.seal);
    } else if (this.#wasRefused) {
      this.#end(); // the reader returns the database's answer and stores nothing
    } else {
      this.#wasRefused = true;
      this.#refusal = lease;
      this.#refused = this.#stage;
      this.#stage = 'asks for their fate';
    }
  }

  #ask(): void {
    this.#resolution = resolveWriters(this.#refusal!, this.scene);
    this.#refusal = undefined;
    this.#stage = 'settles and lifts';
    if (this.#resolution.ended.length + this.#resolution.over.length === 0) {
      this.#end();
    }
  }

  async #resolve(): Promise<void> {
    const { ended, over } = this.#resolution!;
    for (const { id, tables } of ended) {
      await this.scene.store.settle(id, tables);
    }
    for (const quarantine of over) {
      await this.scene.store.lift(quarantine);
    }
    this.#resolution = undefined;
    this.#stage = this.#refused;
    this.#refused = undefined;
  }

  #select(): void {
    this.#result = this.scene.database.select(this.query);
    this.#stage = this.#seal === undefined ? 'leases' : 'fills';
  }

  async #fill(): Promise<void> {
    const { store, keeps } = this.scene;
    const now = keeps('seal of the lease') ? undefined : await store.lease(this.query.address, TIMEOUT);
    const seal = now?.granted ? now.seal : this.#seal!;
    await store.fill(this.#address ?? this.query.address, seal, Buffer.from(this.#result!), TIMEOUT);
    this.#end();
  }

  /** Clears the state, so that histories which differ only in irrelevant values are merged. */
  #end(): void {
    this.#stage = undefined;
    this.#wasRefused = false;
    this.#refusal = undefined;
    this.#refused = undefined;
    this.#resolution = undefined;
    this.#seal = undefined;
    this.#result = undefined;
    this.#stamp = undefined;
    this.#address = undefined;
  }
}
