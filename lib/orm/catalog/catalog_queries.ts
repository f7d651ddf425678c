import { hash } from 'node:crypto';
import {
  DEFINED,
  FIRST_OWN_OID,
  INDIRECT_ROUTINES,
  KINDS_OF_TYPES,
  MAY_WRITE,
  UNSETTLED_FUNCTIONS,
  UNSETTLED_TYPES,
} from './definitions.js';
import { inPgCatalog } from './pg_catalog.js';
import { LACKING } from './rights.js';
import type { Table } from './table.js';

/**
 * Differs if something was defined since that lets a statement change rows that it does not name: triggers (also those
 * of foreign keys), inheritance children, rules, event triggers. All are found by an index, or are few.
 */
export const DEFINITIONS =
  inPgCatalog(`concat_ws(' ', (select max(oid) from pg_trigger), (select count(*) from pg_inherits),
  (select max(oid) from pg_rewrite where ev_type <> '1'), (select max(oid) from pg_event_trigger))`);

/** Differs if an event trigger, or the function that it calls, was replaced. */
export const EVENT_TRIGGERS =
  inPgCatalog(`(select coalesce(string_agg(concat_ws(' ', e.oid, e.xmin, p.xmin), ',' order by e.oid), '')
  from pg_event_trigger e join pg_proc p on p.oid = e.evtfoid)`);

/** How a column `a` is stored and compared. */
const COLUMN_AS = `concat_ws(' ', a.attname, a.atttypid, a.atttypmod, a.attcollation)`;

const COLUMNS_AS = `string_agg(${COLUMN_AS}, ',' order by a.attnum) as columns from pg_attribute a
  where a.attnum > 0 and not a.attisdropped and a.attrelid`;

/** An expression in SQL: the columns of these tables by oid, as far as the tables exist. */
export function columnsNow(tables: readonly Table[]): string {
  return inPgCatalog(`(select json_object_agg(t.oid, t.columns) from (
    select a.attrelid as oid, ${COLUMNS_AS} = any ('{${tables.map(({ oid }) => oid)}}') group by 1) as t)`);
}

/** In the message of the error by which the check fails. */
export const CHECK_FAILED = 'cacheops: definitions changed';

const CHECK_DEFINITIONS = inPgCatalog(`
  select case when definitions = $2 and columns = $3 then 0 else concat_ws(': ', '${CHECK_FAILED}', definitions)::pg_catalog.int4 end
  from (select ${DEFINITIONS} as definitions, coalesce((select ${COLUMNS_AS} = $1), '') as columns) as now`);

/**
 * Fails unless {@link DEFINITIONS}, and the columns of a table, are as expected. (Text that is no number becomes a number,
 * because SQL has no other way to fail.) The name tells versions of the check apart.
 */
export const DEFINITIONS_CHECK = {
  name: `cacheops_${hash('sha256', CHECK_DEFINITIONS, 'hex').slice(0, 16)}`,
  types: 'pg_catalog.oid, pg_catalog.text, pg_catalog.text',
  sql: CHECK_DEFINITIONS,
};

export const SYSTEM = '(select system_identifier::text from pg_control_system())';

export const SERVER = inPgCatalog(`
  with ${UNSETTLED_FUNCTIONS}, ${UNSETTLED_TYPES}
  select current_database() as name, ${DEFINITIONS} as definitions, ${EVENT_TRIGGERS} as triggers, current_user as user, current_schemas(true)::text[] as path,
         current_schemas(false)::text[] as own_path,
         current_setting('default_transaction_isolation') as isolation,
         current_setting('server_version_num') as version, ${DEFINED} as defined,
         getdatabaseencoding() = 'UTF8' as unicode,
         -- whether the default collation sorts by code points; the provider is known since PostgreSQL 15
         (select coalesce(to_jsonb(d) ->> 'datlocprovider', 'c') = 'b'
              or coalesce(to_jsonb(d) ->> 'datlocprovider', 'c') = 'c' and d.datcollate in ('C', 'POSIX')
            from pg_database d where d.datname = current_database()) as points,
         ${LACKING} as lacking,
         ${SYSTEM} as system`);

/**
 * A condition on triggers in SQL: BEFORE triggers that may keep a row from being changed or deleted, also by the action
 * of a foreign key, which then is violated.
 */
const MAY_SKIP_ROWS = `not tgisinternal and tgenabled <> 'D' and tgtype & 3 = 3 and tgtype & 24 <> 0`;

/** Items of FROM and WHERE in SQL: the tables, views and foreign tables of a catalog. */
const RELATIONS = `pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p', 'v', 'm', 'f') and n.nspname not in ('pg_catalog', 'information_schema')
      and n.nspname not like 'pg_toast%'`;

/** Are there tables with other oids than these? */
export const hasOtherTables = (oids: readonly string[]): string =>
  inPgCatalog(
    `select exists (select from ${RELATIONS} and c.oid <> all ('{${oids.join()}}'::oid[])) as others`,
  );

/**
 * One statement, so that all tables are read at one moment. Everything is collected once and joined, because subqueries
 * for each table took seconds with hundreds of tables.
 *
 * - The functions in defaults, generated columns, checks, indexes and conditions of triggers come from `pg_depend`,
 *   because since PostgreSQL 18 `pg_get_expr` waits for the table's lock: no process could start during a migration.
 * - NOT ENFORCED and PERIOD are known since PostgreSQL 18; disabled triggers enforce nothing.
 */
export const TABLES = inPgCatalog(`
  with recursive ${UNSETTLED_FUNCTIONS}, ${UNSETTLED_TYPES}, ${KINDS_OF_TYPES},
  tables as materialized (
    select c.oid, n.nspname, c.relname, c.relkind, c.relpersistence, c.relrowsecurity,
      c.reltype not in (select oid from kinds_of_types where kind = 'unsettled') as settled,
      c.reltype in (select oid from kinds_of_types where kind = 'zoned') as zoned,
      c.reltype in (select oid from kinds_of_types where kind = 'of day') as of_day
    from ${RELATIONS}),
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
  indexed as (
    select i.indrelid as oid, json_agg((select json_agg(a.attname order by part.place)
        from unnest(i.indkey) with ordinality as part (number, place)
        left join pg_attribute a on a.attrelid = i.indrelid and a.attnum = part.number
        where part.place <= i.indnkeyatts)) as indexed
    from tables join pg_index i on i.indrelid = tables.oid and i.indisvalid and i.indpred is null
    join pg_class x on x.oid = i.indexrelid join pg_am m on m.oid = x.relam and m.amname = 'btree' group by 1),
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
    union all select stxrelid, 'pg_statistic_ext'::regclass, oid, 0 from pg_statistic_ext where stxexprs is not null
    union all select tgrelid, 'pg_trigger'::regclass, oid, tgfoid from pg_trigger where tgqual is not null),
  evaluated as (
    select called.oid, json_agg(distinct called.name) as evaluated,
      json_agg(distinct called.name) filter (where called.class in ('pg_class'::regclass, 'pg_statistic_ext'::regclass)) as maintained
    from (
      select e.table as oid, e.class, p.proname as name
      from expressions e join pg_depend d on d.classid = e.class and d.objid = e.oid
      join pg_proc p on d.refclassid = 'pg_proc'::regclass and p.oid = d.refobjid and p.oid <> e.routine
      union all
      select a.attrelid, 'pg_type'::regclass, t.typname from pg_attribute a join pg_type t on t.oid = a.atttypid
      where t.typtype = 'd' and a.attnum > 0 and not a.attisdropped) as called group by 1),
  parents as (select inhrelid as oid, json_agg(inhparent::text) as parents from pg_inherits group by 1),
  children as (select inhparent as oid, json_agg(inhrelid::text) as children from pg_inherits group by 1),
  idle as (
    select tgconstraint as oid from pg_trigger where tgconstraint <> 0 and tgenabled not in ('O', 'A') group by 1),
  foreign_keys as materialized (
    select k.conrelid, k.confrelid, k.confdeltype, k.confupdtype, k.convalidated,
      not k.condeferrable and coalesce(to_jsonb(k) ->> 'conenforced', 'true') = 'true'
        and coalesce(to_jsonb(k) ->> 'conperiod', 'false') = 'false' and idle.oid is null as checked,
      (select json_agg(json_build_array(a.attname, f.attname))
        from unnest (k.conkey, k.confkey) as pair (own, referenced)
        join pg_attribute a on a.attrelid = k.conrelid and a.attnum = pair.own
        join pg_attribute f on f.attrelid = k.confrelid and f.attnum = pair.referenced) as columns
    from pg_constraint k left join idle on idle.oid = k.oid where k.contype = 'f'),
  references_to as (
    select confrelid as oid, json_agg(json_build_object('from', conrelid::text, 'd', confdeltype, 'u', confupdtype,
      'columns', columns, 'checked', checked)) as references from foreign_keys group by 1),
  filtered as (
    select tgrelid as oid from pg_trigger where ${MAY_SKIP_ROWS}
    union select a.relid::oid from pg_trigger, pg_partition_ancestors(tgrelid) as a (relid) where ${MAY_SKIP_ROWS}),
  trusted as (
    select conrelid as oid, json_agg(json_build_object('to', confrelid::text, 'columns', columns)) as trusted
    from foreign_keys where convalidated and checked
      and (confdeltype not in ('c', 'n', 'd') and confupdtype not in ('c', 'n', 'd')
        or conrelid not in (select filtered.oid from filtered))
    group by 1)
  select oid::text as oid, nspname as schema, relname as name, relkind::text as kind, relpersistence::text as persistence,
    relrowsecurity as security,
    has_table_privilege(oid, 'select') and has_schema_privilege(nspname, 'usage') as readable, has_any_column_privilege(oid, 'update') as lockable,
    coalesce(rewritten, false) as rewritten, coalesce(columns, '[]') as columns, key, coalesce(indexed, '[]') as indexed, coalesce(rules, '[]') as rules,
    coalesce(triggers, '[]') as triggers, coalesce(evaluated, '[]') as evaluated, coalesce(maintained, '[]') as maintained, coalesce(parents, '[]') as parents,
    coalesce(children, '[]') as children, coalesce(references_to.references, '[]') as references,
    coalesce(trusted, '[]') as trusted, settled, zoned, of_day
  from tables left join columns using (oid) left join keys using (oid) left join indexed using (oid) left join rules using (oid)
  left join triggers using (oid) left join evaluated using (oid) left join parents using (oid)
  left join children using (oid) left join references_to using (oid) left join trusted using (oid)`);

/** Bodies in standard SQL are stored as parse trees, and so are defaults of parameters. Views count as routines. */
export const ROUTINES = inPgCatalog(`
  select p.proname as name, p.prorettype not in ('trigger'::regtype, 'event_trigger'::regtype) as callable,
         concat_ws(' ', case when p.prosqlbody is null then p.prosrc else pg_get_function_sqlbody(p.oid) end,
           pg_get_expr(p.proargdefaults, 0)) as source, false as query,
         l.lanname as language, coalesce(events, '[]') as events
  from pg_proc p join pg_language l on l.oid = p.prolang
  left join (select evtfoid, json_agg(evtevent) as events from pg_event_trigger where evtenabled <> 'D' group by 1) as e
    on evtfoid = p.oid
  where p.prokind <> 'a' and ${MAY_WRITE}
  union all
  select c.relname, true, pg_get_viewdef(c.oid), true, 'sql', '[]'
  from pg_class c where c.relkind in ('v', 'm') and c.oid >= ${FIRST_OWN_OID}
  union all ${INDIRECT_ROUTINES}`);
