import { type Token, tokenize } from '../changes/tokens.js';

export interface TableName {
  readonly schema: string | undefined;
  readonly name: string;
}

/** What a SELECT reads, as its text tells. */
export interface Select {
  /** every occurrence of a table, also in subqueries; names of common table expressions too */
  readonly tables: readonly TableName[];
}

export type Opaque = { readonly reason: string };

/**
 * The tables that a SELECT names. The compiled SQL is the last word on what a query depends on: whatever the ORM has
 * joined of its own accord (filters, eager relations, pivot tables, pagination) stands in it.
 *
 * @returns a reason if something in it cannot be seen through: a function that is not known to depend on its
 * arguments only, or a FROM item that is not a table
 */
export function readSelect(sql: string): Select | Opaque {
  const tokens = tokenize(sql);
  if (!tokens) {
    return { reason: 'SQL that is not understood' };
  }
  const tables: TableName[] = [];
  /** one frame a pair of parentheses: is what comes next after a comma an item of a FROM list? */
  const frames: { inFrom: boolean }[] = [{ inFrom: false }];
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i]!;
    const frame = frames.at(-1)!;
    let expectsItem = false;
    if (token.kind === 'mark') {
      if (token.text === '(') {
        // parentheses in a FROM list hold a join, or a subquery which begins with its own SELECT
        frames.push({ inFrom: frame.inFrom && opensItem(tokens[i - 1]) });
        expectsItem = frames.at(-1)!.inFrom && !isWord(tokens[i + 1], 'select', 'values', 'with', '(');
      } else if (token.text === ')') {
        frames.pop();
        if (frames.length === 0) {
          return { reason: 'SQL that is not understood' };
        }
      } else if (token.text === ';') {
        return { reason: 'several statements' };
      } else {
        expectsItem = token.text === ',' && frame.inFrom;
      }
    } else if (token.kind === 'word') {
      if (NOT_DETERMINED.has(token.text) && tokens[i - 1]?.text !== '.') {
        return { reason: `${token.text}, which is not the same at every time` };
      }
      if (FORBIDDEN.has(token.text) && tokens[i - 1]?.text !== '.') {
        return { reason: `${token.text} in a query` };
      }
      if (token.text === 'from' || token.text === 'join') {
        frame.inFrom = true;
        expectsItem = true;
      } else if (ENDS_FROM.has(token.text)) {
        frame.inFrom = false;
      }
    }
    if (isCall(tokens, i) && !PURE.has(token.text)) {
      return { reason: `a call of ${token.text}()` };
    }
    if (expectsItem) {
      const item = readItem(tokens, i + 1);
      if (item === undefined) {
        return { reason: 'a FROM item that is not a table' };
      }
      if (item !== SUBQUERY) {
        tables.push(item);
      }
    }
  }
  return { tables };
}

const SUBQUERY = Symbol('subquery');

function readItem(tokens: readonly Token[], at: number): TableName | typeof SUBQUERY | undefined {
  let i = at;
  while (isWord(tokens[i], 'only', 'lateral')) {
    i++;
  }
  const first = tokens[i];
  if (isMark(first, '(')) {
    return isWord(tokens[i - 1], 'only') ? undefined : SUBQUERY;
  }
  if (first?.kind !== 'name' && first?.kind !== 'word') {
    return undefined;
  }
  if (tokens[i + 1]?.text !== '.' || tokens[i + 1]?.kind !== 'mark') {
    return isMark(tokens[i + 1], '(') ? undefined : { schema: undefined, name: first.text };
  }
  const second = tokens[i + 2];
  const qualified = second?.kind === 'name' || second?.kind === 'word';
  return qualified && !isMark(tokens[i + 3], '.') && !isMark(tokens[i + 3], '(')
    ? { schema: first.text, name: second.text }
    : undefined;
}

/** Is this token the name of something that is called? */
function isCall(tokens: readonly Token[], i: number): boolean {
  const token = tokens[i]!;
  if (!isMark(tokens[i + 1], '(')) {
    return false;
  }
  if (token.kind === 'name') {
    // `from "t" as "x" ("a", "b")` lists columns; everywhere else a quoted name before a parenthesis is a function
    return !isWord(tokens[i - 1], 'as');
  }
  return token.kind === 'word' && !BEFORE_PARENTHESIS.has(token.text);
}

/** Does what follows this token begin an item of a FROM list? */
function opensItem(token: Token | undefined): boolean {
  return isWord(token, 'from', 'join', 'lateral') || isMark(token, ',') || isMark(token, '(');
}

function isWord(token: Token | undefined, ...words: readonly string[]): boolean {
  return (
    token !== undefined && (token.kind === 'word' || token.kind === 'mark') && words.includes(token.text)
  );
}

function isMark(token: Token | undefined, mark: string): boolean {
  return token?.kind === 'mark' && token.text === mark;
}

const words = (text: string): ReadonlySet<string> => new Set(text.split(/\s+/));

const ENDS_FROM = words(
  'select where group having window order limit offset fetch for union intersect except values',
);

/** Keywords that may stand before a parenthesis without calling anything. */
const BEFORE_PARENTHESIS = words(
  `in and or not exists any all some values from join lateral on using as select where by having limit offset when
   then else case between like ilike is distinct union intersect except over filter within row array with only
   numeric decimal varchar char character bpchar timestamp timestamptz time timetz bit varbit interval float
   end similar to returning asc desc escape`,
);

/** What has another value in another transaction or session. */
const NOT_DETERMINED = words(
  `current_date current_time current_timestamp localtime localtimestamp current_user session_user current_role user
   current_catalog current_schema tablesample`,
);

// TABLE is short for SELECT * FROM
const FORBIDDEN = words('insert update delete merge into table');

/** Functions that give the same for the same arguments, always. */
const PURE = words(
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
