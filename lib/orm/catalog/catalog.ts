import { ANY_TABLE, type Routine, Routines } from '../../sql/routines.js';
import { comparableOf, isArray } from '../../values/comparable.js';
import { isOrderable } from '../../values/order.js';
import { pathOf } from '../../values/path.js';
import { hasOtherTables, ROUTINES, SERVER, SYSTEM, TABLES } from './catalog_queries.js';
import { readDefinitions } from './definitions.js';
import { inPgCatalog } from './pg_catalog.js';
import { allAffected } from './propagation.js';
import { checkRights } from './rights.js';
import type { Ask, Catalog, ComparableColumn, ForeignKey, Table, Trigger, TriggerEvent } from './table.js';

/** @returns the name by which the database is known, however it is reached */
export async function askDatabaseName(ask: Ask, identity: string | undefined): Promise<string> {
  const [row] = await ask(inPgCatalog(`select current_database() as name, ${SYSTEM} as system`));
  return databaseName(row!, identity);
}

function databaseName({ name, system }: Record<string, any>, identity: string | undefined): string {
  return `${name}@${identity ?? BigInt(system).toString(36)}`;
}

/** Does the database have a table that the catalog lacks? */
export async function lacksTables(ask: Ask, { tables }: Catalog): Promise<boolean> {
  const [row] = await ask(hasOtherTables(Array.from(tables.values(), ({ oid }) => oid)));
  return row!.others as boolean;
}

export async function loadCatalog(ask: Ask, identity: string | undefined): Promise<Catalog> {
  const [server] = await ask(SERVER);
  checkRights(server!.lacking, server!.user);
  const database = databaseName(server!, identity);
  // a temporary table belongs to one session, which may be this one
  const path = (server!.path as string[]).filter(schema => !schema.startsWith('pg_temp'));
  const rows = await ask(TABLES);
  const written = (await ask(ROUTINES)) as unknown as Routine[];
  const routines = new Routines(written);
  const definitions = new Map<string, string>();
  for (const { name, source } of written) {
    definitions.set(name, `${definitions.get(name) ?? ''}\n${source}`);
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
  const withDescendants = (oid: string) => closure(oid, each => byOid.get(each)?.children ?? []);
  const storedIn = (oid: string) =>
    closure(oid, each => {
      const { kind, children, rules } = byOid.get(each) ?? { children: [], rules: [] };
      return kind === 'v' ? rules.flatMap((rule: any) => (rule.event === '1' ? rule.tables : [])) : children;
    });
  const unfollowed = (row: Record<string, any>) => {
    const persistences = storedIn(row.oid).map(oid => byOid.get(oid)?.persistence ?? 'p');
    const persistence = persistences.find(each => each !== 'p');
    if (persistence) {
      return `${row.name}, ${persistence === 't' ? TEMPORARY : UNLOGGED}`;
    }
    return isTable(row) && !isPlain(row) ? `${row.name}, ${NOT_PLAIN}` : undefined;
  };
  const isTable = ({ kind }: Record<string, any>) => kind === 'r' || kind === 'p';
  const isPlain = (row: Record<string, any>) =>
    isTable(row) &&
    row.rules.length === 0 &&
    withDescendants(row.oid).every(oid => byOid.get(oid)?.kind !== 'f');
  // a table's constraints do not hold for its inheritance children, unless they are partitions
  const isInherited = (oid: string) => byOid.get(oid)!.kind === 'r' && withDescendants(oid).length > 1;

  for (const row of rows) {
    const family = withDescendants(row.oid).flatMap(oid => byOid.get(oid) ?? []);
    const referring = family.flatMap(each => each.references);
    const columns: ComparableColumn[] = [];
    const orderable = new Set<string>();
    const matchable = new Set<string>();
    for (const column of row.columns as any[]) {
      const type = {
        name: column.own ? '' : column.type,
        category: column.category,
        deterministic: column.det,
      };
      // a column with the name of a path would be mistaken for the path
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
          family.flatMap(({ columns }) =>
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
      indexed: row.indexed,
      plain: isPlain(row),
      readable: row.readable && !row.security,
      rowSecurity: row.security,
      unfollowed: unfollowed(row),
      lockable: row.lockable,
      rewritten: family.some(each => each.rewritten),
      ancestors: closure(row.oid, oid => byOid.get(oid)?.parents ?? []).flatMap(oid => nameOf(oid) ?? []),
      descendants: family.map(fullName),
      referencedBy: row.references.flatMap((key: any) => nameOf(key.from) ?? []),
      triggers: family.flatMap(({ kind, triggers, rules, evaluated }) => [
        // the table behind a foreign table is unknown: it may be one of this database
        ...triggerFrom(ANY_EVENT, kind === 'f' ? everything : []),
        ...rules.flatMap((rule: any) =>
          triggerFrom(EVENTS_OF_RULE[rule.event] ?? ANY_EVENT, [
            ...rule.tables.flatMap((oid: string) => nameOf(oid) ?? []),
            ...rule.routines.flatMap((routine: string) => tablesNamed(routines.namesReachedBy(routine))),
          ]),
        ),
        ...triggers.flatMap((trigger: any) =>
          triggerFrom(
            eventsOf(trigger.type, row.kind === 'p'),
            tablesNamed(routines.namesReachedBy(trigger.routine)),
          ),
        ),
        ...evaluated.flatMap((routine: string) =>
          triggerFrom(ANY_EVENT, tablesNamed(routines.namesReachedBy(routine))),
        ),
      ]),
      effects: routines.effectsBy(
        family.flatMap(({ triggers, rules, evaluated }) => [
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

  const byMaintenance = rows.flatMap(({ maintained }) =>
    maintained.flatMap((routine: string) => [...routines.namesReachedBy(routine)]),
  );
  for (const [writer, names] of [
    ['a login event trigger', routines.namesReachedByLogin],
    ['the expression of an index, which autovacuum evaluates,', new Set<string>(byMaintenance)],
  ] as const) {
    const reached = tablesNamed(names).flatMap(name => tables.get(name) ?? []);
    for (const name of allAffected({ tables }, reached)) {
      const table = tables.get(name)!;
      tables.set(name, { ...table, unfollowed: `${table.name}, to which ${writer} may write` });
    }
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
        return undefined; // may be one of PostgreSQL's own tables, which come first
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
const EVENTS: readonly (readonly [bit: number, event: TriggerEvent])[] = [
  [4, 'insert'],
  [8, 'delete'],
  [16, 'update'],
  [32, 'truncate'],
];

const ANY_EVENT = EVENTS.map(([, event]) => event);

/** By `pg_rewrite.ev_type`. A rule of SELECT is a view's query: any write to the view reaches the tables of that query. */
const EVENTS_OF_RULE: Readonly<Record<string, readonly TriggerEvent[]>> = {
  2: ['update'],
  3: ['insert'],
  4: ['delete'],
};

/** @param partitioned an UPDATE may move a row: it is deleted from one partition and inserted into another */
function eventsOf(type: number, partitioned: boolean): readonly TriggerEvent[] {
  const events = EVENTS.filter(([bit]) => type & bit).map(([, event]) => event);
  return partitioned && !events.includes('update') ? [...events, 'update'] : events;
}

function triggerFrom(events: readonly TriggerEvent[], reached: readonly string[]): Trigger[] {
  return reached.length > 0 ? [{ events, reached }] : [];
}

const TEMPORARY = 'a temporary table';
const NOT_PLAIN = 'which has rules, or partitions in other databases';
const UNLOGGED = 'an unlogged table, which a crash of the database empties';

/** All items that are reachable, the start included. */
function closure(start: string, next: (item: string) => readonly string[]): string[] {
  const found = new Set([start]);
  for (const item of found) {
    for (const reached of next(item)) {
      found.add(reached);
    }
  }
  return [...found];
}
