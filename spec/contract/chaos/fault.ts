import type { Audit } from '../processes/audit.js';
import type { Rule } from './broken.js';
import type { Random } from './random.js';

/** Something that happens to processes, networks or servers, and how many times it is tried. */
export interface Fault {
  readonly name: string;
  /** how often it happens in the long run, and in `npm test` (0: not there) */
  readonly tries: { readonly long: number; readonly short: number };
  /** the longest that a read may take, in milliseconds; left out, that is not what it is about */
  readonly bound?: number;
  /** @param broken what the processes do not keep to; only faults with `breakable` heed it */
  run(tries: number, random: Random, broken?: Rule): Promise<Findings>;
  readonly breakable?: readonly Rule[];
}

/** What came of it. */
export class Findings {
  tries = 0;
  reads = 0;
  hits = 0;
  /** the longest that a read took, in milliseconds */
  slowest = 0;
  /** answers that the database would not have given any more when they were asked for */
  readonly stale: string[] = [];
  /** answers of that kind when all had come to rest: an invalidation never arrived */
  readonly lost: string[] = [];
  /** other promises that were not kept */
  readonly broken: string[] = [];
  /** what else is worth telling */
  readonly notes: string[] = [];

  /** @param atRest whether all that was to happen has happened */
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
