/** For one shape of queries: how many results were dropped, and how many had changed, after each write. */
export class Tally {
  dropped = 0;
  changed = 0;
  droppedAndChanged = 0;

  add(dropped: boolean, changed: boolean): void {
    this.dropped += Number(dropped);
    this.changed += Number(changed);
    this.droppedAndChanged += Number(dropped && changed);
  }

  /** The share of dropped results that had changed. */
  get precision(): number {
    return this.dropped === 0 ? 1 : this.droppedAndChanged / this.dropped;
  }

  /** The share of changed results that were dropped. Below 1 the cache is wrong. */
  get recall(): number {
    return this.changed === 0 ? 1 : this.droppedAndChanged / this.changed;
  }
}

/** Tallies by shape, and for all shapes. */
export class Tallies {
  readonly all = new Tally();
  readonly #byShape = new Map<string, Tally>();

  add(shape: string, dropped: boolean, changed: boolean): void {
    this.of(shape).add(dropped, changed);
    this.all.add(dropped, changed);
  }

  of(shape: string): Tally {
    let tally = this.#byShape.get(shape);
    if (!tally) {
      tally = new Tally();
      this.#byShape.set(shape, tally);
    }
    return tally;
  }

  get shapes(): string[] {
    return [...this.#byShape.keys()];
  }
}
