/**
 * What users and extensions have defined in a database beside tables, and that a query may evaluate without its text
 * saying so: functions, operators, casts and types.
 *
 * Of these, only what is *settled* is left out: declared immutable by the extension that it belongs to. What users
 * declare about functions of their own proves nothing, because such functions may read tables all the same.
 */
export interface Definitions {
  /** names of functions and aggregates */
  readonly functions: ReadonlySet<string>;
  /** names of PostgreSQL's own functions that are volatile in this version */
  readonly volatile: ReadonlySet<string>;
  /** operators that may be chosen for operands of PostgreSQL's own types, by their symbols */
  readonly operators: ReadonlySet<string>;
  /** symbols of operators that are settled */
  readonly settledOperators: ReadonlySet<string>;
  /** Does a cast by a function apply without being asked for, to values of PostgreSQL's own types? */
  readonly castsImplicitly: boolean;
  /** Is there any other cast by a function? */
  readonly casts: boolean;
  /** Is there an operator class by which values of PostgreSQL's own types are sorted or grouped? */
  readonly sortsByOwn: boolean;
  /** names of enums and of settled types, to which a text may be cast */
  readonly castable: ReadonlySet<string>;
}

/** FirstNormalObjectId: what has this oid or a higher one was not there when the cluster was made. */
export const FIRST_OWN_OID = 16_384;

const SETTLED = `p.provolatile = 'i' and p.oid in (
  select objid from pg_depend where classid = 'pg_proc'::regclass and deptype = 'e')`;

const UNSETTLED = `(p.oid >= ${FIRST_OWN_OID} and not (${SETTLED}) or p.provolatile = 'v')`;

/** Types whose text and comparison depend on nothing but the value and the settings of the session. */
const SETTLED_TYPES = `(
  case when t.oid < ${FIRST_OWN_OID} then t.typtype in ('r', 'm') or t.typname in (
    'bool', 'bytea', 'char', 'name', 'int8', 'int2', 'int4', 'text', 'oid', 'tid', 'xid', 'cid', 'json', 'xml', 'xid8',
    'point', 'lseg', 'path', 'box', 'polygon', 'line', 'float4', 'float8', 'circle', 'money', 'macaddr', 'inet', 'cidr',
    'macaddr8', 'bpchar', 'varchar', 'date', 'time', 'timestamp', 'timestamptz', 'interval', 'timetz', 'bit', 'varbit',
    'numeric', 'uuid', 'pg_lsn', 'tsvector', 'tsquery', 'jsonb', 'jsonpath', 'txid_snapshot', 'pg_snapshot')
  else t.typtype in ('c', 'd', 'e', 'r', 'm') or t.typtype = 'b' and not exists (
    select from pg_proc p where p.oid in (t.typinput, t.typoutput) and not (${SETTLED})) end)`;

/** Operator classes for sorting and grouping that call functions which are not settled. */
const UNSETTLED_CLASSES = `
  select c.opcintype as oid from pg_opclass c join pg_am m on m.oid = c.opcmethod and m.amname in ('btree', 'hash')
  where c.oid >= ${FIRST_OWN_OID} and exists (
    select from pg_proc p where ${UNSETTLED} and p.oid in (
      select f.amproc from pg_amproc f where f.amprocfamily = c.opcfamily
      union all
      select o.oprcode from pg_amop f join pg_operator o on o.oid = f.amopopr where f.amopfamily = c.opcfamily))`;

/**
 * Domains whose checks call functions that are not settled, or may: read from the tree of the check, because
 * dependencies on PostgreSQL's own functions are not recorded.
 */
const UNSETTLED_DOMAINS = `
  select k.contypid as oid from pg_constraint k where k.contypid >= ${FIRST_OWN_OID} and (
    k.conbin::text ~ '[{](SQLVALUEFUNCTION|COERCEVIAIO|COERCETODOMAIN) ' or exists (
      select from regexp_matches(k.conbin::text, ':(?:funcid|opfuncid) ([0-9]+)', 'g') as called (ids)
      join pg_proc p on p.oid = called.ids[1]::oid
      where p.provolatile <> 'i' or p.oid >= ${FIRST_OWN_OID} and not (${SETTLED})))`;

/** An expression in SQL that gives {@link Definitions} as JSON, by what {@link KINDS_OF_TYPES} gives. */
export const DEFINED = `json_build_object(
  'functions', (select json_agg(distinct p.proname) from pg_proc p where p.oid >= ${FIRST_OWN_OID} and not (${SETTLED})
    and p.prorettype not in ('trigger'::regtype, 'event_trigger'::regtype)),
  'volatile', (select json_agg(distinct p.proname) from pg_proc p where p.oid < ${FIRST_OWN_OID} and p.provolatile = 'v'
    and p.proname !~ '^(pg|binary)_' and p.prorettype <> 'internal'::regtype),
  'operators', (select json_agg(distinct o.oprname) from pg_operator o join pg_proc p on p.oid = o.oprcode
    where o.oid >= ${FIRST_OWN_OID} and ${UNSETTLED} and (o.oprleft between 1 and ${FIRST_OWN_OID - 1} or o.oprright < ${FIRST_OWN_OID})),
  'settledOperators', (select json_agg(each.oprname) from (
    select o.oprname from pg_operator o join pg_proc p on p.oid = o.oprcode where o.oid >= ${FIRST_OWN_OID}
    group by 1 having not bool_or(${UNSETTLED})) as each),
  'castsImplicitly', (select count(*) > 0 from pg_cast c join pg_proc p on p.oid = c.castfunc
    where c.oid >= ${FIRST_OWN_OID} and ${UNSETTLED} and c.castcontext = 'i' and c.castsource < ${FIRST_OWN_OID}),
  'casts', (select count(*) > 0 from pg_cast c join pg_proc p on p.oid = c.castfunc
    where c.oid >= ${FIRST_OWN_OID} and ${UNSETTLED} and c.castcontext <> 'i'),
  'sortsByOwn', (select count(*) > 0 from (${UNSETTLED_CLASSES}) as class where class.oid < ${FIRST_OWN_OID}),
  'castable', (select json_agg(each.typname) from (
    select t.typname from pg_type t where t.oid >= ${FIRST_OWN_OID} and t.typcategory <> 'A' group by 1
    having bool_and(t.typtype in ('b', 'e') and ${SETTLED_TYPES} and t.oid not in (select oid from kinds_of_types where kind = 'unsettled'))) as each))`;

/**
 * A common table expression in SQL: types of some kinds, and all that is made of them, rows of tables among it.
 *
 * - `unsettled`: those for which a function may be called that is not settled, be it by their input or output, by an
 *   operator or by a cast;
 * - `of day`: `time`, which takes today's offset where it is asked for in a zone;
 * - `zoned`: `time with time zone`, whose input takes today's offset where a value names none.
 */
export const KINDS_OF_TYPES = `
  kinds_of_types(kind, oid) as (
    select first.kind, first.oid from (
      select 'unsettled' as kind, t.oid from pg_type t
        where t.typtype in ('b', 'r', 'm') and t.typcategory <> 'A' and not ${SETTLED_TYPES}
      union all
      select 'unsettled', operand.oid from pg_operator o join pg_proc p on p.oid = o.oprcode,
        lateral unnest(array[o.oprleft, o.oprright]) as operand (oid)
        where o.oid >= ${FIRST_OWN_OID} and operand.oid >= ${FIRST_OWN_OID} and ${UNSETTLED}
      union all
      select 'unsettled', c.castsource from pg_cast c join pg_proc p on p.oid = c.castfunc
        where c.oid >= ${FIRST_OWN_OID} and c.castsource >= ${FIRST_OWN_OID} and ${UNSETTLED}
      union all
      select 'unsettled', class.oid from (${UNSETTLED_CLASSES}) as class where class.oid >= ${FIRST_OWN_OID}
      union all
      select 'unsettled', domain.oid from (${UNSETTLED_DOMAINS}) as domain
      union all select 'of day', 'time'::regtype::oid
      union all select 'zoned', 'timetz'::regtype::oid
    ) as first
    union
    select known.kind, made.oid from kinds_of_types as known join (
      select typelem as of, oid from pg_type where typcategory = 'A' and typelem <> 0
      union all select typbasetype, oid from pg_type where typtype = 'd'
      union all select rngsubtype, rngtypid from pg_range
      union all select rngtypid, rngmultitypid from pg_range
      union all select a.atttypid, c.reltype from pg_class c join pg_attribute a on a.attrelid = c.oid
        where c.oid >= ${FIRST_OWN_OID} and c.reltype <> 0 and a.attnum > 0 and not a.attisdropped
    ) as made on made.of = known.oid)`;

export function readDefinitions(json: Record<string, any>): Definitions {
  const names = (key: string): ReadonlySet<string> => new Set(json[key] ?? []);
  return {
    functions: names('functions'),
    volatile: names('volatile'),
    operators: names('operators'),
    settledOperators: names('settledOperators'),
    castsImplicitly: json.castsImplicitly,
    casts: json.casts,
    sortsByOwn: json.sortsByOwn,
    castable: names('castable'),
  };
}
