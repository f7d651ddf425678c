import { setTimeout as sleep } from 'node:timers/promises';

/** Whether the work asks the database, for which it needs a connection. */
export type Needs = 'a connection' | 'the store';

export type AddBackground = (work: Promise<unknown>, needs?: Needs) => void;

/** How often it is looked whether a connection can be had, in milliseconds. */
const INTERVAL = 10;

/** Work that goes on after its caller was answered, so that closing can wait for it. Never rejects. */
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
   * Resolves when nothing is under way.
   *
   * @param isExhausted whether no connection to the database can be had for now: then work that needs one is not
   *   waited for
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
