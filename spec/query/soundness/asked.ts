import type { EntityMetadata } from '@mikro-orm/core';
import type { MikroORM } from '@mikro-orm/postgresql';
import type { Granularity } from '../../../lib/config/granularity.js';
import { type Catalog, kindIn } from '../../../lib/orm/catalog/table.js';
import { type Condition, readCondition } from '../../../lib/query/condition.js';
import { dependenciesOf, type Occurrence } from '../../../lib/query/dependencies.js';
import { keySetBound } from '../../../lib/query/key_set_bound.js';
import { pageBound } from '../../../lib/query/page_bound.js';
import { projectionOf } from '../../../lib/query/projection.js';
import type { OrderTerm, ResultBound } from '../../../lib/query/result_bound.js';
import { deltasMatter } from '../../../lib/query/row_deltas.js';
import type { WatchedDependency, WatchedTable } from '../../../lib/query/watch.js';
import { readSelect } from '../../../lib/sql/select/select.js';
import type { Select } from '../../../lib/sql/select/select_result.js';
import type { TableChange } from '../../../lib/store/store.js';
import { pathOf } from '../../../lib/values/path.js';
import type { Question } from './questions.js';
import { entities } from './shop.js';

/** The call to the driver, and its result. */
interface Call {
  readonly condition: Condition;
  readonly rows: readonly Record<string, any>[];
  readonly sql: string;
}

/** Calls the ORM, and records its calls to the driver and the driver's queries. */
export class Asker {
  readonly #orm: MikroORM;
  readonly #catalog: Catalog;
  readonly #sent: string[];
  #condition: Condition | undefined;
  #rows: readonly Record<string, any>[] = [];

  /** @param sent receives the arguments of `onQuery` */
  constructor(orm: MikroORM, catalog: Catalog, sent: string[]) {
    this.#orm = orm;
    this.#catalog = catalog;
    this.#sent = sent;
    const asker = this;
    const { find, count } = orm.driver;
    orm.driver.find = async function (name: any, where: any, options: any) {
      asker.#condition ??= asker.#read(name, where);
      const rows = (await find.call(this, name, where, options)) as any[];
      asker.#rows = structuredClone(rows);
      return rows as never;
    };
    orm.driver.count = function (name: any, where: any, options: any) {
      asker.#condition ??= asker.#read(name, where);
      return count.call(this, name, where, options) as never;
    };
  }

  /** `undefined` if the ORM or the database rejects it, or if it takes several statements. */
  async call({ entity, where, options, isCount }: Question): Promise<Call | undefined> {
    this.#sent.length = 0;
    this.#condition = undefined;
    this.#rows = [];
    const em = this.#orm.em.fork();
    const target = entities.find(each => each.name === entity)! as never;
    try {
      await (isCount
        ? em.count(target, structuredClone(where) as never)
        : em.find(target, structuredClone(where) as never, structuredClone(options) as never));
    } catch {
      return undefined;
    }
    return this.#sent.length === 1 && this.#condition
      ? { condition: this.#condition, rows: this.#rows, sql: this.#sent[0]! }
      : undefined;
  }

  #read(name: any, where: unknown): Condition {
    const table = (fullName: string) => this.#catalog.tables.get(fullName)!;
    return readCondition(
      this.#orm.getMetadata().get(name) as EntityMetadata,
      where,
      {
        tableOf: meta => this.#catalog.resolve({ schema: undefined, name: meta.tableName })?.fullName,
        kindOf: (name, column) => kindIn(table(name), column),
        orderable: (name, column) =>
          pathOf(column) ? this.#catalog.sortsByCodePoints : table(name).orderable.has(column),
        matchable: (name, column) =>
          pathOf(column) ? this.#catalog.unicode : table(name).matchable.has(column),
      },
      3,
    );
  }
}

interface Role extends Occurrence {
  /** it is about rows in the result, which the bound covers */
  readonly contained?: boolean;
  readonly filters?: boolean;
}

/** A question with the dependencies of its result, as an entry has it. */
export class Asked {
  readonly question: Question;
  readonly sql: string;
  readonly tables: readonly WatchedTable[];
  readonly #occurrences: readonly Role[];
  readonly #order: readonly OrderTerm[];
  readonly #condition: Condition;
  readonly #catalog: Catalog;
  #bounds: readonly (ResultBound | null)[] = [];

  constructor(question: Question, call: Call, catalog: Catalog, granularity: Granularity) {
    this.question = question;
    this.sql = call.sql;
    this.#catalog = catalog;
    this.#condition = call.condition;
    this.#order = this.#orderOf(call);
    this.#occurrences = this.#occurrencesOf(call);
    this.tables = dependenciesOf(call.condition.formula, this.#occurrences, { limit: 8, granularity });
    this.learn(call);
  }

  /** The bounds of its result. */
  learn({ rows }: Call): void {
    // as it is stored
    this.#bounds = JSON.parse(JSON.stringify(this.#occurrences.map(each => this.#boundOf(each, rows))));
  }

  isChangedBy(changes: readonly TableChange[]): boolean {
    return changes.some(change => {
      const watched = this.tables.find(({ table }) => table === change.table);
      return watched?.dependencies.some(dependency => this.#isTouched(dependency, change)) ?? false;
    });
  }

  #isTouched(dependency: WatchedDependency, change: TableChange): boolean {
    const touched = change.touched(dependency.scheme);
    if (!touched?.has(dependency.values)) {
      return touched === undefined;
    }
    const deltas = touched.get(dependency.values);
    return !deltas || deltasMatter(dependency, JSON.parse(JSON.stringify(deltas)), this.#bounds);
  }

  #occurrencesOf({ sql, condition }: Call): readonly Role[] {
    const select = readSelect(sql) as Select;
    const names = new Map(select.tables.map(each => [each, this.#catalog.resolve(each)!.fullName] as const));
    return [...new Set(names.values())].flatMap((table): Role[] => {
      const inSql = select.tables.filter(each => names.get(each) === table);
      const sources = condition.sources.filter(source => source.table === table);
      if (inSql.length !== 1 || sources.length > 1) {
        return inSql.length === sources.length ? sources.map(source => ({ table, source })) : [{ table }];
      }
      const [{ reads, where }] = inSql as [Select['tables'][number]];
      const [source] = sources;
      const exact: ReadonlyMap<string, number> = source
        ? projectionOf(condition.formula, source).exact
        : new Map();
      const inexact = [...where].filter(([column, count]) => exact.get(column) !== count);
      const decisive = [...inexact.map(([column]) => column)];
      if (source === condition.sources[0]) {
        return [
          {
            table,
            source,
            reads: reads && [...reads, ...decisive],
            bounded: this.#order.map(({ column }) => column),
          },
        ];
      }
      const key = this.#keyOf(table);
      const isReferenced = key === 'id';
      const all = reads && [...reads, ...decisive];
      if (!key || !reads || sql.split('select').length > 2 || this.#isOrderedBy(table, sql)) {
        return [{ table, source, reads: all, ...(isReferenced && { bounded: [key], referenced: true }) }];
      }
      const filters = where.size > 0 || !/left join/.test(sql);
      const contained = { table, source, reads: all, bounded: [key], contained: true };
      if (isReferenced && decisive.length === 0) {
        return [{ ...contained, referenced: true, filters }];
      }
      return filters
        ? [{ table, source, reads: [...decisive, key], bounded: [key], referenced: isReferenced }, contained]
        : [contained];
    });
  }

  get #root(): string {
    return this.#condition.sources[0]!.table;
  }

  /** Does it decide which rows are on a page? */
  #isOrderedBy(table: string, sql: string): boolean {
    const alias = this.#catalog.tables.get(table)!.name[0];
    return new RegExp(`order by.*"${alias}\\d+"`).test(sql) && /limit/.test(sql);
  }

  /** The columns by which a table is joined: its own key, or the column that refers to the root. */
  #keyOf(table: string): string | undefined {
    const joined = `${this.question.entity} ${this.#catalog.tables.get(table)!.name}`;
    return this.question.usesKeys ? KEYS[joined]?.column : undefined;
  }

  #orderOf({ sql }: Call): readonly OrderTerm[] {
    const { options, terms, isCount } = this.question;
    const select = readSelect(sql) as Select;
    // pages of rows with collections are selected in a subquery
    if (
      isCount ||
      !options.limit ||
      select.tables.filter(({ name }) => name === this.question.entity.toLowerCase()).length > 1 ||
      this.#joinsMany(select)
    ) {
      return [];
    }
    const table = this.#catalog.tables.get(this.#root)!;
    if (Object.values(options.orderBy as object).some(direction => typeof direction !== 'string')) {
      return [];
    }
    return Object.entries(options.orderBy as Record<string, string>)
      .slice(0, terms)
      .map(([column, direction]) => ({
        column,
        kind: table.kinds.get(column)!,
        desc: direction.startsWith('desc'),
        nullsFirst: direction.endsWith('first') || direction === 'desc',
      }));
  }

  #joinsMany({ tables }: Select): boolean {
    return tables.some(({ name }) => KEYS[`${this.question.entity} ${name}`]?.many);
  }

  #boundOf(
    { table, contained, filters = false, bounded = [] }: Role,
    rows: readonly Record<string, any>[],
  ): ResultBound | null {
    const { options, entity, isCount } = this.question;
    if (isCount || bounded.length === 0) {
      return null;
    }
    if (table === this.#root) {
      const last = rows.at(-1);
      return rows.length === options.limit
        ? pageBound(
            this.#order,
            this.#order.map(({ column }) => last![column]),
          )
        : null;
    }
    // rows skipped by OFFSET have positions, but the rows that they refer to are not in the result
    if (!contained || (filters && options.offset)) {
      return null;
    }
    const key = KEYS[`${entity} ${this.#catalog.tables.get(table)!.name}`]!;
    const keys = rows.map(row => [key.ofRow(row)]);
    if (keys.some(([value]) => value === undefined)) {
      return null; // not selected
    }
    return keySetBound([{ name: key.column, kind: 'integer' }], keys, filters);
  }
}

const referred = (value: any): unknown => (value !== null && typeof value === 'object' ? value.id : value);

/** The columns that join a table to the root's rows. */
const KEYS: Readonly<
  Record<string, { readonly column: string; readonly many?: true; ofRow(row: any): unknown }>
> = {
  'Item owner': { column: 'id', ofRow: row => referred(row.owner) },
  'Part item': { column: 'id', ofRow: row => referred(row.item) },
  'Item part': { column: 'item_id', many: true, ofRow: row => row.id },
  'Owner item': { column: 'owner_id', many: true, ofRow: row => row.id },
};
