import type { Refusal, Seal } from '../../../lib/store/store.js';
import { type Actor, type Scene, type Step, TIMEOUT } from './actor.js';
import { judge, type Verdict } from './arbiter.js';
import type { Query } from './query.js';

type Stage = 'leases' | 'asks for their fate' | 'settles and lifts' | 'selects' | 'fills';

/**
 * After a miss takes a lease, asks the database, and fills.
 *
 * To read is no step of its own. Every answer of the cache is checked at every moment, whoever it is for; and a reader
 * who takes a lease now may have missed whenever there was something to miss.
 */
export class Reader implements Actor {
  #stage: Stage | undefined;
  #wasRefused = false;
  #refusal: Refusal | undefined;
  #verdict: Verdict | undefined;
  #seal: Seal | undefined;
  #result: string | undefined;

  constructor(
    readonly name: string,
    readonly query: Query,
    readonly scene: Scene,
  ) {
    this.#stage = scene.keeps('lease first') ? 'leases' : 'selects';
  }

  steps(): readonly Step[] {
    const stage = this.#stage;
    if (!stage || !this.scene.missed.has(this.query.address.key)) {
      return [];
    }
    return [{ name: `${this.name} ${stage}`, take: () => this.#take(stage) }];
  }

  get state(): unknown {
    return [
      this.query.address.key,
      this.#stage,
      this.#wasRefused,
      this.#refusal,
      this.#verdict,
      this.#seal,
      this.#result,
    ];
  }

  async #take(stage: Stage): Promise<void> {
    switch (stage) {
      case 'leases':
        return this.#lease();
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

  async #lease(): Promise<void> {
    const lease = await this.scene.store.lease(this.query.address, TIMEOUT);
    if (lease.granted) {
      this.#seal = lease.seal;
      this.#wasRefused = false;
      this.#stage = this.#result === undefined ? 'selects' : 'fills';
    } else if (this.#wasRefused) {
      this.#end(); // what the database gives goes to the reader and nowhere else
    } else {
      this.#wasRefused = true;
      this.#refusal = lease;
      this.#stage = 'asks for their fate';
    }
  }

  #ask(): void {
    this.#verdict = judge(this.#refusal!, this.scene);
    this.#refusal = undefined;
    this.#stage = 'settles and lifts';
    if (this.#verdict.ended.length + this.#verdict.over.length === 0) {
      this.#end();
    }
  }

  async #resolve(): Promise<void> {
    const { ended, over } = this.#verdict!;
    for (const { id, tables } of ended) {
      await this.scene.store.settle(id, tables);
    }
    for (const quarantine of over) {
      await this.scene.store.lift(quarantine);
    }
    this.#verdict = undefined;
    this.#stage = 'leases';
  }

  #select(): void {
    this.#result = this.scene.database.select(this.query);
    this.#stage = this.#seal === undefined ? 'leases' : 'fills';
  }

  async #fill(): Promise<void> {
    const { store, keeps } = this.scene;
    const now = keeps('seal of the lease') ? undefined : await store.lease(this.query.address, TIMEOUT);
    const seal = now?.granted ? now.seal : this.#seal!;
    await store.fill(this.query.address, seal, Buffer.from(this.#result!), TIMEOUT);
    this.#end();
  }

  /** Forgets everything, so that histories which differ in nothing that matters are one. */
  #end(): void {
    this.#stage = undefined;
    this.#wasRefused = false;
    this.#refusal = undefined;
    this.#verdict = undefined;
    this.#seal = undefined;
    this.#result = undefined;
  }
}
