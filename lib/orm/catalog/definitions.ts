/**
 * What users and extensions have defined beside tables, and what a query may evaluate without naming it: functions,
 * operators, casts and types.
 *
 * Only what is *settled* is left out: a function that PostgreSQL or an extension declares immutable. The same
 * declaration by a user proves nothing, because such a function may still read tables.
 */
export interface Definitions {
  /** names of functions and aggregates */
  readonly functions: ReadonlySet<string>;
  /** names of volatile functions whose texts are not available: PostgreSQL's own, and those in C */
  readonly volatile: ReadonlySet<string>;
  /** symbols of operators that may be chosen for operands of PostgreSQL's own types */
  readonly operators: ReadonlySet<string>;
  /** symbols of settled operators */
  readonly settledOperators: ReadonlySet<string>;
  /** a cast by a function applies implicitly to values of PostgreSQL's own types */
  readonly castsImplicitly: boolean;
  /** there is any other cast by a function */
  readonly casts: boolean;
  /** an operator class sorts or groups values of PostgreSQL's own types */
  readonly sortsByOwn: boolean;
  /** names of enums and of settled types, to which a text may be cast */
  readonly castable: ReadonlySet<string>;
}

/** FirstNormalObjectId: objects with lower oids were created with the cluster. */
export const FIRST_OWN_OID = 16_384;

const OF_EXTENSIONS = `(select objid from pg_depend where classid = 'pg_proc'::regclass and deptype = 'e')`;

/** Items of FROM in SQL: the functions `f` of aggregates `a`. */
const PARTS = `pg_aggregate a cross join lateral unnest(array[a.aggtransfn, a.aggfinalfn, a.aggcombinefn, a.aggserialfn,
  a.aggdeserialfn, a.aggmtransfn, a.aggminvtransfn, a.aggmfinalfn]) as part (oid) join pg_proc f on f.oid = part.oid`;

const isUnsettled = (p: string) =>
  `(${p}.provolatile <> 'i' or ${p}.oid >= ${FIRST_OWN_OID} and ${p}.oid not in ${OF_EXTENSIONS})`;

/**
 * A common table expression in SQL: functions that are not settled. An aggregate is always declared immutable, so the
 * functions that it consists of decide.
 */
export const UNSETTLED_FUNCTIONS = `
  unsettled (oid) as materialized (
    select p.oid from pg_proc p where ${isUnsettled('p')}
    union
    select a.aggfnoid::oid from ${PARTS} where a.aggfnoid::oid >= ${FIRST_OWN_OID} and ${isUnsettled('f')})`;

/** A condition in SQL; false for oid 0. */
const unsettled = (oid: string) => `${oid} in (select u.oid from unsettled u)`;

/** Types whose texts are read without the clock: a cast by text depends on nothing but the value. */
const TIMELESS_TYPES = `(t.typtype = 'e' or t.oid < ${FIRST_OWN_OID} and t.typname in (
  'bool', 'bytea', 'char', 'name', 'int8', 'int2', 'int4', 'text', 'json', 'xml', 'float4', 'float8', 'money', 'bpchar',
  'varchar', 'interval', 'numeric', 'uuid', 'jsonb', 'inet', 'cidr', 'macaddr', 'macaddr8', 'bit', 'varbit'))`;

/** Casts by the texts of values. */
const CAST_BY_CLOCK = `(c.castmethod = 'i' and c.casttarget not in (select t.oid from pg_type t where ${TIMELESS_TYPES}))`;

/** Casts `c` that may give another value each time. */
const UNSETTLED_CAST = `(c.oid >= ${FIRST_OWN_OID} and (${unsettled('c.castfunc')} or ${CAST_BY_CLOCK}))`;

/** Types whose text and comparison depend on nothing but the value and the settings of the session. */
const SETTLED_TYPES = `(
  case when t.oid < ${FIRST_OWN_OID} then t.typtype in ('r', 'm') or t.typname in (
    'bool', 'bytea', 'char', 'name', 'int8', 'int2', 'int4', 'text', 'oid', 'tid', 'xid', 'cid', 'json', 'xml', 'xid8',
    'point', 'lseg', 'path', 'box', 'polygon', 'line', 'float4', 'float8', 'circle', 'money', 'macaddr', 'inet', 'cidr',
    'macaddr8', 'bpchar', 'varchar', 'date', 'time', 'timestamp', 'timestamptz', 'interval', 'timetz', 'bit', 'varbit',
    'numeric', 'uuid', 'pg_lsn', 'tsvector', 'tsquery', 'jsonb', 'jsonpath', 'txid_snapshot', 'pg_snapshot')
  else t.typtype in ('r', 'm') or not (${unsettled('t.typinput')} or ${unsettled('t.typoutput')}) end)`;

/** Operator classes for sorting and grouping that call functions which are not settled. */
const UNSETTLED_CLASSES = `
  select c.opcintype as oid from pg_opclass c join pg_am m on m.oid = c.opcmethod and m.amname in ('btree', 'hash')
  where c.oid >= ${FIRST_OWN_OID} and (
    exists (select from pg_amproc f where f.amprocfamily = c.opcfamily and ${unsettled('f.amproc')})
    or exists (select from pg_amop f join pg_operator o on o.oid = f.amopopr
      where f.amopfamily = c.opcfamily and ${unsettled('o.oprcode')}))`;

/** Items of FROM in SQL: the functions that checks of domains call. Dependencies on PostgreSQL's own are not recorded. */
const CALLED_BY_CHECKS = `pg_constraint k,
  regexp_matches(k.conbin::text, ':(?:funcid|opfuncid) ([0-9]+)', 'g') as called (ids)`;

/** Domains whose checks call functions that are not settled, or may call them. */
const UNSETTLED_DOMAINS = `
  select k.contypid as oid from pg_constraint k where k.contypid >= ${FIRST_OWN_OID}
    and k.conbin::text ~ '[{](SQLVALUEFUNCTION|COERCEVIAIO|COERCETODOMAIN) '
  union all
  select k.contypid from ${CALLED_BY_CHECKS} where k.contypid >= ${FIRST_OWN_OID} and ${unsettled('called.ids[1]::oid')}`;

/**
 * A common table expression in SQL: types for which an unsettled function may be called, by their input or output, an
 * operator, a cast, an operator class or a check. It needs {@link UNSETTLED_FUNCTIONS}.
 */
export const UNSETTLED_TYPES = `
  unsettled_types (oid) as materialized (
    select t.oid from pg_type t where t.typtype in ('b', 'r', 'm') and t.typcategory <> 'A' and not ${SETTLED_TYPES}
    union all
    select operand.oid from pg_operator o, lateral unnest(array[o.oprleft, o.oprright]) as operand (oid)
      where o.oid >= ${FIRST_OWN_OID} and operand.oid >= ${FIRST_OWN_OID} and ${unsettled('o.oprcode')}
    union all
    select c.castsource from pg_cast c where c.castsource >= ${FIRST_OWN_OID} and ${UNSETTLED_CAST}
    union all
    select class.oid from (${UNSETTLED_CLASSES}) as class where class.oid >= ${FIRST_OWN_OID}
    union all ${UNSETTLED_DOMAINS})`;

/** Languages whose texts are searched for names. */
const READABLE = `(select oid from pg_language where lanname in ('sql', 'plpgsql'))`;
/** Functions whose texts are not readable. */
const UNREADABLE = `p.oid >= ${FIRST_OWN_OID} and p.prokind <> 'a' and p.prolang not in ${READABLE}`;
/** Of these, functions of extensions that give the same result throughout a statement. */
const STEADY = `p.provolatile <> 'v' and p.oid in ${OF_EXTENSIONS}`;

/** Extensions whose volatile functions write to no table and execute no text. */
const ONLY_COMPUTE = `'autoinc', 'insert_username', 'moddatetime', 'pg_trgm', 'pgcrypto', 'tablefunc', 'tcn', 'uuid-ossp'`;

/** A condition in SQL: `p` was created by a user, and its text is readable, or it may do anything. */
export const MAY_WRITE = `(p.oid >= ${FIRST_OWN_OID} and not (p.prolang not in ${READABLE} and (${STEADY}
  or p.prorettype::regtype::text like '%\\_handler' or p.oid in (select d.objid from pg_depend d
    join pg_extension e on d.refclassid = 'pg_extension'::regclass and e.oid = d.refobjid
    where d.classid = 'pg_proc'::regclass and d.deptype = 'e' and e.extname in (${ONLY_COMPUTE})))))`;

/** Functions of PostgreSQL and of its extensions that execute a text which they are given, or read what it names. */
const EXECUTES_TEXT = `(p.oid < ${FIRST_OWN_OID} and p.proname ~ '_to_xml|^ts_(stat|rewrite)$|^brin_summarize_'
  or p.oid in ${OF_EXTENSIONS} and p.proname ~ '^(crosstab|connectby|xpath_table)')`;

/**
 * An expression in SQL: a text that calls all functions which user definitions call by themselves: by operators, casts,
 * types, checks of domains, and operator classes. Where such a definition may read the clock without a function, the
 * text calls one that reads it.
 */
const UNNAMED_CALLS = `(select coalesce(string_agg(distinct format('%1$s() %1$I', called.name), ' '), '') from (
  select p.proname as name from pg_proc p where ${isUnsettled('p')} and p.oid in (
    select o.oprcode from pg_operator o where o.oid >= ${FIRST_OWN_OID}
    union all select c.castfunc from pg_cast c where c.oid >= ${FIRST_OWN_OID}
    union all select unnest(array[t.typinput, t.typoutput, t.typreceive, t.typsend]) from pg_type t
      where t.oid >= ${FIRST_OWN_OID} and t.typtype = 'b' and t.typcategory <> 'A'
    union all select unnest(array[r.rngcanonical, r.rngsubdiff]) from pg_range r where r.rngtypid >= ${FIRST_OWN_OID}
    union all select f.amproc from pg_amproc f join pg_opfamily y on y.oid = f.amprocfamily
      join pg_am m on m.oid = y.opfmethod and m.amname in ('btree', 'hash') where f.oid >= ${FIRST_OWN_OID}
    union all select called.ids[1]::oid from ${CALLED_BY_CHECKS} where k.contypid >= ${FIRST_OWN_OID})
  union all select 'clock_timestamp' from pg_cast c where c.oid >= ${FIRST_OWN_OID} and ${CAST_BY_CLOCK}
  union all select 'clock_timestamp' from pg_constraint k
    where k.contypid >= ${FIRST_OWN_OID} and k.conbin::text ~ '[{](SQLVALUEFUNCTION|COERCEVIAIO) '
) as called)`;

/**
 * A query in SQL for rows like those of `Routine`: an aggregate calls the functions that it consists of, a mention of a
 * table calls the functions of its row-level security, and a mention of a domain those of its default.
 */
export const INDIRECT_ROUTINES = `
  select p.proname, true, string_agg(format('%1$s() %1$I', f.proname), ' '), true, 'sql', '[]'::json
  from ${PARTS} join pg_proc p on p.oid = a.aggfnoid where a.aggfnoid::oid >= ${FIRST_OWN_OID} group by p.oid, p.proname
  union all
  select c.relname, true, string_agg(format('%1$s() %1$I', p.proname), ' '), true, 'sql', '[]'::json
  from pg_policy y join pg_class c on c.oid = y.polrelid
  join pg_depend d on d.classid = 'pg_policy'::regclass and d.objid = y.oid and d.refclassid = 'pg_proc'::regclass
  join pg_proc p on p.oid = d.refobjid group by c.oid, c.relname
  union all
  select t.typname, true, string_agg(format('%1$s() %1$I', p.proname), ' '), true, 'sql', '[]'::json
  from pg_type t join pg_depend d on d.classid = 'pg_type'::regclass and d.objid = t.oid and d.refclassid = 'pg_proc'::regclass
  join pg_proc p on p.oid = d.refobjid where t.typtype = 'd' group by t.oid, t.typname
  union all
  select p.proname, true, '', true, 'executes text', '[]'::json from pg_proc p where ${EXECUTES_TEXT} group by 1
  union all
  select '', true, ${UNNAMED_CALLS}, true, 'sql', '[]'::json`;

/** An expression in SQL: {@link Definitions} as JSON. It needs {@link UNSETTLED_FUNCTIONS} and {@link UNSETTLED_TYPES}. */
export const DEFINED = `json_build_object(
  'functions', (select json_agg(distinct p.proname) from unsettled join pg_proc p using (oid)
    where p.oid >= ${FIRST_OWN_OID} and p.prorettype not in ('trigger'::regtype, 'event_trigger'::regtype)),
  'volatile', (select json_agg(distinct p.proname) from pg_proc p where p.oid < ${FIRST_OWN_OID} and p.provolatile = 'v'
    and p.proname !~ '^(pg|binary)_' and p.prorettype <> 'internal'::regtype or ${UNREADABLE} and not (${STEADY})),
  'operators', (select json_agg(distinct o.oprname) from pg_operator o where o.oid >= ${FIRST_OWN_OID}
    and ${unsettled('o.oprcode')} and (o.oprleft between 1 and ${FIRST_OWN_OID - 1} or o.oprright < ${FIRST_OWN_OID})),
  'settledOperators', (select json_agg(each.oprname) from (
    select o.oprname from pg_operator o where o.oprcode <> 0
    group by 1 having max(o.oid) >= ${FIRST_OWN_OID} and not bool_or(${unsettled('o.oprcode')})) as each),
  'castsImplicitly', (select count(*) > 0 from pg_cast c
    where ${UNSETTLED_CAST} and c.castcontext = 'i' and c.castsource < ${FIRST_OWN_OID}),
  'casts', (select count(*) > 0 from pg_cast c where ${UNSETTLED_CAST} and c.castcontext <> 'i'),
  'sortsByOwn', (select count(*) > 0 from (${UNSETTLED_CLASSES}) as class where class.oid < ${FIRST_OWN_OID}),
  'castable', (select json_agg(each.typname) from (
    select t.typname from pg_type t where t.oid >= ${FIRST_OWN_OID} and t.typcategory <> 'A' group by 1
    having bool_and(t.typtype in ('b', 'e') and t.oid not in (select u.oid from unsettled_types u))) as each))`;

/**
 * A common table expression in SQL: types of some kinds, and all types made of them, among these the row types of
 * tables. It needs {@link UNSETTLED_TYPES}.
 *
 * - `unsettled`: see there;
 * - `of day`: `time`, which takes today's offset when it is converted to a zone;
 * - `zoned`: `time with time zone`, whose input takes today's offset where the text has none.
 */
export const KINDS_OF_TYPES = `
  kinds_of_types (kind, oid) as (
    select first.kind, first.oid from (
      select 'unsettled' as kind, t.oid from unsettled_types t
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
