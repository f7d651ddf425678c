import { setTimeout as sleep } from 'node:timers/promises';

/** `a connection`: the work asks the database. */
export type Needs = 'a connection' | 'the store';

export type AddBackground = (work: Promise<unknown>, needs?: Needs) => void;

/** How often the pool is checked for a free connection, in milliseconds. */
const INTERVAL = 10;

/** Work that continues after its caller got an answer. Closing waits for it. */
export class Background {
  readonly #underway = new Map<Promise<unknown>, Needs>();
  readonly #report: (error: unknown) => void;

  constructor(report: (error: unknown) => void) {
    this.#report = report;
  }

  readonly add: AddBackground = (work, needs = 'the store') => {
    const watched = work.catch(this.#report).finally(() => this.#underway.delete(watched));
    this.#underway.set(watched, needs);
  };

  /**
   * Resolves when no work is under way. Never rejects.
   *
   * @param isExhausted no connection can be acquired for now: then work that needs one is not waited for
   */
  async idle(isExhausted = () => false): Promise<void> {
    for (;;) {
      const needs = [...this.#underway.values()];
      const needsConnection = needs.includes('a connection');
      if (needs.length === 0 || (!needs.includes('the store') && isExhausted())) {
        return;
      }
      const all = Promise.all(this.#underway.keys());
      await (needsConnection ? Promise.race([all, sleep(INTERVAL)]) : all);
    }
  }
}
