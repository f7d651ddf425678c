import { hash } from 'node:crypto';
import type { EntityMetadata } from '@mikro-orm/core';
import type { AbstractSqlDriver } from '@mikro-orm/sql';
import { LRUCache } from 'lru-cache';
import type { PrefixQuery } from '../../config/options.js';
import { serializerKey } from '../../config/serializer.js';
import { type Columns, readCondition } from '../../query/condition.js';
import { andWholly, dependenciesOf } from '../../query/dependencies.js';
import type { KeyList } from '../../query/key_list.js';
import { serialise, serialiseQuery, shapeOf } from '../../query/serialise.js';
import type { WatchedTable } from '../../query/watch.js';
import { mayReadClock, mayReadClockIn } from '../../sql/clock.js';
import { haveSkeletons, skeletonsOf } from '../../sql/skeleton.js';
import type { EntryAddress } from '../../store/store.js';
import { schemeOfKinds } from '../../values/encode.js';
import { pathOf } from '../../values/path.js';
import { type Catalog, kindIn } from '../catalog/table.js';
import { hasAddedFilters } from './added_filters.js';
import { withCursor } from './cursor_condition.js';
import { DeclaredTables, type TableNames } from './declared_tables.js';
import { dryRun } from './dry_run.js';
import { KeyPlanner, type KeyPlans, type ListCall } from './key_list_planner.js';
import { modelDefinitionOf } from './model_digest.js';
import { occurrencesOf } from './occurrences.js';
import type { Limits, NotCacheable, Planned, ReadCall } from './plan.js';
import { IRRELEVANT, relevant } from './relevant_options.js';
import { analyseSelects, isSameAnalysis, type SelectAnalysis } from './select_analysis.js';
import { volatilityObstacle } from './volatility.js';

/** A call with the full names of its declared tables. */
type Call = Omit<ReadCall, 'tables'> & { readonly declared: TableNames | undefined };

/** What all queries of one shape have in common. */
interface Shape {
  readonly analysis: SelectAnalysis;
  /** of its statements; `undefined` if they are too complex for it */
  readonly skeletons: readonly string[] | undefined;
  /** the condition and the options are enough for a key */
  readonly closed: boolean;
  /** it joins relations, so that filters may be added to it later */
  readonly joins: boolean;
  readonly changesOptions: boolean;
}

/** Characters of all cached plans: each counts as its text and 1,000 more. */
const MAX_REMEMBERED = 10_000_000;
const MAX_REMEMBERED_TEXT = 2048;

/**
 * Finds the key and the dependencies of a query.
 *
 * Compiling SQL takes longer than the rest of a hit, so the planner does it once for each *shape*. The SQL shows which
 * tables the query reads, and whether condition and options are enough for a key. Where they are not (a join adds
 * filters, whose parameters are in no option), the SQL is compiled every time, and is the key.
 */
export class Planner {
  readonly #catalog: Catalog;
  readonly #limits: Limits;
  readonly #driver: AbstractSqlDriver;
  readonly #environment: string;
  /** names of tables whose entities have code that may make other SQL for each query */
  readonly #varying: ReadonlySet<string>;
  /** the user's `onQuery` may put anything into the SQL */
  readonly #isRewritten: boolean;
  readonly #forbidden: ReadonlyMap<string, string>;
  readonly #declaredTables: DeclaredTables;
  readonly #keys: KeyPlanner;
  readonly #names = new WeakMap<EntityMetadata, string>();
  readonly #shapes = new LRUCache<string, Shape | NotCacheable>({ max: 2000 });
  readonly #plans = new LRUCache<string, Planned | NotCacheable>({
    maxSize: MAX_REMEMBERED,
    sizeCalculation: (_, identity) => identity.length + 1000,
  });

  /**
   * @param environmentState text of the settings and parsers that decide about results
   * @param forbidden names of entities that are never cached, by the full names of their tables
   */
  constructor(
    driver: AbstractSqlDriver,
    catalog: Catalog,
    environmentState: string,
    limits: Limits,
    forbidden: ReadonlyMap<string, string>,
  ) {
    this.#forbidden = forbidden;
    this.#declaredTables = new DeclaredTables(driver, catalog, forbidden);
    this.#catalog = catalog;
    this.#limits = limits;
    this.#driver = driver;
    this.#isRewritten = !/^\(?(\w+)\)?\s*=>\s*\1$/.test(String(driver.config.get('onQuery')));
    const { digest: definition, varying } = modelDefinitionOf(driver);
    this.#varying = varying;
    const format = serializerKey(limits.serializer);
    this.#keys = new KeyPlanner({
      tableOf: call => {
        const name = columnsOf(catalog, this.#schemaOf(call)).tableOf(call.meta);
        return name === undefined ? undefined : catalog.tables.get(name);
      },
      describe: call =>
        this.#describe({ ...call, declared: undefined }, serialise(call.em.getSessionContext())),
      plan: call => this.#plan(call),
    });
    this.#environment = JSON.stringify([catalog.database, environmentState, definition, format]);
  }

  plan(call: ReadCall): Planned | NotCacheable | Promise<Planned | NotCacheable> {
    const plan = this.#plan(call);
    if (typeof this.#limits.prefix !== 'function') {
      return plan;
    }
    const prefixed = (planned: Planned | NotCacheable) =>
      planned.cacheable ? this.#prefixed(call, planned) : planned;
    return plan instanceof Promise ? plan.then(prefixed) : prefixed(plan);
  }

  /**
   * Plans the call for each of its keys. Merged in the family's order, the results are the result of the call.
   *
   * @returns `undefined` if it must be planned as a whole
   */
  planKeys(call: ListCall, list: KeyList): KeyPlans | undefined | Promise<KeyPlans | undefined> {
    if (call.tables || call.meta.virtual || this.#limits.granularity === 'table') {
      return undefined; // a change that invalidates one entry invalidates all
    }
    const planned = this.#keys.plan(call, list);
    if (typeof this.#limits.prefix !== 'function') {
      return planned;
    }
    const prefixed = (keys: KeyPlans | undefined) =>
      keys && { ...keys, plans: keys.plans.map(plan => this.#prefixed(call, plan)) };
    return planned instanceof Promise ? planned.then(prefixed) : prefixed(planned);
  }

  /** The prefix is not cached with the plan, because it may depend on the caller. */
  #prefixed(call: ReadCall, planned: Planned): Planned {
    const { key, tables } = planned.address;
    const before = (this.#limits.prefix as PrefixFunction)(prefixQuery(call, tables, this.#catalog));
    return { ...planned, address: { key: `${before}${key}`, tables } };
  }

  #plan({ tables, ...read }: ReadCall): Planned | NotCacheable | Promise<Planned | NotCacheable> {
    const declared =
      tables && this.#declaredTables.find(tables, this.#schemaOf(read), `${read.meta.className}: tables`);
    if (declared && 'reason' in declared) {
      return { cacheable: false, reason: declared.reason };
    }
    if (read.meta.virtual && !declared) {
      return { cacheable: false, reason: `a virtual entity${NAME_TABLES}` };
    }
    const call: Call = { ...read, declared };
    const isBuilt = call.kind === 'rows' || call.kind === 'row';
    // the expression of a virtual entity may give other SQL each time
    const text =
      isBuilt || call.meta.virtual ? undefined : serialiseQuery(call.where, call.options, IRRELEVANT);
    const context = call.em.getSessionContext();
    const session = serialise(context);
    if (context && session === undefined) {
      return NO_KEY;
    }
    if (text === undefined) {
      return this.#planBySql(reduced(call), session);
    }
    const identity = `${this.#describe(call, session)} ${text}`;
    return this.#plans.get(identity) ?? this.#planByText(reduced(call), session, identity);
  }

  /** All that decides about a plan besides condition and options. */
  #describe(call: Call, session: string | undefined): string {
    const filters = hasAddedFilters(this.#driver) ? 'filtered ' : '';
    return `${filters}${described(call)} ${this.#nameOf(call.meta)} ${session}`;
  }

  /** The schema of entities that have none of their own. */
  #schemaOf({ options }: Pick<ReadCall, 'options'>): string | undefined {
    return (options.schema as string | undefined) ?? this.#driver.config.get('schema');
  }

  /** The class name is not enough, because minified classes may share a name. */
  #nameOf(meta: EntityMetadata): string {
    let name = this.#names.get(meta);
    if (name === undefined) {
      const { className, schema, tableName, discriminatorValue } = meta;
      name = JSON.stringify([className, schema, tableName, discriminatorValue]);
      this.#names.set(meta, name);
    }
    return name;
  }

  async #planByText(
    call: Call,
    session: string | undefined,
    identity: string,
  ): Promise<Planned | NotCacheable> {
    if (mayReadClockIn(call.where) || mayReadClockIn(call.options)) {
      return this.#planBySql(call, session); // a shape does not contain texts, which may mean the present
    }
    const shapeKey = `${call.declared ? 'declared ' : ''}${call.kind} ${this.#nameOf(call.meta)} ${shapeOf(call.where)} ${optionsShape(call.options)}`;
    let shape = this.#shapes.get(shapeKey);
    if (!shape) {
      shape = await this.#shapeOf(call);
      this.#shapes.set(shapeKey, shape);
    }
    if ('reason' in shape) {
      return shape;
    }
    if (!shape.closed || (shape.joins && hasAddedFilters(this.#driver))) {
      return this.#planBySql(call, session);
    }
    const { analysis, skeletons, changesOptions } = shape;
    const plan: Planned = {
      cacheable: true,
      ...this.#address(call, identity, analysis),
      analysis,
      changesOptions,
      confirms: statements => {
        // a custom type may have turned a value into a text that means the present
        if (skeletons && haveSkeletons(statements, skeletons) && !statements.some(mayReadClock)) {
          return true;
        }
        const sent = this.#read(statements, call.declared !== undefined);
        return !('reason' in sent) && isSameAnalysis(sent, analysis);
      },
    };
    if (identity.length <= MAX_REMEMBERED_TEXT) {
      this.#plans.set(identity, plan);
    }
    return plan;
  }

  async #planBySql(call: Call, session: string | undefined): Promise<Planned | NotCacheable> {
    // with other hints, the same SQL gives another result
    const mapping = serialise(MAPPING.map(name => call.options[name]));
    if (mapping === undefined) {
      return NO_KEY;
    }
    const run = await (call.meta.virtual ? dryRun(call.run).catch(() => undefined) : dryRun(call.run));
    if (!run || (call.meta.virtual && !run.wrapsExpression)) {
      return { cacheable: false, reason: 'a virtual entity whose expression gives no SQL' };
    }
    const { statements } = run;
    const identity = `${described(call)} ${this.#nameOf(call.meta)} ${session} sql ${mapping} ${statements.join(';')}`;
    let plan = this.#plans.get(identity);
    if (!plan) {
      plan = this.#planOfSql(call, identity, statements);
      if (identity.length <= MAX_REMEMBERED_TEXT) {
        this.#plans.set(identity, plan);
      }
    }
    return plan.cacheable && run.changesOptions ? { ...plan, changesOptions: true } : plan;
  }

  #planOfSql(call: Call, identity: string, statements: readonly string[]): Planned | NotCacheable {
    const analysis = this.#read(statements, call.declared !== undefined);
    if ('reason' in analysis) {
      return analysis;
    }
    return {
      cacheable: true,
      ...this.#address(call, identity, analysis),
      confirms: sent => sent.length === statements.length && sent.every((sql, i) => sql === statements[i]),
    };
  }

  async #shapeOf(call: Call): Promise<Shape | NotCacheable> {
    const { statements, joins, filtersJoins, changesOptions } = await dryRun(call.run);
    const analysis = this.#read(statements, call.declared !== undefined);
    if ('reason' in analysis) {
      return analysis;
    }
    return {
      analysis,
      skeletons: skeletonsOf(statements),
      joins,
      changesOptions,
      closed:
        !filtersJoins &&
        !this.#isRewritten &&
        !analysis.references.some(({ table }) => this.#varying.has(table.name)),
    };
  }

  #read(statements: readonly string[], hasDeclaredTables: boolean): SelectAnalysis | NotCacheable {
    const analysis = analyseSelects(statements, this.#catalog, this.#forbidden, hasDeclaredTables);
    const obstacle =
      'reason' in analysis
        ? analysis.reason
        : analysis.unanalysable
          ? volatilityObstacle(statements, this.#catalog)
          : undefined;
    if (obstacle === undefined) {
      return analysis as SelectAnalysis;
    }
    const helps = !hasDeclaredTables && !('reason' in this.#read(statements, true));
    return { cacheable: false, reason: helps ? `${obstacle}${NAME_TABLES}` : obstacle };
  }

  #address(call: Call, identity: string, analysis: SelectAnalysis): Pick<Planned, 'address' | 'bounds'> {
    const digest = hash('sha256', `${this.#environment} ${identity}`, 'base64url');
    const key = `${call.meta.className}:${digest}`;
    const { declared = [] } = call;
    if (analysis.unanalysable || call.meta.virtual) {
      // the SQL does not show all that the result depends on
      const all = analysis.references.map(({ table }) => table.fullName);
      return {
        address: { key, tables: andWholly([], [...all, ...analysis.others, ...declared]) },
        bounds: [],
      };
    }
    const { granularity, maxConjunctions: limit, maxIn } = this.#limits;
    const columns = columnsOf(this.#catalog, this.#schemaOf(call));
    const condition = readCondition(call.meta, withCursor(this.#driver, call), columns, maxIn);
    const { all, bounds } = occurrencesOf(analysis, condition, call.kind === 'find');
    const seen = dependenciesOf(condition.formula, all, { limit, granularity });
    const tables = andWholly(
      seen.map(each => ofKinds(each, columns)),
      declared,
    );
    const tested = tables.some(({ dependencies }) => dependencies.some(({ watches }) => watches));
    return {
      address: { key, tables },
      bounds: tested ? bounds : [],
    };
  }
}

type PrefixFunction = Extract<Limits['prefix'], (...args: never[]) => unknown>;

function ofKinds({ table, dependencies }: WatchedTable, { kindOf }: Columns): WatchedTable {
  const known = (column: string) => kindOf(table, column);
  return {
    table,
    dependencies: dependencies.map(each => ({ ...each, scheme: schemeOfKinds(each.scheme, known) })),
  };
}

function described({ kind, declared }: Call): string {
  return declared ? `${kind} by ${JSON.stringify(declared)}` : kind;
}

function reduced(call: Call): Call {
  return { ...call, options: relevant(call.options) };
}

function prefixQuery(
  call: Pick<ReadCall, 'meta'>,
  tables: EntryAddress['tables'],
  catalog: Catalog,
): PrefixQuery {
  return {
    entity: call.meta.className,
    tables: tables.map(({ table }) => table),
    database: catalog.database.slice(0, catalog.database.lastIndexOf('@')),
  };
}

const NAME_TABLES = ': name the tables behind it in the option tables';

const NO_KEY: NotCacheable = { cacheable: false, reason: 'options that have no key' };

/** Options that change how rows become a result, but not the SQL. */
const MAPPING = ['populate', 'fields', 'exclude', 'first', 'last', 'strategy', '_partitionLimit'];

/** Options whose numbers appear only as literals in the SQL. */
const LITERALS = new Set(['limit', 'offset']);

function optionsShape(options: Readonly<Record<string, unknown>>): string {
  return Object.entries(options)
    .map(([name, value]) => `${name}:${LITERALS.has(name) ? typeof value : serialise(value)}`)
    .join();
}

/** @param runtimeSchema the schema of entities that have none of their own */
function columnsOf(catalog: Catalog, runtimeSchema: string | undefined): Columns {
  return {
    tableOf(meta) {
      // table-per-type inheritance: the properties are spread over several tables
      if (meta.inheritanceType === 'tpt' || meta.virtual) {
        return undefined;
      }
      const schema = meta.schema && meta.schema !== '*' ? meta.schema : runtimeSchema;
      return catalog.resolve({ schema, name: meta.tableName })?.fullName;
    },
    kindOf: (table, column) => kindIn(catalog.tables.get(table), column),
    orderable: (table, column) =>
      pathOf(column)
        ? catalog.sortsByCodePoints
        : (catalog.tables.get(table)?.orderable.has(column) ?? false),
    matchable: (table, column) =>
      pathOf(column) ? catalog.unicode : (catalog.tables.get(table)?.matchable.has(column) ?? false),
  };
}
