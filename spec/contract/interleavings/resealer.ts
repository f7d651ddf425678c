import type { Found } from '../../../lib/store/store.js';
import type { Actor, Scene, Step } from './actor.js';
import { holds, type Query } from './query.js';

/** Reads, and reseals the entry if it still holds after row deltas. */
export class Resealer implements Actor {
  #stage: 'finds' | 'reseals' | undefined = 'finds';
  #found: Found | undefined;

  constructor(
    readonly name: string,
    readonly query: Query,
    readonly scene: Scene,
  ) {}

  steps(): readonly Step[] {
    const stage = this.#stage;
    return stage
      ? [{ name: `${this.name} ${stage}`, take: stage === 'finds' ? this.#find : this.#reseal }]
      : [];
  }

  get state(): unknown {
    return [this.query.address.key, this.#stage, this.#found?.seal];
  }

  readonly #find = async (): Promise<void> => {
    const found = await this.scene.store.read(this.query.address);
    const isMoved = holds(this.query, found, this.scene.keeps) && found.moved.length > 0;
    this.#found = isMoved ? found : undefined;
    this.#stage = isMoved ? 'reseals' : undefined;
  };

  readonly #reseal = async (): Promise<void> => {
    const found = this.#found!;
    this.#found = undefined;
    this.#stage = undefined;
    await this.scene.store.reseal(this.query.address, found);
  };
}
