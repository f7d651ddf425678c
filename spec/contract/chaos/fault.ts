import type { Audit } from '../processes/audit.js';
import type { Rule } from './broken.js';
import type { Random } from './random.js';

/** A fault of processes, networks or servers. */
export interface Fault {
  readonly name: string;
  /** number of tries in the long run and in `npm test` (0: not run) */
  readonly tries: { readonly long: number; readonly short: number };
  /** the longest time that a read may take, in milliseconds; omit it if the fault has no bound */
  readonly bound?: number;
  /** @param broken the rule that the processes break; only faults with `breakable` use it */
  run(tries: number, random: Random, broken?: Rule): Promise<Findings>;
  readonly breakable?: readonly Rule[];
}

/** The result of a fault. */
export class Findings {
  tries = 0;
  reads = 0;
  hits = 0;
  /** the longest time that a read took, in milliseconds */
  slowest = 0;
  /** answers that were out of date when they were asked for */
  readonly stale: string[] = [];
  /** stale answers after all work had ended: an invalidation never arrived */
  readonly lost: string[] = [];
  /** other broken promises */
  readonly broken: string[] = [];
  /** further remarks */
  readonly notes: string[] = [];

  /** @param atRest whether all work has ended */
  add(found: Omit<Audit, 'stale'> & Partial<Pick<Audit, 'stale'>>, atRest = false): void {
    this.reads += found.reads;
    this.hits += found.hits;
    this.slowest = Math.max(this.slowest, found.slowest);
    this.stale.push(...(found.stale ?? []));
    if (atRest) {
      this.lost.push(...(found.stale ?? []));
    }
  }
}
