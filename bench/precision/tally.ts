/** Of one shape: results that were dropped or not after each write, and that had changed or not. */
export class Tally {
  dropped = 0;
  changed = 0;
  droppedAndChanged = 0;

  add(dropped: boolean, changed: boolean): void {
    this.dropped += Number(dropped);
    this.changed += Number(changed);
    this.droppedAndChanged += Number(dropped && changed);
  }

  /** Of what was dropped, how much had changed. */
  get precision(): number {
    return this.dropped === 0 ? 1 : this.droppedAndChanged / this.dropped;
  }

  /** Of what had changed, how much was dropped. All of it, or the cache is wrong. */
  get recall(): number {
    return this.changed === 0 ? 1 : this.droppedAndChanged / this.changed;
  }
}

/** Tallies by shape, and of all shapes together. */
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
