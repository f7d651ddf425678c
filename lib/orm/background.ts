/** Work that goes on after its caller was answered, so that closing can wait for it. Never rejects. */
export class Background {
  readonly #underway = new Set<Promise<unknown>>();
  readonly #report: (error: unknown) => void;

  constructor(report: (error: unknown) => void) {
    this.#report = report;
  }

  readonly add = (work: Promise<unknown>): void => {
    const watched = work.catch(this.#report).finally(() => this.#underway.delete(watched));
    this.#underway.add(watched);
  };

  async idle(): Promise<void> {
    while (this.#underway.size > 0) {
      await Promise.all(this.#underway);
    }
  }
}
