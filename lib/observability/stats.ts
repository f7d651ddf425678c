import type { Op } from '../config/options.js';

/** Counts of reads. */
export interface ReadCounts {
  hits: number;
  /** hits whose rows had changed in a way that did not affect them */
  revalidated: number;
  misses: number;
  /** misses that were coalesced with another: answered by its query */
  shared: number;
  /** reads that bypassed the cache */
  bypassed: number;
  fills: number;
  /** results that were not stored, because a writer was in flight on their dependencies */
  refused: number;
  /** results that were not stored for another reason: see the event `unstored` */
  unstored: number;
  /** reads that failed, for example because the database refused the query; not counted elsewhere */
  errors: number;
}

/** Counts since the program started. */
export interface CacheopsStats extends ReadCounts {
  /** hits that were compared with the database (see the option `audit`) */
  audited: number;
  /** audited hits that differed from the database */
  mismatches: number;
  /** transactions and manual calls that invalidated */
  invalidations: number;
  /** failed reads (by op: `ops.fetch.errors`), and other failures of the cache or the store */
  errors: number;
  /** of each op: `stats().ops.count.hits` */
  ops: Record<ReadOp, ReadCounts>;
  /**
   * By name of the entity, function or fragment, and op: `stats().entities.Article?.fetch?.hits`. Views and values are
   * not counted by name, because their number is unbounded. After 500 names of functions or fragments, new ones are
   * counted as `others`.
   */
  entities: Record<string, Partial<Record<ReadOp, ReadCounts>>>;
}

const MAX_NAMES = 500;
const OTHERS = 'others';

/** The ops, and how many names their reads may have. */
const OPS: Readonly<Record<ReadOp, 'few' | 'many' | 'countless'>> = {
  get: 'few',
  fetch: 'few',
  count: 'few',
  aggregate: 'few',
  exists: 'few',
  function: 'many',
  view: 'countless',
  fragment: 'many',
  value: 'countless',
};

/** Bounds the number of names by which reads are counted. */
export class Names {
  readonly #known = new Map<ReadOp, Set<string>>();

  /** The name itself, `others` or `''`. */
  of(op: ReadOp, name: string): string {
    if (OPS[op] === 'few') {
      return name;
    }
    if (OPS[op] === 'countless') {
      return '';
    }
    let known = this.#known.get(op);
    if (!known) {
      known = new Set();
      this.#known.set(op, known);
    }
    if (known.size < MAX_NAMES) {
      known.add(name);
    }
    return known.has(name) ? name : OTHERS;
  }
}

/**
 * Counts reads by op and name, and everything else in total. Totals are computed by {@link read}, so that a hit
 * increments one number.
 */
export class Stats {
  audited = 0;
  mismatches = 0;
  invalidations = 0;
  /** other than failed reads */
  errors = 0;
  readonly #names = new Names();
  readonly #reads = new Map(Object.keys(OPS).map(op => [op as ReadOp, new Map<string, ReadCounts>()]));

  /** The counts of reads of this op and name. */
  of(op: ReadOp, name: string): ReadCounts {
    return this.#reads.get(op)!.get(name) ?? this.#place(op, name);
  }

  /** A copy. */
  read(): CacheopsStats {
    const { audited, mismatches, invalidations, errors } = this;
    const total = noReads();
    const ops = {} as Record<ReadOp, ReadCounts>;
    const entities = new Map<string, Partial<Record<ReadOp, ReadCounts>>>();
    for (const [op, byName] of this.#reads) {
      ops[op] = noReads();
      for (const [name, counts] of byName) {
        add(ops[op], counts);
        if (name !== '') {
          entities.set(name, { ...entities.get(name), [op]: { ...counts } });
        }
      }
      add(total, ops[op]);
    }
    return {
      ...total,
      audited,
      mismatches,
      invalidations,
      errors: errors + total.errors,
      ops,
      entities: Object.fromEntries(entities),
    };
  }

  #place(op: ReadOp, given: string): ReadCounts {
    const byName = this.#reads.get(op)!;
    const name = this.#names.of(op, given);
    let counts = byName.get(name);
    if (!counts) {
      counts = noReads();
      byName.set(name, counts);
    }
    return counts;
  }
}

export function noReads(): ReadCounts {
  return {
    hits: 0,
    revalidated: 0,
    misses: 0,
    shared: 0,
    bypassed: 0,
    fills: 0,
    refused: 0,
    unstored: 0,
    errors: 0,
  };
}

function add(sum: ReadCounts, counts: ReadCounts): void {
  for (const name of Object.keys(counts) as (keyof ReadCounts)[]) {
    sum[name] += counts[name];
  }
}

/** Cached results other than of queries. */
export type AnswerKind = 'function' | 'view' | 'fragment';

/** Timed values: of `cached()` in the store of the queries, or of `getCacheops(orm).cache`. */
export type ValueKind = 'value';

/** What a read returns. */
export type ReadOp = Op | AnswerKind | ValueKind;
