const words = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/));

/** What ends a FROM list. */
export const ENDS_FROM = words(
  'select where group having window order limit offset fetch for union intersect except values',
);

/** What ends a WHERE. */
export const ENDS_WHERE = words('group having window order limit offset fetch for union intersect except');

/** Keywords that may stand before a parenthesis without calling anything. */
export const BEFORE_PARENTHESIS = words(
  `in and or not exists any all some values from join lateral on using as select where by having limit offset when
   then else case between like ilike is distinct union intersect except over filter within row array with only
   numeric decimal varchar char character timestamp time bit interval float varying
   end similar to returning asc desc escape`,
);

/** Types that may have modifiers in parentheses, and by whose names functions can be called. */
export const NAMES_A_TYPE = words('bpchar timestamptz varbit');

/**
 * Keywords that no column, table or alias can be called without quotes. Of each word that is not one of these, it is
 * not certain that it is not a column.
 */
export const RESERVED = words(
  `all and any array as asc both case cast collate column cross desc distinct else end except false for from full
   group having ilike in inner intersect is isnull join lateral leading left like limit not notnull null offset on
   only or order outer right select similar some symmetric then trailing true union when where window with`,
);

/** The others that no table or alias can be called without quotes, beside functions of the session and of the clock. */
export const NO_TABLE = words(
  `analyse analyze asymmetric authorization binary check collation concurrently constraint create default deferrable do
   fetch foreign freeze grant initially natural overlaps placing primary references returning to unique using variadic
   verbose`,
);

/**
 * Keywords that may stand by themselves in a query without giving a value. A word that is none of them, and neither a
 * column nor an alias, may be a function that is called without parentheses (`system_user`).
 */
export const KEYWORDS = new Set([
  ...RESERVED,
  ...words(
    `between by current day days epoch escape exclude filter first following groups hour hours last local materialized
     minute minutes month months next no nowait nulls ordinality others over partition precision preceding range
     recursive row rows second seconds time ties timestamp timezone unbounded unknown using varying week within without
     year years zone placing lateral natural exists dow doy isodow isoyear quarter century decade millennium
     milliseconds microseconds julian grouping sets rollup cube variadic interval`,
  ),
]);

/** Words after which a constant is of no type of that name, since none can have it or clauses begin so. */
export const NAMES_NO_TYPE_BEFORE_CONSTANT = new Set([
  ...[...RESERVED].filter(word => !/^(?:cross|full|inner|isnull|join|left|notnull|outer|right)$/.test(word)),
  ...words('between by escape zone placing to for'),
]);

/**
 * Types that a value may be cast to: what comes of it depends on nothing but the value and the settings of the session.
 * Not the ones that look something up in the catalog (`regclass`).
 */
export const CAST_TARGETS = words(
  `bool boolean int2 int4 int8 int integer smallint bigint float4 float8 float real numeric decimal text varchar
   char character bpchar uuid json jsonb jsonpath bytea bit varbit inet cidr macaddr macaddr8 money point line lseg box
   path polygon circle tsvector tsquery int4range int8range numrange interval
   date time timestamp timestamptz daterange tsrange tstzrange datemultirange tsmultirange tstzmultirange`,
);

/** Of these, the ones whose input may read the clock. */
export const TEMPORAL_TARGETS = words(
  `date time timestamp timestamptz daterange tsrange tstzrange datemultirange tsmultirange tstzmultirange`,
);

/** Functions whose result is a date or time, and was never a text. */
export const TEMPORAL_FUNCTIONS = words('date_trunc');

/**
 * Operators all of whose forms in `pg_catalog` are immutable, or depend on the settings of the session besides. `@@` is
 * none: between a text and a query it reads text search configurations.
 */
export const OPERATORS = words(
  `!! !~ !~* !~~ !~~* # ## #- #> #>> % & && &< &<| &> * + - -> ->> -|- / < <-> << <<= <<| <= <> != <@ <^ = > >= >> >>=
   >^ ? ?# ?& ?- ?-| ?| ?|| @ @-@ @> @? ^ ^@ | |&> |/ |>> || ||/ ~ ~* ~<=~ ~<~ ~= ~>=~ ~>~ ~~ ~~*`,
);

/** Those that keywords stand for: IN, BETWEEN, LIKE, SIMILAR TO, DISTINCT, NULLIF … */
export const OPERATORS_OF_KEYWORDS = words('= <> < <= > >= ~~ !~~ ~~* !~~* ~ !~');

/** What has another value in another transaction or session. */
export const NOT_DETERMINED = words(
  `current_date current_time current_timestamp localtime localtimestamp current_user session_user system_user
   current_role user current_catalog current_schema tablesample`,
);

// TABLE is short for SELECT * FROM
export const FORBIDDEN = words('insert update delete merge into table');

/** Functions that give the same for the same arguments, always. */
export const PURE = words(
  `abs array_agg array_append array_cat array_length array_position array_remove array_to_string avg bit_and bit_or
   bool_and bool_or btrim cardinality ceil ceiling char_length character_length coalesce concat concat_ws count
   date_part date_trunc dense_rank every exp extract first_value floor greatest initcap json_agg json_array_length
   json_build_array json_build_object json_extract_path json_extract_path_text json_object_agg jsonb_agg
   jsonb_array_length jsonb_build_array jsonb_build_object jsonb_extract_path jsonb_extract_path_text jsonb_object_agg
   jsonb_path_exists jsonb_path_query_first jsonb_set jsonb_strip_nulls jsonb_typeof json_typeof lag last_value lead
   least left length ln log lower lpad ltrim max md5 min mod mode ntile nullif octet_length percent_rank
   percentile_cont percentile_disc position power rank regexp_match regexp_matches regexp_replace repeat replace
   reverse right round row_number row_to_json rpad rtrim sign split_part sqrt stddev string_agg strpos substr
   substring sum to_json to_jsonb translate trim trunc upper variance cast`,
);

/** Functions of the clock, of chance, of the session, or of the server: whatever tables they depend on, and on more. */
const UNSTABLE = words(
  `age clock_timestamp current_database current_query current_schema current_schemas current_setting currval
   gen_random_bytes gen_random_uuid lastval nextval now random random_normal row_security_active set_config setseed
   setval statement_timestamp timeofday transaction_timestamp version`,
);
const UNSTABLE_KINDS = /^(pg|has|inet|lo|to_reg|txid|uuid|uuidv\d|dblink)(_|$)/;

/** Is it one of which nobody can vouch that it is the same as long as tables are? */
export function isUnstable(name: string): boolean {
  return UNSTABLE.has(name) || UNSTABLE_KINDS.test(name);
}

/** Of these functions the result depends on the order of rows: not all say in which, and rows may be equal in it. */
export const ORDINAL = words(
  `array array_agg first_value json_agg json_object_agg jsonb_agg jsonb_object_agg lag last_value lead mode ntile
   row_number string_agg`,
);
