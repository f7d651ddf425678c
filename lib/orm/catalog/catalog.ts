import { ANY_TABLE, type Routine, Routines } from '../../sql/routines.js';
import type { SessionEffects, TableName } from '../../sql/statement.js';
import type { Seal } from '../../store/store.js';
import { type Comparable, comparableOf, isArray } from '../../values/comparable.js';
import { isOrderable } from '../../values/order.js';
import { pathOf } from '../../values/path.js';
import {
  DEFINED,
  type Definitions,
  FIRST_OWN_OID,
  INDIRECT_ROUTINES,
  KINDS_OF_TYPES,
  readDefinitions,
} from './definitions.js';
import { allAffected } from './propagation.js';
import { checkRights, LACKING } from './rights.js';

/** Runs one statement outside of all transactions and gives its rows. */
export type Ask = (sql: string) => Promise<Record<string, any>[]>;

/** A table as the database knows it. */
export interface Table {
  /** database identity, schema and name: how the table is called in stores */
  readonly fullName: string;
  /** `pg_class.oid` */
  readonly oid: string;
  readonly schema: string;
  readonly name: string;
  /** columns that JavaScript compares as the database does */
  readonly columns: readonly ComparableColumn[];
  readonly kinds: ReadonlyMap<string, Comparable>;
  /** of these, those whose order in JavaScript is the database's */
  readonly orderable: ReadonlySet<string>;
  /** of these, strings in which JavaScript sees the characters that LIKE does */
  readonly matchable: ReadonlySet<string>;
  /** how SQL writes the columns' types */
  readonly types: ReadonlyMap<string, string>;
  /** what {@link columnsNow} gives of it */
  readonly columnsAs: string;
  /** columns that the database computes from others, in whichever heir a row stands */
  readonly generated: readonly string[];
  /** the primary key's columns, if equality of all of them is known; heirs may have rows of the same key */
  readonly key: readonly string[] | undefined;
  /** an ordinary or partitioned table without rules, none of it on another server: what stands in it changes by writes to it, and in no other way */
  readonly plain: boolean;
  readonly partitioned: boolean;
  /** what stands in it changes when it is refreshed */
  readonly materialized: boolean;
  /** no function of a user's is called for a value of any of its columns, by an operator or for the value's text */
  readonly settled: boolean;
  /** it has a column of `time with time zone` or made of it: what such a value is compared with may be of today's offset */
  readonly zoned: boolean;
  /** it has a column of `time`, or made of it */
  readonly ofDay: boolean;
  /** its rows may be read back by whoever writes them: no row-level security, SELECT is granted */
  readonly readable: boolean;
  readonly rowSecurity: boolean;
  /** why what is read of it is not cached at all: it may change without a statement that could tell of it */
  readonly unfollowed: string | undefined;
  /** its rows may be locked by whoever writes them: UPDATE is granted */
  readonly lockable: boolean;
  /** a trigger may change what is stored in other columns than those that a statement sets */
  readonly rewritten: boolean;
  /** itself, and the tables that it is a partition or an heir of */
  readonly ancestors: readonly string[];
  readonly descendants: readonly string[];
  /** what a foreign key's action does to other tables when rows of this one are deleted, or their keys changed */
  /** full names of all tables that refer to it, whatever their foreign keys do: TRUNCATE … CASCADE empties them */
  readonly referencedBy: readonly string[];
  /**
   * Its own and its inheritance children's, whose rows are changed through it. What rules do, functions in defaults, and
   * writes to the tables behind a view counts as well.
   */
  readonly triggers: readonly Trigger[];
  /** what these do to the settings of the session */
  readonly effects: SessionEffects | undefined;
  readonly onDelete: readonly ForeignKey[];
  readonly onUpdate: readonly ForeignKey[];
  /** foreign keys of its own that hold in every state that anybody can see: enforced, validated, not deferrable */
  readonly references: readonly Reference[];
}

export interface Reference {
  /** full name of the table referred to */
  readonly to: string;
  /** pairs of a column of its own, and the one that it refers to */
  readonly columns: readonly (readonly [own: string, referenced: string])[];
}

export interface ComparableColumn {
  readonly name: string;
  readonly kind: Comparable;
}

/** What happens to rows of a table. */
export type TriggerEvent = 'insert' | 'update' | 'delete' | 'truncate';

export interface Trigger {
  readonly fates: readonly TriggerEvent[];
  /** full names of the tables that it may write to */
  readonly reached: readonly string[];
}

export interface ForeignKey {
  /** full name of the table that refers */
  readonly from: string;
  /** does the action delete the rows that refer (CASCADE), or only change them (SET NULL, SET DEFAULT)? */
  readonly deletes: boolean;
  /** columns of the table referred to */
  readonly referenced: readonly string[];
  /** pairs of a column that refers, and the one that it refers to */
  readonly columns: readonly (readonly [from: string, referenced: string])[];
  /** every row that refers was checked when it came to be, and locks the row referred to until its writer's end */
  readonly checked: boolean;
}

/**
 * What the database says of itself: columns with their real types, privileges, foreign keys, heirs. Entity metadata
 * may say otherwise (a hand-written migration, a citext column mapped as a string), and being wrong about it would
 * mean stale reads.
 */
export interface Catalog {
  /** why it tells nothing, and why nothing is cached: the database may not be asked */
  readonly obstacle?: string;
  /** names the database, however it is reached: cluster and database name */
  readonly database: string;
  /** the stamp of what is defined there, as it was before anything was read; `undefined` if what was read is not for storing by */
  readonly stamp?: Seal | undefined;
  readonly user: string;
  /** the schemas in which tables are looked for, without those that are there anyway */
  readonly path: readonly string[];
  readonly readCommitted: boolean;
  /** what {@link DEFINITIONS} gave before anything else was read */
  readonly definitionsAs: string;
  /** what {@link EVENT_TRIGGERS} gave then */
  readonly eventTriggersAs: string;
  /** RETURNING also gives rows as they were before: `old.…`, since PostgreSQL 18 */
  readonly returnsOld: boolean;
  readonly tables: ReadonlyMap<string, Table>;
  /** its strings are made of Unicode's characters */
  readonly unicode: boolean;
  /** what is of no column's collation is sorted by code points */
  readonly sortsByCodePoints: boolean;
  /** what functions and procedures may write to */
  readonly routines: Routines;
  /** full names of the tables that event triggers may write to where something is defined */
  readonly onDefinition: readonly string[];
  /** what event triggers do to the settings of the session where something is defined */
  readonly effectsOnDefinition: SessionEffects | undefined;
  /** Is there a table whose writers may change settings by {@link Table.effects}? */
  readonly configures: boolean;
  /** texts of functions, procedures and views, by name */
  readonly definitions: ReadonlyMap<string, string>;
  readonly defined: Definitions;
  /** Are names looked up in other schemas before PostgreSQL's own? */
  readonly isShadowed: boolean;
  /** finds a table by the name it has in SQL */
  resolve(name: TableName): Table | undefined;
  /** all tables of that name, in whatever schema */
  named(name: string): readonly Table[];
}

/** Of a column, or of a path within one: `undefined` if it cannot be compared. */
export function kindIn(table: Table | undefined, name: string): Comparable | undefined {
  const path = pathOf(name);
  return path ? (table?.types.get(path.column) === 'jsonb' ? 'text' : undefined) : table?.kinds.get(name);
}

/** One, if it is a path within a column of the table. */
export function pathColumn(table: Table, name: string): ComparableColumn[] {
  const kind = pathOf(name) && kindIn(table, name);
  return kind ? [{ name, kind }] : [];
}

/** What the database is called, however it is reached. */
export async function askDatabaseName(ask: Ask, identity: string | undefined): Promise<string> {
  const [row] = await ask(`select current_database() as name, ${SYSTEM} as system`);
  return databaseName(row!, identity);
}

function databaseName({ name, system }: Record<string, any>, identity: string | undefined): string {
  return `${name}@${identity ?? BigInt(system).toString(36)}`;
}

export async function loadCatalog(ask: Ask, identity: string | undefined): Promise<Catalog> {
  const [server] = await ask(SERVER);
  checkRights(server!.lacking, server!.user);
  const database = databaseName(server!, identity);
  // what is temporary is of one session, which may be this one
  const path = (server!.path as string[]).filter(schema => !schema.startsWith('pg_temp'));
  const rows = await ask(TABLES);
  const written = (await ask(ROUTINES)) as unknown as Routine[];
  const routines = new Routines(written);
  const definitions = new Map<string, string>();
  const views = rows.filter(row => row.definition !== null) as { name: string; definition: string }[];
  for (const [name, text] of [
    ...written.map(({ name, source }) => [name, source] as const),
    ...views.map(({ name, definition }) => [name, definition] as const),
  ]) {
    definitions.set(name, `${definitions.get(name) ?? ''}\n${text}`);
  }
  const tables = new Map<string, Table>();
  const byOid = new Map(rows.map(row => [row.oid as string, row]));
  const fullName = (row: Record<string, any>) => `${database}/${row.schema}.${row.name}`;
  const nameOf = (oid: string) => (byOid.has(oid) ? fullName(byOid.get(oid)!) : undefined);
  const foreignKeys = (keys: any[], action: 'd' | 'u'): ForeignKey[] =>
    keys
      .filter(key => 'cnd'.includes(key[action]) && byOid.has(key.from))
      .map(key => ({
        from: nameOf(key.from)!,
        deletes: action === 'd' && key.d === 'c',
        referenced: key.columns.map(([, referenced]: [string, string]) => referenced),
        columns: key.columns,
        checked: key.checked,
      }));

  const everything = rows.map(fullName);
  const tablesNamed = (names: ReadonlySet<string>) =>
    names.has(ANY_TABLE)
      ? everything
      : names.size > 0
        ? rows.filter(row => names.has(row.name)).map(fullName)
        : [];
  const withHeirs = (oid: string) => closure(oid, each => byOid.get(each)?.children ?? []);
  const storedIn = (oid: string) =>
    closure(oid, each => {
      const { kind, children, rules } = byOid.get(each) ?? { children: [], rules: [] };
      return kind === 'v' ? rules.flatMap((rule: any) => (rule.event === '1' ? rule.tables : [])) : children;
    });
  const unfollowed = (row: Record<string, any>) => {
    const persistences = storedIn(row.oid).map(oid => byOid.get(oid)?.persistence ?? 'p');
    const persistence = persistences.find(each => each !== 'p');
    return persistence && `${row.name}, ${persistence === 't' ? TEMPORARY : UNLOGGED}`;
  };
  // no constraint of a table holds for its heirs, unless they are partitions
  const isInherited = (oid: string) => byOid.get(oid)!.kind === 'r' && withHeirs(oid).length > 1;

  for (const row of rows) {
    const heirs = withHeirs(row.oid).flatMap(oid => byOid.get(oid) ?? []);
    const referring = heirs.flatMap(heir => heir.references);
    const columns: ComparableColumn[] = [];
    const orderable = new Set<string>();
    const matchable = new Set<string>();
    for (const column of row.columns as any[]) {
      const type = {
        name: column.own ? '' : column.type,
        category: column.category,
        deterministic: column.det,
      };
      // what is called like a path would be taken for one
      const kind = pathOf(column.name) ? undefined : comparableOf(type);
      if (kind) {
        columns.push({ name: column.name, kind });
        if (isOrderable(kind, server!.unicode && (column.points ?? server!.points))) {
          orderable.add(column.name);
        }
        if (kind === 'text' && server!.unicode) {
          matchable.add(column.name);
        }
      }
    }
    const kinds = new Map(columns.map(column => [column.name, column.kind]));
    const key = row.key as string[] | null;
    tables.set(fullName(row), {
      fullName: fullName(row),
      oid: row.oid,
      schema: row.schema,
      name: row.name,
      columns,
      kinds,
      orderable,
      matchable,
      types: new Map(row.columns.map((column: any) => [column.name, column.sql])),
      columnsAs: row.columns.map((column: any) => column.as).join(),
      generated: [
        ...new Set<string>(
          heirs.flatMap(({ columns }) =>
            columns.filter((column: any) => column.generated).map((column: any) => column.name),
          ),
        ),
      ],
      partitioned: row.kind === 'p',
      materialized: row.kind === 'm',
      settled: row.settled,
      zoned: row.zoned,
      ofDay: row.of_day,
      key:
        !isInherited(row.oid) && key?.every(column => kinds.has(column) && !isArray(kinds.get(column)!))
          ? key
          : undefined,
      plain:
        (row.kind === 'r' || row.kind === 'p') &&
        row.rules.length === 0 &&
        heirs.every(({ kind }) => kind !== 'f'),
      readable: row.readable && !row.security,
      rowSecurity: row.security,
      unfollowed: unfollowed(row),
      lockable: row.lockable,
      rewritten: heirs.some(heir => heir.rewritten),
      ancestors: closure(row.oid, oid => byOid.get(oid)?.parents ?? []).flatMap(oid => nameOf(oid) ?? []),
      descendants: heirs.map(fullName),
      referencedBy: row.references.flatMap((key: any) => nameOf(key.from) ?? []),
      triggers: heirs.flatMap(({ kind, triggers, rules, evaluated }) => [
        // which table a foreign table stands for is not known here: it may be one of this database
        ...triggerFrom(ANY_FATE, kind === 'f' ? everything : []),
        ...rules.flatMap((rule: any) =>
          triggerFrom(FATES_OF_RULE[rule.event] ?? ANY_FATE, [
            ...rule.tables.flatMap((oid: string) => nameOf(oid) ?? []),
            ...rule.routines.flatMap((routine: string) => tablesNamed(routines.namesReachedBy(routine))),
          ]),
        ),
        ...triggers.flatMap((trigger: any) =>
          triggerFrom(
            fatesOf(trigger.type, row.kind === 'p'),
            tablesNamed(routines.namesReachedBy(trigger.routine)),
          ),
        ),
        ...evaluated.flatMap((routine: string) =>
          triggerFrom(ANY_FATE, tablesNamed(routines.namesReachedBy(routine))),
        ),
      ]),
      effects: routines.effectsBy(
        heirs.flatMap(({ triggers, rules, evaluated }) => [
          ...triggers.map((trigger: any) => trigger.routine),
          ...rules.flatMap((rule: any) => rule.routines),
          ...evaluated,
        ]),
      ),
      onDelete: foreignKeys(referring, 'd'),
      onUpdate: foreignKeys(referring, 'u'),
      references: row.trusted.flatMap((key: any) => {
        const to = nameOf(key.to);
        const holds = to !== undefined && !isInherited(row.oid) && !isInherited(key.to);
        return holds ? [{ to, columns: key.columns }] : [];
      }),
    });
  }

  const byLogin = tablesNamed(routines.namesReachedByLogin).flatMap(name => tables.get(name) ?? []);
  for (const name of allAffected({ tables }, byLogin)) {
    const table = tables.get(name)!;
    tables.set(name, { ...table, unfollowed: `${table.name}, to which a login event trigger may write` });
  }

  const bySchema = new Map([...tables.values()].map(table => [`${table.schema}.${table.name}`, table]));
  const byName = Map.groupBy(tables.values(), table => table.name);
  return {
    database,
    definitionsAs: server!.definitions,
    eventTriggersAs: server!.triggers,
    user: server!.user,
    path: server!.own_path,
    readCommitted: server!.isolation === 'read committed' || server!.isolation === 'read uncommitted',
    returnsOld: Number(server!.version) >= 180_000,
    tables,
    unicode: server!.unicode,
    sortsByCodePoints: server!.unicode && server!.points,
    routines,
    onDefinition: tablesNamed(routines.namesReachedByDefinitions),
    definitions,
    effectsOnDefinition: routines.effectsOnDefinition,
    configures: [...tables.values()].some(({ effects }) => effects !== undefined),
    defined: readDefinitions(server!.defined),
    isShadowed: path[0] !== 'pg_catalog',
    resolve({ schema, name }) {
      if (schema === undefined && name.startsWith('pg_')) {
        return undefined; // may be one of PostgreSQL's own, which come first
      }
      for (const candidate of schema === undefined ? path : [schema]) {
        const table = bySchema.get(`${candidate}.${name}`);
        if (table) {
          return table;
        }
      }
      return undefined;
    },
    named: name => byName.get(name) ?? [],
  };
}

/** Bits of `pg_trigger.tgtype`. */
const FATES: readonly (readonly [bit: number, fate: TriggerEvent])[] = [
  [4, 'insert'],
  [8, 'delete'],
  [16, 'update'],
  [32, 'truncate'],
];

const ANY_FATE = FATES.map(([, fate]) => fate);

/** By `pg_rewrite.ev_type`. That of SELECT is a view's query: whatever is written to the view ends up in its tables. */
const FATES_OF_RULE: Readonly<Record<string, readonly TriggerEvent[]>> = {
  2: ['update'],
  3: ['insert'],
  4: ['delete'],
};

/** @param partitioned an UPDATE deletes a row from one partition and inserts it into another, where it moves */
function fatesOf(type: number, partitioned: boolean): readonly TriggerEvent[] {
  const fates = FATES.filter(([bit]) => type & bit).map(([, fate]) => fate);
  return partitioned && !fates.includes('update') ? [...fates, 'update'] : fates;
}

/** Nothing, if it writes to no table. */
function triggerFrom(fates: readonly TriggerEvent[], reached: readonly string[]): Trigger[] {
  return reached.length > 0 ? [{ fates, reached }] : [];
}

const TEMPORARY = 'a temporary table';
const UNLOGGED = 'an unlogged table, which a crash of the database empties';

/** Everything that a relation leads to, itself included. */
function closure(start: string, next: (item: string) => readonly string[]): string[] {
  const found = new Set([start]);
  for (const item of found) {
    for (const reached of next(item)) {
      found.add(reached);
    }
  }
  return [...found];
}

/**
 * Is another if something was defined since by which a statement changes rows that it does not name: the triggers of
 * which foreign keys consist, and those that users make; heirs; rules; event triggers. All are found by their indexes, or are few.
 */
export const DEFINITIONS = `concat_ws(' ', (select max(oid) from pg_trigger), (select count(*) from pg_inherits),
  (select max(oid) from pg_rewrite where ev_type <> '1'), (select max(oid) from pg_event_trigger))`;

/** Is another if an event trigger, or the function that one calls, is another. */
export const EVENT_TRIGGERS = `(select coalesce(string_agg(concat_ws(' ', e.oid, e.xmin, p.xmin), ',' order by e.oid), '')
  from pg_event_trigger e join pg_proc p on p.oid = e.evtfoid)`;

/** How a column `a` is stored and compared. */
const COLUMN_AS = `concat_ws(' ', a.attname, a.atttypid, a.atttypmod, a.attcollation)`;

/** An expression in SQL: by oid, of those of these tables that are there. */
export function columnsNow(tables: readonly Table[]): string {
  return `(select json_object_agg(t.oid, t.columns) from (
    select a.attrelid as oid, string_agg(${COLUMN_AS}, ',' order by a.attnum) as columns from pg_attribute a
    where a.attrelid = any ('{${tables.map(({ oid }) => oid)}}') and a.attnum > 0 and not a.attisdropped group by 1) as t)`;
}

const SYSTEM = '(select system_identifier::text from pg_control_system())';

const SERVER = `
  with recursive ${KINDS_OF_TYPES}
  select current_database() as name, ${DEFINITIONS} as definitions, ${EVENT_TRIGGERS} as triggers, current_user as user, current_schemas(true)::text[] as path,
         current_schemas(false)::text[] as own_path,
         current_setting('default_transaction_isolation') as isolation,
         current_setting('server_version_num') as version, ${DEFINED} as defined,
         getdatabaseencoding() = 'UTF8' as unicode,
         -- does the default collation sort strings by their code points? The provider is told since PostgreSQL 15
         (select coalesce(to_jsonb(d) ->> 'datlocprovider', 'c') = 'b'
              or coalesce(to_jsonb(d) ->> 'datlocprovider', 'c') = 'c' and d.datcollate in ('C', 'POSIX')
            from pg_database d where d.datname = current_database()) as points,
         ${LACKING} as lacking,
         ${SYSTEM} as system`;

/**
 * One statement, so that it is of one moment. Everything is collected once and joined, since looked up for each table it
 * took seconds where there are hundreds of them.
 *
 * - The routines of defaults, computed columns, checks, indexes and conditions of triggers come from what is recorded of
 *   dependencies: since
 *   PostgreSQL 18 `pg_get_expr` waits for whoever holds the table's lock, so that no process could start while another
 *   one migrates.
 * - NOT ENFORCED is known since PostgreSQL 18; triggers that are switched off enforce nothing.
 */
const TABLES = `
  with recursive ${KINDS_OF_TYPES},
  tables as materialized (
    select c.oid, n.nspname, c.relname, c.relkind, c.relpersistence, c.relrowsecurity,
      c.reltype not in (select oid from kinds_of_types where kind = 'unsettled') as settled,
      c.reltype in (select oid from kinds_of_types where kind = 'zoned') as zoned,
      c.reltype in (select oid from kinds_of_types where kind = 'of day') as of_day
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'v', 'm', 'f') and n.nspname not in ('pg_catalog', 'information_schema')
      and n.nspname not like 'pg_toast%'),
  columns as (
    select a.attrelid as oid, json_agg(json_build_object('name', a.attname, 'type', t.typname, 'own', t.oid >= ${FIRST_OWN_OID}, 'category', t.typtype,
        'det', coalesce(l.collisdeterministic, true),
        'points', case l.collprovider when 'd' then null when 'b' then true
          when 'c' then l.collcollate in ('C', 'POSIX') else false end,
        'as', ${COLUMN_AS}, 'sql', format_type(a.atttypid, a.atttypmod), 'generated', a.attgenerated <> '') order by a.attnum) as columns
    from tables join pg_attribute a on a.attrelid = tables.oid and a.attnum > 0 and not a.attisdropped
    join pg_type t on t.oid = a.atttypid left join pg_collation l on l.oid = a.attcollation group by 1),
  keys as (
    select i.indrelid as oid, json_agg(a.attname) as key
    from tables join pg_index i on i.indrelid = tables.oid and i.indisprimary
    join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any (i.indkey) group by 1),
  actions as (
    select w.ev_class as oid, w.ev_type, json_agg(distinct d.refobjid::text) filter (where d.refclassid = 'pg_class'::regclass) as tables,
      json_agg(distinct p.proname) filter (where p.oid is not null) as routines
    from tables join pg_rewrite w on w.ev_class = tables.oid and relkind <> 'm'
    join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = w.oid
    left join pg_operator o on d.refclassid = 'pg_operator'::regclass and o.oid = d.refobjid
    left join pg_proc p on p.oid = case d.refclassid when 'pg_proc'::regclass then d.refobjid else o.oprcode end
    group by 1, 2),
  rules as (
    select oid, json_agg(json_build_object('event', ev_type, 'tables', coalesce(tables, '[]'),
      'routines', coalesce(routines, '[]'))) as rules from actions group by 1),
  triggers as (
    select g.tgrelid as oid, bool_or(g.tgtype & 3 = 3 and g.tgtype & 16 = 16) as rewritten,
      json_agg(json_build_object('type', g.tgtype, 'routine', p.proname)) filter (where g.tgenabled <> 'D') as triggers
    from pg_trigger g join pg_proc p on p.oid = g.tgfoid where not g.tgisinternal group by 1),
  expressions as (
    select adrelid as table, 'pg_attrdef'::regclass as class, oid, 0 as routine from pg_attrdef
    union all select conrelid, 'pg_constraint'::regclass, oid, 0 from pg_constraint where conrelid <> 0 and contype in ('c', 'x')
    union all select indrelid, 'pg_class'::regclass, indexrelid, 0 from pg_index where indexprs is not null or indpred is not null
    union all select partrelid, 'pg_class'::regclass, partrelid, 0 from pg_partitioned_table
    union all select tgrelid, 'pg_trigger'::regclass, oid, tgfoid from pg_trigger where tgqual is not null),
  evaluated as (
    select e.table as oid, json_agg(distinct p.proname) as evaluated
    from expressions e join pg_depend d on d.classid = e.class and d.objid = e.oid
    join pg_proc p on d.refclassid = 'pg_proc'::regclass and p.oid = d.refobjid and p.oid <> e.routine group by 1),
  parents as (select inhrelid as oid, json_agg(inhparent::text) as parents from pg_inherits group by 1),
  children as (select inhparent as oid, json_agg(inhrelid::text) as children from pg_inherits group by 1),
  idle as (
    select tgconstraint as oid from pg_trigger where tgconstraint <> 0 and tgenabled not in ('O', 'A') group by 1),
  foreign_keys as materialized (
    select k.conrelid, k.confrelid, k.confdeltype, k.confupdtype, k.convalidated,
      not k.condeferrable and coalesce(to_jsonb(k) ->> 'conenforced', 'true') = 'true' and idle.oid is null as checked,
      (select json_agg(json_build_array(a.attname, f.attname))
        from unnest(k.conkey, k.confkey) as pair (own, referenced)
        join pg_attribute a on a.attrelid = k.conrelid and a.attnum = pair.own
        join pg_attribute f on f.attrelid = k.confrelid and f.attnum = pair.referenced) as columns
    from pg_constraint k left join idle on idle.oid = k.oid where k.contype = 'f'),
  references_to as (
    select confrelid as oid, json_agg(json_build_object('from', conrelid::text, 'd', confdeltype, 'u', confupdtype,
      'columns', columns, 'checked', checked)) as references from foreign_keys group by 1),
  trusted as (
    select conrelid as oid, json_agg(json_build_object('to', confrelid::text, 'columns', columns)) as trusted
    from foreign_keys where convalidated and checked group by 1)
  select oid::text as oid, nspname as schema, relname as name, relkind::text as kind, relpersistence::text as persistence,
    case relkind when 'v' then pg_get_viewdef(oid) end as definition, relrowsecurity as security,
    has_table_privilege(oid, 'select') and has_schema_privilege(nspname, 'usage') as readable, has_any_column_privilege(oid, 'update') as lockable,
    coalesce(rewritten, false) as rewritten, coalesce(columns, '[]') as columns, key, coalesce(rules, '[]') as rules,
    coalesce(triggers, '[]') as triggers, coalesce(evaluated, '[]') as evaluated, coalesce(parents, '[]') as parents,
    coalesce(children, '[]') as children, coalesce(references_to.references, '[]') as references,
    coalesce(trusted, '[]') as trusted, settled, zoned, of_day
  from tables left join columns using (oid) left join keys using (oid) left join rules using (oid)
  left join triggers using (oid) left join evaluated using (oid) left join parents using (oid)
  left join children using (oid) left join references_to using (oid) left join trusted using (oid)`;

/** Bodies in SQL that were parsed when the routine was made are kept apart from texts, and so are defaults of parameters. */
const ROUTINES = `
  select p.proname as name, p.prorettype not in ('trigger'::regtype, 'event_trigger'::regtype) as callable,
         concat_ws(' ', case when p.prosqlbody is null then p.prosrc else pg_get_function_sqlbody(p.oid) end,
           pg_get_expr(p.proargdefaults, 0)) as source, false as query,
         l.lanname as language, coalesce(events, '[]') as events
  from pg_proc p join pg_namespace n on n.oid = p.pronamespace join pg_language l on l.oid = p.prolang
  left join (select evtfoid, json_agg(evtevent) as events from pg_event_trigger where evtenabled <> 'D' group by 1) as e
    on evtfoid = p.oid
  where p.prokind in ('f', 'p') and (l.lanname not in ('c', 'internal') or events is not null)
    and n.nspname not in ('pg_catalog', 'information_schema')
  union all
  select c.relname, true, pg_get_viewdef(c.oid), true, 'sql', '[]'
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where c.relkind in ('v', 'm') and n.nspname not in ('pg_catalog', 'information_schema')
  union all ${INDIRECT_ROUTINES}`;
