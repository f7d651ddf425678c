export const words = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/));

export const ENDS_FROM = words(
  'select where group having window order limit offset fetch for union intersect except values',
);

export const ENDS_WHERE = words('group having window order limit offset fetch for union intersect except');

/** Keywords before a parenthesis that call nothing. */
export const BEFORE_PARENTHESIS = words(
  `in and or not exists any all some values from join lateral on using as select where by having limit offset when
   then else case between like ilike is distinct union intersect except over filter within row array with only
   numeric decimal varchar char character timestamp time bit interval float varying
   end similar to returning asc desc escape`,
);

/** Types that may have modifiers in parentheses, and whose names are also functions. */
export const NAMES_A_TYPE = words('bpchar timestamptz varbit');

/** Keywords that need quotes as the name of a column, table or alias. Every other word may be a column. */
export const RESERVED = words(
  `all and any array as asc both case cast collate column cross desc distinct else end except false for from full
   group having ilike in inner intersect is isnull join lateral leading left like limit not notnull null offset on
   only or order outer right select similar some symmetric then trailing true union when where window with`,
);

/** Further keywords that need quotes as the name of a table or alias. */
export const NO_TABLE = words(
  `analyse analyze asymmetric authorization binary check collation concurrently constraint create default deferrable do
   fetch foreign freeze grant initially natural overlaps placing primary references returning to unique using variadic
   verbose`,
);

/**
 * Keywords that may stand alone in a query without being a value. Any other word that is neither a column nor an
 * alias may be a function called without parentheses (`system_user`).
 */
export const KEYWORDS = new Set([
  ...RESERVED,
  ...words(
    `between by current day days epoch escape exclude filter first following groups hour hours last local materialized
     minute minutes month months next no nowait nulls ordinality others over partition precision preceding range
     recursive row rows second seconds time ties timestamp timezone unbounded unknown using varying week within without
     year years zone to placing lateral natural exists dow doy isodow isoyear quarter century decade millennium
     milliseconds microseconds julian grouping sets rollup cube variadic interval`,
  ),
]);

/**
 * A constant after one of these words does not have a type with that name: no type has it, or the word starts a clause.
 */
export const NAMES_NO_TYPE_BEFORE_CONSTANT = new Set([
  ...[...RESERVED].filter(word => !/^(?:cross|full|inner|isnull|join|left|notnull|outer|right)$/.test(word)),
  ...words('between by escape zone placing to for'),
]);

/**
 * Types with casts that depend only on the value and the settings of the session. Excludes types that read the
 * catalog (`regclass`).
 */
export const CAST_TARGETS = words(
  `bool boolean int2 int4 int8 int integer smallint bigint float4 float8 float real numeric decimal text varchar
   char character bpchar uuid json jsonb jsonpath bytea bit varbit inet cidr macaddr macaddr8 money point line lseg box
   path polygon circle tsvector tsquery int4range int8range numrange interval
   date time timestamp timestamptz daterange tsrange tstzrange datemultirange tsmultirange tstzmultirange`,
);

/** The subset whose input may read the clock. */
export const TEMPORAL_TARGETS = words(
  `date time timestamp timestamptz daterange tsrange tstzrange datemultirange tsmultirange tstzmultirange`,
);

/** Functions that return a date or time, never text. */
export const TEMPORAL_FUNCTIONS = words('date_trunc');

/**
 * Operators with forms in `pg_catalog` that are all immutable, or depend only on settings of the session as well.
 * Excludes `@@`: between text and a query it reads text search configurations.
 */
export const OPERATORS = words(
  `!! !~ !~* !~~ !~~* # ## #- #> #>> % & && &< &<| &> * + - -> ->> -|- / < <-> << <<= <<| <= <> != <@ <^ = > >= >> >>=
   >^ ? ?# ?& ?- ?-| ?| ?|| @ @-@ @> @? ^ ^@ | |&> |/ |>> || ||/ ~ ~* ~<=~ ~<~ ~= ~>=~ ~>~ ~~ ~~*`,
);

/** Operators behind keywords: IN, BETWEEN, LIKE, SIMILAR TO, DISTINCT, NULLIF … */
export const OPERATORS_OF_KEYWORDS = words('= <> < <= > >= ~~ !~~ ~~* !~~* ~ !~');

/** Expressions with another value in another transaction or session. */
export const NOT_DETERMINED = words(
  `current_date current_time current_timestamp localtime localtimestamp current_user session_user system_user
   current_role user current_catalog current_schema tablesample`,
);

// TABLE is short for SELECT * FROM
export const FORBIDDEN = words('insert update delete merge into table');

/** Immutable functions. */
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

/**
 * Functions of the clock, random functions, and functions of the session or the server. They depend on more than
 * tables.
 */
const UNSTABLE = words(
  `age clock_timestamp current_database current_query current_schema current_schemas current_setting currval
   gen_random_bytes gen_random_uuid lastval nextval now random random_normal row_security_active set_config setseed
   setval statement_timestamp timeofday transaction_timestamp version`,
);
const UNSTABLE_KINDS = /^(pg|has|inet|lo|to_reg|txid|uuid|uuidv\d|dblink)(_|$)/;

/** Is it a function that stays volatile even if the user declares its tables? */
export function isUnstable(name: string): boolean {
  return UNSTABLE.has(name) || UNSTABLE_KINDS.test(name);
}

/** The result of these functions depends on the order of rows, which is often not given, or not unique. */
export const ORDINAL = words(
  `array array_agg first_value json_agg json_object_agg jsonb_agg jsonb_object_agg lag last_value lead mode ntile
   row_number string_agg`,
);
