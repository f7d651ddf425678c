import type { Settings } from '../catalog/settings.js';

/**
 * The settings with which the sessions of a pool come up: those of the newest one. A session that has others, because
 * it was opened before ALTER ROLE or by another hook, answers for itself only.
 */
export class PoolSettings {
  #current: Settings | undefined;
  #changes = 0;
  readonly #onChange: () => void;

  /** @param onChange user, search path and whatever else the catalog was read with may be another */
  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  /** `undefined`: not known yet, or never */
  get current(): Settings | undefined {
    return this.#current;
  }

  /** How often they have become others. */
  get changes(): number {
    return this.#changes;
  }

  /** A session has come up. */
  learn(settings: Settings): void {
    const before = this.#current;
    this.#current = settings;
    if (before?.digest !== settings.digest) {
      this.#changes++;
      if (before) {
        this.#onChange();
      }
    }
  }
}
