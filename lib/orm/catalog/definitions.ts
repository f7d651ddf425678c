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
  /** names of functions that are volatile, as far as their texts are not there to tell: PostgreSQL's own, and those in C */
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

const OF_EXTENSIONS = `(select objid from pg_depend where classid = 'pg_proc'::regclass and deptype = 'e')`;

const settled = (p: string) =>
  `${p}.provolatile = 'i' and (${p}.oid < ${FIRST_OWN_OID} or ${p}.oid in ${OF_EXTENSIONS})`;

/** Items of FROM in SQL: the functions `f` of aggregates `a`. */
const PARTS = `pg_aggregate a cross join lateral unnest(array[a.aggtransfn, a.aggfinalfn, a.aggcombinefn, a.aggserialfn,
  a.aggdeserialfn, a.aggmtransfn, a.aggminvtransfn, a.aggmfinalfn]) as part (oid) join pg_proc f on f.oid = part.oid`;

/** An aggregate is declared immutable always: what counts is which functions it consists of. */
const SETTLED = `${settled('p')} and (p.prokind <> 'a' or p.oid < ${FIRST_OWN_OID} or not exists (
  select from ${PARTS} where a.aggfnoid = p.oid and not (${settled('f')})))`;

/** Of an operator or cast that is not PostgreSQL's own. */
const UNSETTLED = `not (${SETTLED})`;

/** Types whose texts are read without the clock, so that a cast by them depends on the value only. */
const TIMELESS_TYPES = `(t.typtype = 'e' or t.oid < ${FIRST_OWN_OID} and t.typname in (
  'bool', 'bytea', 'char', 'name', 'int8', 'int2', 'int4', 'text', 'json', 'xml', 'float4', 'float8', 'money', 'bpchar',
  'varchar', 'interval', 'numeric', 'uuid', 'jsonb', 'inet', 'cidr', 'macaddr', 'macaddr8', 'bit', 'varbit'))`;

/** Casts that are no functions, but by the texts of values. */
const CAST_BY_CLOCK = `(c.castmethod = 'i' and c.casttarget not in (select t.oid from pg_type t where ${TIMELESS_TYPES}))`;

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
      join pg_proc p on p.oid = called.ids[1]::oid where ${UNSETTLED}))`;

/** Functions whose texts are not SQL. */
const UNREADABLE = `p.oid >= ${FIRST_OWN_OID} and p.prokind <> 'a' and p.prolang in (select oid from pg_language where lanname in ('c', 'internal'))`;
/** Of these, those of an extension that says that they give the same throughout a statement. */
const STEADY = `p.provolatile <> 'v' and p.oid in ${OF_EXTENSIONS}`;

/**
 * An expression in SQL: a text that calls all functions which are called by what users define without standing in a
 * text: by operators, casts, types, checks of domains, and operator classes. Where the clock may be read without a function, it calls one that reads it.
 */
const UNNAMED_CALLS = `(select coalesce(string_agg(distinct format('%1$s() %1$I', called.name), ' '), '') from (
  select p.proname as name from pg_proc p where ${UNSETTLED} and p.oid in (
    select o.oprcode from pg_operator o where o.oid >= ${FIRST_OWN_OID}
    union all select c.castfunc from pg_cast c where c.oid >= ${FIRST_OWN_OID}
    union all select unnest(array[t.typinput, t.typoutput, t.typreceive, t.typsend]) from pg_type t
      where t.oid >= ${FIRST_OWN_OID} and t.typtype = 'b' and t.typcategory <> 'A'
    union all select unnest(array[r.rngcanonical, r.rngsubdiff]) from pg_range r where r.rngtypid >= ${FIRST_OWN_OID}
    union all select f.amproc from pg_amproc f join pg_opfamily y on y.oid = f.amprocfamily
      join pg_am m on m.oid = y.opfmethod and m.amname in ('btree', 'hash') where f.oid >= ${FIRST_OWN_OID}
    union all select called.ids[1]::oid from pg_constraint k,
      regexp_matches(k.conbin::text, ':(?:funcid|opfuncid) ([0-9]+)', 'g') as called (ids)
      where k.contypid >= ${FIRST_OWN_OID})
  union all select 'clock_timestamp' from pg_cast c where c.oid >= ${FIRST_OWN_OID} and ${CAST_BY_CLOCK}
  union all select 'clock_timestamp' from pg_constraint k
    where k.contypid >= ${FIRST_OWN_OID} and k.conbin::text ~ '[{](SQLVALUEFUNCTION|COERCEVIAIO) '
) as called)`;

/**
 * A query in SQL for routines as {@link Routine} has them: aggregates call the functions that they consist of, and what
 * names a table calls the functions of its row-level security.
 */
export const INDIRECT_ROUTINES = `
  select p.proname, true, string_agg(format('%1$s() %1$I', f.proname), ' '), true, 'sql', '[]'::json
  from ${PARTS} join pg_proc p on p.oid = a.aggfnoid where p.oid >= ${FIRST_OWN_OID} group by p.oid, p.proname
  union all
  select c.relname, true, string_agg(format('%1$s() %1$I', p.proname), ' '), true, 'sql', '[]'::json
  from pg_policy y join pg_class c on c.oid = y.polrelid
  join pg_depend d on d.classid = 'pg_policy'::regclass and d.objid = y.oid and d.refclassid = 'pg_proc'::regclass
  join pg_proc p on p.oid = d.refobjid group by c.oid, c.relname
  union all
  select '', true, ${UNNAMED_CALLS}, true, 'sql', '[]'::json`;

/** An expression in SQL that gives {@link Definitions} as JSON, by what {@link KINDS_OF_TYPES} gives. */
export const DEFINED = `json_build_object(
  'functions', (select json_agg(distinct p.proname) from pg_proc p where p.oid >= ${FIRST_OWN_OID} and not (${SETTLED})
    and p.prorettype not in ('trigger'::regtype, 'event_trigger'::regtype)),
  'volatile', (select json_agg(distinct p.proname) from pg_proc p where p.oid < ${FIRST_OWN_OID} and p.provolatile = 'v'
    and p.proname !~ '^(pg|binary)_' and p.prorettype <> 'internal'::regtype or ${UNREADABLE} and not (${STEADY})),
  'operators', (select json_agg(distinct o.oprname) from pg_operator o join pg_proc p on p.oid = o.oprcode
    where o.oid >= ${FIRST_OWN_OID} and ${UNSETTLED} and (o.oprleft between 1 and ${FIRST_OWN_OID - 1} or o.oprright < ${FIRST_OWN_OID})),
  'settledOperators', (select json_agg(each.oprname) from (
    select o.oprname from pg_operator o join pg_proc p on p.oid = o.oprcode where o.oid >= ${FIRST_OWN_OID}
    group by 1 having not bool_or(${UNSETTLED})) as each),
  'castsImplicitly', (select count(*) > 0 from pg_cast c left join pg_proc p on p.oid = c.castfunc
    where c.oid >= ${FIRST_OWN_OID} and (${UNSETTLED} or ${CAST_BY_CLOCK}) and c.castcontext = 'i' and c.castsource < ${FIRST_OWN_OID}),
  'casts', (select count(*) > 0 from pg_cast c left join pg_proc p on p.oid = c.castfunc
    where c.oid >= ${FIRST_OWN_OID} and (${UNSETTLED} or ${CAST_BY_CLOCK}) and c.castcontext <> 'i'),
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
      select 'unsettled', c.castsource from pg_cast c left join pg_proc p on p.oid = c.castfunc
        where c.oid >= ${FIRST_OWN_OID} and c.castsource >= ${FIRST_OWN_OID} and (${UNSETTLED} or ${CAST_BY_CLOCK})
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
