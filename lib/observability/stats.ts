import type { Op } from '../config/options.js';

/** What became of reads. */
export interface ReadCounts {
  hits: number;
  /** hits which something had happened to that did not matter */
  revalidated: number;
  misses: number;
  /** misses that were answered by the database's answer to another */
  shared: number;
  /** queries that were not asked of the cache */
  bypassed: number;
  fills: number;
  /** results that were not stored, because a writer was in flight on what they depend on */
  refused: number;
  /** results that were not stored for another reason: see the event `unstored` */
  unstored: number;
  /** reads that failed, because the database refused the query, say; they count as nothing else */
  errors: number;
}

/** Counts since the program began. */
export interface CacheopsStats extends ReadCounts {
  /** hits that were compared with the database (see the option `audit`) */
  audited: number;
  /** those that were not the same */
  mismatches: number;
  /** transactions, and calls by hand, that were told to the store */
  invalidations: number;
  /** reads that failed (of each op: `ops.fetch.errors`), and whatever else the cache or the store failed at */
  errors: number;
  /** of each op: `stats().ops.count.hits` */
  ops: Record<ReadOp, ReadCounts>;
  /**
   * By name of the entity, function or fragment, and op: `stats().entities.Article?.fetch?.hits`. Views and values are
   * not told apart, since there may be any number of them; of more than 500 functions or fragments, those that came
   * last are counted as `others`.
   */
  entities: Record<string, Partial<Record<ReadOp, ReadCounts>>>;
}

const MAX_NAMES = 500;
const OTHERS = 'others';

/** The ops, and whether what is read has names that are few: those of entities are. */
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

/** Names by which reads are told apart: no more than there may be, whatever they are called. */
export class Names {
  readonly #known = new Map<ReadOp, Set<string>>();

  /** The name itself, `others`, or nothing. */
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
 * Counts reads by op and name, and the rest as a whole. Totals are made when somebody asks, so that a hit adds to one
 * number.
 */
export class Stats {
  audited = 0;
  mismatches = 0;
  invalidations = 0;
  /** those of the cache itself */
  errors = 0;
  readonly #names = new Names();
  readonly #reads = new Map(Object.keys(OPS).map(op => [op as ReadOp, new Map<string, ReadCounts>()]));

  /** Where reads of this kind are counted. */
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

/** What is served beside queries. */
export type AnswerKind = 'function' | 'view' | 'fragment';

/** What is kept by key and for a time: by `cached()` in the store of the queries, or by `getCacheops(orm).cache`. */
export type ValueKind = 'value';

/** What a read is about. */
export type ReadOp = Op | AnswerKind | ValueKind;
