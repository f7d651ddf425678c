import type { Settings } from '../catalog/settings.js';

/**
 * The settings that new sessions of a pool have: those of the newest session. A session with others, because it was opened
 * before ALTER ROLE or by another hook, fills nothing.
 */
export class PoolSettings {
  #current: Settings | undefined;
  #changes = 0;
  readonly #deviating = new Set<object>();
  readonly #withOwn = new Set<object>();
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

  /** Whether a query may be sent over a session with other settings than a new one has: then no result is that of all sessions. */
  get isMixed(): boolean {
    return this.#deviating.size > 0;
  }

  /** Whether a statement of a function may be sent over a session with custom settings, which it may read. */
  get hasOwn(): boolean {
    return this.#withOwn.size > 0;
  }

  /** Called when a session is given back to the pool, or closed: then neither holds. */
  noteSession(session: object, deviates: boolean, hasOwn: boolean): void {
    const before = this.isMixed;
    for (const [sessions, isOne] of [
      [this.#deviating, deviates],
      [this.#withOwn, hasOwn],
    ] as const) {
      if (isOne) {
        sessions.add(session);
      } else {
        sessions.delete(session);
      }
    }
    this.#changes += Number(this.isMixed !== before);
  }

  /** All sessions are closed. */
  disconnected(): void {
    this.#deviating.clear();
    this.#withOwn.clear();
    this.#changes++;
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
