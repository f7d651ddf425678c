import { hash } from 'node:crypto';
import type { EntityMetadata } from '@mikro-orm/core';
import type { AbstractSqlDriver } from '@mikro-orm/sql';
import { LRUCache } from 'lru-cache';
import { type PrefixQuery, serializerKey } from '../../config/index.js';
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
import { DeclaredTables, type Named } from './declared_tables.js';
import { dryRun } from './dry_run.js';
import { KeyPlanner, type KeyPlans, type ListCall } from './key_list_planner.js';
import { modelDefinitionOf } from './model_digest.js';
import { occurrencesOf } from './occurrences.js';
import type { Limits, NotCacheable, Planned, ReadCall } from './plan.js';
import { IRRELEVANT, relevant } from './relevant_options.js';
import { analyseSelects, isSameAnalysis, type SelectAnalysis } from './select_analysis.js';
import { volatilityObstacle } from './volatility.js';

/** A call whose tables were found. */
type Call = Omit<ReadCall, 'tables'> & { readonly named: Named | undefined };

/** What all queries of one shape have in common. */
interface Shape {
  readonly reading: SelectAnalysis;
  /** of its statements; `undefined` if they are not that simple */
  readonly skeletons: readonly string[] | undefined;
  /** Is everything that decides about the result in the condition and the options? */
  readonly closed: boolean;
  /** Would filters be among it which are only registered later? */
  readonly joins: boolean;
  readonly changesOptions: boolean;
}

/** characters of remembered queries, each counted with what is kept for it */
const MAX_REMEMBERED = 10_000_000;
const MAX_REMEMBERED_TEXT = 2048;

/**
 * From a query to its key and dependencies.
 *
 * Compiling SQL costs more than everything else on a hit, so it is done once a *shape*: the SQL tells which tables
 * the ORM makes of it, and whether the query's own text is enough for a key. Where it is not (a join brings filters
 * with it, whose parameters stand in no option), the SQL itself is the key, every time.
 */
export class Planner {
  readonly #catalog: Catalog;
  readonly #limits: Limits;
  readonly #driver: AbstractSqlDriver;
  readonly #environment: string;
  /** names of tables whose entities have code that may make other SQL each time */
  readonly #varying: ReadonlySet<string>;
  /** the user's `onQuery` may put anything into the SQL */
  readonly #isRewritten: boolean;
  readonly #forbidden: ReadonlyMap<string, string>;
  readonly #named: DeclaredTables;
  readonly #keys: KeyPlanner;
  readonly #names = new WeakMap<EntityMetadata, string>();
  readonly #shapes = new LRUCache<string, Shape | NotCacheable>({ max: 2000 });
  readonly #plans = new LRUCache<string, Planned | NotCacheable>({
    maxSize: MAX_REMEMBERED,
    sizeCalculation: (_, identity) => identity.length + 1000,
  });

  /**
   * @param surroundings what else decides about results, as text
   * @param forbidden names of entities that are never cached, by the full names of their tables
   */
  constructor(
    driver: AbstractSqlDriver,
    catalog: Catalog,
    surroundings: string,
    limits: Limits,
    forbidden: ReadonlyMap<string, string>,
  ) {
    this.#forbidden = forbidden;
    this.#named = new DeclaredTables(driver, catalog, forbidden);
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
      describe: call => this.#describe({ ...call, named: undefined }, serialise(call.em.getSessionContext())),
      plan: call => this.#plan(call),
    });
    this.#environment = JSON.stringify([catalog.database, surroundings, definition, format]);
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
   * The same call for each of its keys by itself. Together they give what it gives, in the order that is told beside.
   *
   * @returns `undefined` if it has to be planned as a whole
   */
  planKeys(call: ListCall, list: KeyList): KeyPlans | undefined | Promise<KeyPlans | undefined> {
    if (call.tables || call.meta.virtual || this.#limits.granularity === 'table') {
      return undefined; // whatever drops one of them drops all
    }
    const planned = this.#keys.plan(call, list);
    if (typeof this.#limits.prefix !== 'function') {
      return planned;
    }
    const prefixed = (keys: KeyPlans | undefined) =>
      keys && { ...keys, plans: keys.plans.map(plan => this.#prefixed(call, plan)) };
    return planned instanceof Promise ? planned.then(prefixed) : prefixed(planned);
  }

  /** The prefix is asked for each time, and not remembered with the query: it may depend on who asks. */
  #prefixed(call: ReadCall, planned: Planned): Planned {
    const { key, tables } = planned.address;
    const before = (this.#limits.prefix as PrefixFunction)(prefixQuery(call, tables, this.#catalog));
    return { ...planned, address: { key: `${before}${key}`, tables } };
  }

  #plan({ tables, ...read }: ReadCall): Planned | NotCacheable | Promise<Planned | NotCacheable> {
    const named = tables && this.#named.find(tables, this.#schemaOf(read), `${read.meta.className}: tables`);
    if (named && 'reason' in named) {
      return { cacheable: false, reason: named.reason };
    }
    if (read.meta.virtual && !named) {
      return { cacheable: false, reason: 'a virtual entity' };
    }
    const call: Call = { ...read, named };
    const isBuilt = call.kind === 'rows' || call.kind === 'row';
    // what a virtual entity stands for may be made anew each time
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

  /** What decides about a plan beside condition and options. */
  #describe(call: Call, session: string | undefined): string {
    const filters = hasAddedFilters(this.#driver) ? 'filtered ' : '';
    return `${filters}${described(call)} ${this.#nameOf(call.meta)} ${session}`;
  }

  /** That of entities which do not name one themselves. */
  #schemaOf({ options }: Pick<ReadCall, 'options'>): string | undefined {
    return (options.schema as string | undefined) ?? this.#driver.config.get('schema');
  }

  /** Minified, several classes may have one name. */
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
      return this.#planBySql(call, session); // its shape tells nothing of its texts
    }
    const shapeKey = `${call.named ? 'vouched ' : ''}${call.kind} ${this.#nameOf(call.meta)} ${shapeOf(call.where)} ${optionsShape(call.options)}`;
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
    const { reading, skeletons, changesOptions } = shape;
    const plan: Planned = {
      cacheable: true,
      ...this.#address(call, identity, reading),
      reading,
      changesOptions,
      confirms: statements => {
        // a custom type may have made a word for the present of another value
        if (skeletons && haveSkeletons(statements, skeletons) && !statements.some(mayReadClock)) {
          return true;
        }
        const sent = this.#read(statements, call.named !== undefined);
        return !('reason' in sent) && isSameAnalysis(sent, reading);
      },
    };
    if (identity.length <= MAX_REMEMBERED_TEXT) {
      this.#plans.set(identity, plan);
    }
    return plan;
  }

  async #planBySql(call: Call, session: string | undefined): Promise<Planned | NotCacheable> {
    // the same SQL maps to other results under other hints
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
    const reading = this.#read(statements, call.named !== undefined);
    if ('reason' in reading) {
      return reading;
    }
    return {
      cacheable: true,
      ...this.#address(call, identity, reading),
      confirms: sent => sent.length === statements.length && sent.every((sql, i) => sql === statements[i]),
    };
  }

  async #shapeOf(call: Call): Promise<Shape | NotCacheable> {
    const { statements, joins, filtersJoins, changesOptions } = await dryRun(call.run);
    const reading = this.#read(statements, call.named !== undefined);
    if ('reason' in reading) {
      return reading;
    }
    return {
      reading,
      skeletons: skeletonsOf(statements),
      joins,
      changesOptions,
      closed:
        !filtersJoins &&
        !this.#isRewritten &&
        !reading.uses.some(({ table }) => this.#varying.has(table.name)),
    };
  }

  #read(statements: readonly string[], vouched: boolean): SelectAnalysis | NotCacheable {
    const reading = analyseSelects(statements, this.#catalog, this.#forbidden, vouched);
    const obstacle =
      'reason' in reading
        ? reading.reason
        : reading.opaque
          ? volatilityObstacle(statements, this.#catalog)
          : undefined;
    return obstacle === undefined ? (reading as SelectAnalysis) : { cacheable: false, reason: obstacle };
  }

  #address(call: Call, identity: string, reading: SelectAnalysis): Pick<Planned, 'address' | 'bounds'> {
    const digest = hash('sha256', `${this.#environment} ${identity}`, 'base64url');
    const key = `${call.meta.className}:${digest}`;
    const { named = [] } = call;
    if (reading.opaque || call.meta.virtual) {
      // what stands in it is not all there is to know of how it came about
      const all = reading.uses.map(({ table }) => table.fullName);
      return { address: { key, tables: andWholly([], [...all, ...reading.others, ...named]) }, bounds: [] };
    }
    const { granularity, maxConjunctions: limit, maxIn } = this.#limits;
    const columns = columnsOf(this.#catalog, this.#schemaOf(call));
    const condition = readCondition(call.meta, call.where, columns, maxIn);
    const { all, bounds } = occurrencesOf(reading, condition, call.kind === 'find');
    const seen = dependenciesOf(condition.formula, all, { limit, granularity });
    const tables = andWholly(
      seen.map(each => ofKinds(each, columns)),
      named,
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

function described({ kind, named }: Call): string {
  return named ? `${kind} by ${JSON.stringify(named)}` : kind;
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

const NO_KEY: NotCacheable = { cacheable: false, reason: 'options that have no key' };

/** Options which change what is made of the rows, and not the SQL. */
const MAPPING = ['populate', 'fields', 'exclude', 'first', 'last', 'strategy', '_partitionLimit'];

/** Numbers that only turn up as literals. */
const LITERALS = new Set(['limit', 'offset']);

function optionsShape(options: Readonly<Record<string, unknown>>): string {
  return Object.entries(options)
    .map(([name, value]) => `${name}:${LITERALS.has(name) ? typeof value : serialise(value)}`)
    .join();
}

/** @param runtimeSchema of entities that do not name one themselves */
function columnsOf(catalog: Catalog, runtimeSchema: string | undefined): Columns {
  return {
    tableOf(meta) {
      // a table per type: properties are spread over several tables
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
