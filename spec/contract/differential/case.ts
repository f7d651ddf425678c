import { ReflectMetadataProvider } from '@mikro-orm/decorators/legacy';
import { MikroORM } from '@mikro-orm/postgresql';
import fc from 'fast-check';
import { type Cacheops, cacheops, getCacheops, type Store } from '../../../lib/index.js';
import { attempt, nameOf } from '../oracle/attempt.js';
import { difference } from '../oracle/difference.js';
import { snapshot } from '../oracle/snapshot.js';
import { BUILT_IN, baseOf, CREATE_SCHEMAS, ONCE } from './base.js';
import { entitiesOf } from './entities.js';
import { NAMINGS } from './names.js';
import { type Piece, pieces } from './pieces.js';
import { describeRead, formulaRead, PLAIN_READS, performRead, type Read, reads } from './reads.js';
import {
  CHANGE_OF_SOURCES,
  describeWrite,
  performWrite,
  type Write,
  type Written,
  writes,
} from './writes.js';

/** A catalog, reads of it, and writes to it. */
export interface Case {
  /** index of the names */
  readonly naming: number;
  readonly path: string;
  /** of a foreign key */
  readonly action: string;
  /** entities name their schema */
  readonly qualified: boolean;
  readonly pieces: readonly Piece[];
  /** defined by writes, while results are in the cache */
  readonly later: readonly Piece[];
  readonly reads: readonly Read[];
  readonly writes: readonly Write[];
  /** how many of its own expressions are read in any case */
  readonly formulas: number;
}

export const cases: fc.Arbitrary<Case> = fc.record({
  naming: fc.nat(NAMINGS.length - 1),
  path: fc.constantFrom('app, other, public', 'other, app, public', 'app, other, pg_catalog, public'),
  action: fc.constantFrom('cascade', 'set null', 'set default', 'no action'),
  qualified: fc.boolean(),
  pieces: fc.array(pieces, { maxLength: 4, size: 'max' }),
  later: fc.array(pieces, { maxLength: 2, size: 'max' }),
  reads: fc.array(reads, { maxLength: 4, size: 'max' }),
  writes: fc.array(writes, { maxLength: 6, size: 'max' }),
  formulas: fc.constant(8),
});

/** A catalog with nothing else in it. */
export function caseOf(pieces: readonly Piece[]): Case {
  const [naming, path] = [0, 'app, other, public'];
  return {
    ...{ naming, path, action: 'cascade', qualified: true, pieces },
    ...{ later: [], reads: [], writes: [], formulas: Number.POSITIVE_INFINITY },
  };
}

/** Counts of all cases. */
export interface Totals {
  cases: number;
  reads: number;
  hits: number;
  misses: number;
  bypassed: number;
  /** reads with the same error in both ways */
  failedReads: number;
  writes: number;
  failedWrites: number;
  /** definitions that the database refused, mostly because they exist already */
  refused: number;
}

/** Hits as a share of all queries to the driver; reads for comparison are none. */
export function hitRate({ hits, misses, bypassed }: Totals): number {
  return hits / (hits + misses + bypassed);
}

export function describeTotals(totals: Totals): string {
  const { cases, reads, failedReads, writes, failedWrites, refused, hits, misses, bypassed } = totals;
  return [
    `${cases} catalogs (${refused} definitions refused), ${reads} reads compared (${failedReads} equal errors), ${writes} writes (${failedWrites} failed)`,
    `${hits} hits, ${misses} misses, ${bypassed} not cached: ${(100 * hitRate(totals)).toFixed(1)} % hits`,
  ].join('\n      ');
}

/** Plays cases on one database. */
export class Differential {
  readonly totals: Totals = {
    ...{ cases: 0, reads: 0, hits: 0, misses: 0, bypassed: 0, failedReads: 0 },
    ...{ writes: 0, failedWrites: 0, refused: 0 },
  };
  readonly #clientUrl: string;
  readonly #owner: MikroORM;
  readonly #newStore: () => Store;

  static async create(clientUrl: string, newStore: () => Store): Promise<Differential> {
    const owner = await MikroORM.init({
      ...{ clientUrl, entities: [], discovery: { warnWhenNoEntities: false }, pool: { min: 1, max: 1 } },
    });
    await owner.em.execute(ONCE);
    return new Differential(clientUrl, owner, newStore);
  }

  private constructor(clientUrl: string, owner: MikroORM, newStore: () => Store) {
    this.#clientUrl = clientUrl;
    this.#owner = owner;
    this.#newStore = newStore;
  }

  close(): Promise<void> {
    return this.#owner.close();
  }

  /** @throws Error if a read is answered otherwise than by the database */
  async play(given: Case): Promise<void> {
    const names = NAMINGS[given.naming]!;
    const defined = [...given.pieces, ...given.later].map((piece, i) => piece(names, i));
    const present = defined.slice(0, given.pieces.length);
    const own = defined.flatMap(({ expressions = [] }) => expressions);
    const fill = (text: string) =>
      text
        .replaceAll('{n}', names.n)
        .replaceAll('{label}', names.label)
        .replaceAll('{part}', names.part)
        .replaceAll('{ledger}', names.ledger);
    const compared = [...given.reads, ...own.slice(0, given.formulas).map(formulaRead), ...PLAIN_READS];
    const expressions = compared.map(({ own: isOwn, which }) => {
      const from = isOwn && own.length > 0 ? own : BUILT_IN;
      return fill(from[which % from.length]!);
    });
    await this.#define(
      `${CREATE_SCHEMAS} set search_path = ${given.path}; set client_min_messages = warning`,
    );
    await this.#define(`set search_path = app; ${baseOf(names, given.action)}`);
    await this.#define(`set search_path = ${given.path.replace('other, app', 'app, other')}`);
    for (const { sql } of present) {
      await this.#define(sql).catch(() => {
        this.totals.refused++;
      });
    }
    const entities = entitiesOf(names, expressions, given.qualified ? 'app' : undefined);
    const store = this.#newStore();
    const orm = await MikroORM.init({
      clientUrl: this.#clientUrl,
      entities: Object.values(entities),
      metadataProvider: ReflectMetadataProvider,
      driverOptions: { options: `-c search_path=${given.path.replaceAll(' ', '')}` },
      discovery: { checkDuplicateTableNames: false },
      extensions: [cacheops({ store })],
    });
    const catalog: Written = {
      ...{ names, entities, later: defined.slice(given.pieces.length).map(({ sql }) => sql) },
      statements: defined.flatMap(({ statements = [] }) => statements),
    };
    const describe = (done: number, read: number) =>
      [
        `names ${JSON.stringify(names)}, search_path ${given.path}, on delete ${given.action}${given.qualified ? '' : ', tables without schema'}`,
        ...present.map(({ sql }) => `defined: ${sql.replaceAll(/\s+/g, ' ')}`),
        ...made.slice(0, done).map(write => `then: ${describeWrite(write, catalog)}`),
        `read: ${describeRead(compared[read]!, expressions[read]!)}`,
      ].join('\n');
    const made = [CHANGE_OF_SOURCES, ...given.writes];
    const cache = getCacheops(orm);
    try {
      await this.#compareAll(orm, compared, entities, expressions, describe, 0);
      for (const [i, write] of made.entries()) {
        this.totals.writes++;
        const attempted = await attempt(() => performWrite(orm.em.fork() as never, write, catalog));
        this.totals.failedWrites += 'error' in attempted ? 1 : 0;
        await cache.idle();
        await this.#compareAll(orm, compared, entities, expressions, describe, i + 1);
      }
    } finally {
      this.#count(cache);
      await orm.close();
      await store.close();
    }
  }

  async #compareAll(
    orm: MikroORM,
    compared: readonly Read[],
    entities: Written['entities'],
    expressions: readonly string[],
    describe: (done: number, read: number) => string,
    done: number,
  ): Promise<void> {
    const cache = getCacheops(orm);
    for (const [i, read] of compared.entries()) {
      const answer = async () => {
        const em = orm.em.fork();
        const attempted = await attempt(() => performRead(em as never, entities, read, expressions[i]!, i));
        return 'error' in attempted ? attempted : snapshot(em as never, attempted.value);
      };
      const first = await answer();
      await cache.idle();
      const second = await answer();
      await cache.idle();
      const before = cache.stats().bypassed;
      const truth = await cache.disabled(answer);
      this.totals.bypassed -= cache.stats().bypassed - before;
      this.totals.reads += 2;
      for (const [what, found] of [
        ['first', first],
        ['second', second],
      ] as const) {
        if (isRefusal(found)) {
          continue;
        }
        const [a, b] = [textOf(found), textOf(truth)];
        if (a !== b) {
          throw new Error(`${describe(done, i)}\nThe ${what} answer:\n${difference(a, b)}`);
        }
        this.totals.failedReads += typeof truth === 'string' ? 0 : 1;
      }
    }
  }

  #count(cache: Cacheops): void {
    const { hits, misses, bypassed } = cache.stats();
    this.totals.cases++;
    this.totals.hits += hits;
    this.totals.misses += misses;
    this.totals.bypassed += bypassed;
  }

  #define(sql: string): Promise<unknown> {
    return this.#owner.em.fork().execute(sql);
  }
}

type Answer = string | { readonly error: unknown };

/** Declared tables must be tables whose changes can be seen, which rules and renames end. */
function isRefusal(answer: Answer): boolean {
  return typeof answer !== 'string' && /Name the tables that|Name tables that/.test(String(answer.error));
}

function textOf(answer: Answer): string {
  return typeof answer === 'string' ? answer : `error ${nameOf(answer.error)}`;
}
