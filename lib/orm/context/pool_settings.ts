import type { Settings } from '../catalog/settings.js';

/**
 * The settings that new sessions of a pool have: those of the newest session. A session with others, because it was opened
 * before ALTER ROLE or by another hook, fills nothing.
 */
export class PoolSettings {
  #current: Settings | undefined;
  #changes = 0;
  readonly #onChange: () => void;

  /** @param onChange called when the settings that the catalog was read with may have changed */
  constructor(onChange: () => void) {
    this.#onChange = onChange;
  }

  /** `undefined` until a session has reported its settings */
  get current(): Settings | undefined {
    return this.#current;
  }

  /** The number of changes so far. */
  get changes(): number {
    return this.#changes;
  }

  /** Called if the settings of a session have changed without a statement: every session reads them again. */
  forget(): void {
    this.#current = undefined;
    this.#changes++;
    this.#onChange();
  }

  /** Called with the settings of a new session. */
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
