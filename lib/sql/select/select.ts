import {
  ENDS_FROM,
  ENDS_WHERE,
  FORBIDDEN,
  isUnstable,
  NO_TABLE,
  NOT_DETERMINED,
  ORDINAL,
  PURE,
  RESERVED,
  words,
} from '../keywords.js';
import { isMark, isWord } from '../lexer/cursor.js';
import { type Token, tokenize } from '../lexer/tokens.js';
import type { TableName } from '../statement.js';
import { startsQuery } from '../statements/query.js';
import { type Clause, ColumnReferences, qualified } from './column_references.js';
import { CLOCK, callOf, evaluationOf } from './evaluation.js';
import { endOfParentheses, unwrapPage } from './page.js';
import type { ColumnName, Join, OrderColumn, Select, SelectTable, Unanalysable } from './select_result.js';

/** The state between a pair of parentheses, or outside of all. */
interface Frame {
  /** Does a comma start another item of a FROM list? */
  inFrom: boolean;
  /** Is it the WHERE of the outermost SELECT? */
  inWhere: boolean;
  /** Is it the list of a SELECT? */
  inList: boolean;
  /** Is it in a subquery? */
  inner: boolean;
  /** number of joins whose conditions have not been read */
  joins: number;
  /** index of its opening parenthesis */
  readonly start: number;
  /** the column, if it is a subquery that selects a key of the outer row again: see {@link SelectTable.again} */
  again?: ColumnName | undefined;
}

/**
 * The tables and columns that a SELECT names. Dependencies are derived from the compiled SQL, because it contains
 * everything that the ORM adds: filters, eager relations, pivot tables, pagination.
 *
 * @returns a reason if something cannot be analysed: a function that may depend on more than its arguments, or a FROM
 *   item that is not a table
 * @param declared the user declared the tables behind such SQL, so it is accepted
 */
export function readSelect(sql: string, declared = false): Select | Unanalysable {
  const tokens = tokenize(sql);
  if (!tokens) {
    return { reason: 'SQL that cannot be parsed' };
  }
  const select = readTokens(sql, tokens, declared);
  return 'reason' in select ? select : (readPage(sql, tokens, select) ?? select);
}

/** Otherwise `values` is the name of a table or column. */
function isValuesList(tokens: readonly Token[], at: number): boolean {
  return isWord(tokens[at], 'values') && isMark(tokens[at + 1], '(');
}

function readTokens(sql: string, tokens: readonly Token[], declared: boolean): Select | Unanalysable {
  if (!startsQuery(tokens[0])) {
    return { reason: 'a statement that is not a query' };
  }
  const references = new ColumnReferences();
  const frames: Frame[] = [
    { inFrom: false, inWhere: false, inList: false, inner: false, joins: 0, start: 0 },
  ];
  /** May an item of a FROM list begin with this token? */
  let opensItem = false;
  let limited = false;
  let grouped = false;
  let plain = !isMark(tokens[0], '(');
  let single = plain;
  let nested = false;
  let ordinal = false;
  let windowed = false;
  let opaque = false;
  let order: Pick<Select, 'order' | 'orderKnown'> = { order: [], orderKnown: true };
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i]!;
    const frame = frames.at(-1)!;
    let expectsItem = false;
    // parentheses in a FROM list contain a join, or a subquery that begins with its own SELECT
    const inFrom: boolean = opensItem;
    opensItem = inFrom && (isMark(token, '(') || isWord(token, 'lateral'));
    if (token.kind === 'mark') {
      if (token.text === '(') {
        frames.push({
          inFrom,
          joins: 0,
          start: i,
          inWhere: frame.inWhere,
          inList: false,
          inner: frame.inner,
          again: frame.inWhere ? reselectedColumn(tokens, i) : undefined,
        });
        expectsItem =
          inFrom &&
          !isMark(tokens[i + 1], '(') &&
          !isWord(tokens[i + 1], 'select', 'with') &&
          !isValuesList(tokens, i + 1);
      } else if (token.text === ')') {
        frames.pop();
        if (frames.length === 0) {
          return { reason: 'SQL that cannot be parsed' };
        }
      } else if (token.text === ';') {
        return { reason: 'several statements' };
      } else {
        expectsItem = token.text === ',' && frame.inFrom;
      }
    } else if (token.kind === 'word' && !isMark(tokens[i - 1], '.')) {
      const reason = reasonAgainst(tokens, i);
      if (reason !== undefined) {
        return { reason };
      }
      if (token.text !== 'from' || (frame.inList && !isDistinctFrom(tokens, i))) {
        expectsItem = enterClause(tokens, i, frame, frames.length === 1, references);
      } else if (!isDistinctFrom(tokens, i) && !isWord(tokens[frame.start - 1], ...FROM_IN_CALL)) {
        if (!declared) {
          return { reason: 'a FROM that is not understood' };
        }
        opaque = true;
      }
      if (frames.length === 1) {
        limited ||= LIMITS.has(token.text);
        plain &&= !COLLAPSES.has(token.text);
        single &&= !SET_OPERATIONS.has(token.text) && token.text !== 'with';
        grouped ||= token.text === 'group' || SET_OPERATIONS.has(token.text);
        order = token.text === 'order' ? readOrder(tokens, i + 2) : order;
      } else {
        frame.inner ||= token.text === 'select';
        nested ||= token.text === 'select' || token.text === 'values';
        ordinal ||= LIMITS.has(token.text);
      }
      windowed ||= token.text === 'over';
      ordinal ||= token.text === 'distinct' && isWord(tokens[i + 1], 'on');
      ordinal ||= ORDINAL.has(token.text) && isMark(tokens[i + 1], '(');
    }
    ordinal ||= token.kind === 'name' && ORDINAL.has(token.text) && isMark(tokens[i + 1], '(');
    if (expectsItem) {
      const item = readItem(tokens, i + 1);
      opensItem = item === SUBQUERY;
      if (item === undefined && !declared) {
        return { reason: 'a FROM item that is not a table' };
      }
      opaque ||= item === undefined;
      if (item !== undefined && item !== SUBQUERY) {
        references.addTable(item.table, item.alias, positionOf(tokens, i, item, frame, frames.length === 1));
        i = item.last;
      }
    } else {
      i = references.read(tokens, i, clauseOf(frame, frames.length === 1), frame.inner);
    }
  }
  limited &&= grouped || !hasOnlyAggregates(tokens);
  const evaluation = evaluationOf(sql, tokens);
  for (const name of evaluation.calls) {
    if (!PURE.has(name)) {
      if (!declared || isUnstable(name)) {
        return { reason: callOf(name) };
      }
      opaque = true;
    }
  }
  if (evaluation.obstacle !== undefined) {
    if (!declared || evaluation.obstacle === CLOCK) {
      return { reason: evaluation.obstacle };
    }
    opaque = true;
  }
  return {
    ...{ tables: references.tables(), limited, plain, single, nested, ordinal, windowed, opaque, ...order },
    ...{ evaluation, qualified: references.qualified(), inSubqueries: references.inSubqueries },
  };
}

/**
 * The ORM pages rows with to-many joins by `where a.id in (select a.id from (<page>) as a)`, where the page groups by
 * the key. If it is a key, that is a page of the root: the page names the root again, and its other tables are those of a
 * subquery.
 */
function readPage(sql: string, tokens: readonly Token[], whole: Select): Select | undefined {
  const text = unwrapPage(sql, tokens);
  const [outer, page] = text ? [text.outer, text.page].map(part => readSelect(part)) : [];
  if (!outer || !page || 'reason' in outer || 'reason' in page) {
    return undefined;
  }
  const [root, ...joined] = outer.tables;
  const [again, ...others] = page.tables;
  const isSame =
    [outer, page].every(({ plain, orderKnown }) => plain && orderKnown) &&
    [root, again].every(table => table?.place === 'first') &&
    root!.schema === again!.schema &&
    root!.name === again!.name &&
    JSON.stringify(outer.order) === JSON.stringify(page.order);
  return isSame
    ? {
        ...whole,
        tables: [
          {
            ...root!,
            reads: unionOf(root!.reads, again!.reads),
            outsideList: unionOf(root!.outsideList, again!.reads),
            where: again!.where,
          },
          ...joined,
          { ...again!, place: undefined, again: text!.key, inner: true },
          ...others.map(({ place, ...table }) => ({
            ...table,
            ...(place && place !== 'first' && { within: place }),
            inner: true as const,
          })),
        ],
        limited: true,
        plain: true,
        nested: outer.nested || page.nested,
        inSubqueries: new Set([...outer.inSubqueries, ...page.inSubqueries, ...page.qualified.keys()]),
        ordinal: outer.ordinal || page.ordinal,
        windowed: outer.windowed || page.windowed,
        order: page.order,
        orderKnown: true,
      }
    : undefined;
}

function unionOf(
  a: ReadonlySet<string> | undefined,
  b: ReadonlySet<string> | undefined,
): ReadonlySet<string> | undefined {
  return a && b && new Set([...a, ...b]);
}

/** Does its list consist of aggregates? Then it has one row, unless it has GROUP BY. */
function hasOnlyAggregates(tokens: readonly Token[]): boolean {
  for (let i = 1; isWord(tokens[i], ...AGGREGATES) && isMark(tokens[i + 1], '('); i++) {
    i = endOfParentheses(tokens, i + 2);
    i += isWord(tokens[i + 1], 'as') ? 3 : 1;
    if (isWord(tokens[i], 'from')) {
      return true;
    }
    if (!isMark(tokens[i], ',')) {
      return false;
    }
  }
  return false;
}

const AGGREGATES = ['avg', 'bool_and', 'bool_or', 'count', 'every', 'max', 'min', 'sum'];

/** Why a query with this word is not analysed. */
function reasonAgainst(tokens: readonly Token[], at: number): string | undefined {
  const { text } = tokens[at]!;
  if (NOT_DETERMINED.has(text)) {
    return `${text}, which is not the same at every time`;
  }
  if (FORBIDDEN.has(text)) {
    return `${text} in a query`;
  }
  if (text === 'where' && isWord(tokens[at - 1], 'as')) {
    return 'WHERE used as a name';
  }
  return text === 'for' && isWord(tokens[at + 1], 'share', 'key') ? 'a lock in a query' : undefined;
}

function clauseOf({ inWhere, inList }: Frame, outermost: boolean): Clause {
  return inWhere ? 'where' : outermost && inList ? 'list' : 'elsewhere';
}

const LIMITS = words('limit offset fetch');

const COLLAPSES = words('distinct group having window union intersect except with');

/** @param at index of the first token after ORDER BY */
function readOrder(tokens: readonly Token[], at: number): Pick<Select, 'order' | 'orderKnown'> {
  const order: OrderColumn[] = [];
  for (let i = at; ; i++) {
    const term = qualified(tokens, i);
    if (!term) {
      return { order, orderKnown: false };
    }
    i += 3;
    const desc = isWord(tokens[i], 'desc');
    i += desc || isWord(tokens[i], 'asc') ? 1 : 0;
    const nulls = isWord(tokens[i], 'nulls');
    const nullsFirst = nulls ? isWord(tokens[i + 1], 'first') : desc;
    i += nulls ? 2 : 0;
    const next = tokens[i];
    const ends = next === undefined || (next.kind === 'word' && LIMITS.has(next.text));
    if (!ends && !isMark(next, ',')) {
      return { order, orderKnown: false };
    }
    order.push({ ...term, desc, nullsFirst });
    if (ends) {
      return { order, orderKnown: true };
    }
  }
}

/** Functions whose arguments may be separated by FROM. */
const FROM_IN_CALL = ['extract', 'substring', 'trim'];

/** `is distinct from`, `is not distinct from`. */
function isDistinctFrom(tokens: readonly Token[], at: number): boolean {
  const is = isWord(tokens[at - 2], 'not') ? at - 3 : at - 2;
  return isWord(tokens[at - 1], 'distinct') && isWord(tokens[is], 'is') && !isMark(tokens[is - 1], '.');
}

/** @returns whether an item of a FROM list comes next */
function enterClause(
  tokens: readonly Token[],
  at: number,
  frame: Frame,
  outermost: boolean,
  references: ColumnReferences,
): boolean {
  const word = tokens[at]!.text;
  if (word === 'where') {
    // in parentheses it is the WHERE of a subquery, or of an aggregate's FILTER
    frame.inWhere = outermost;
  } else if (ENDS_WHERE.has(word) || word === 'select') {
    frame.inWhere = false;
  }
  frame.inList ||= word === 'select';
  if (SET_OPERATIONS.has(word) || word === 'with') {
    frame.again = undefined;
    references.severalSelects();
  }
  if (word === 'from' || word === 'join') {
    frame.inFrom = true;
    frame.inList = false;
    const waits = word === 'join' && !isWord(tokens[at - 1], 'cross', 'natural');
    frame.joins = word === 'from' ? 0 : frame.joins + (waits ? 1 : 0);
    return true;
  }
  frame.joins -= word === 'on' || word === 'using' ? 1 : 0;
  if (ENDS_FROM.has(word)) {
    frame.inFrom = false;
  }
  return false;
}

const SET_OPERATIONS = words('union intersect except');

type Position = Pick<SelectTable, 'place' | 'again' | 'within' | 'inner'>;

/** @param at index of the word before the item */
function positionOf(
  tokens: readonly Token[],
  at: number,
  item: Item,
  { again, joins, inner }: Frame,
  outermost: boolean,
): Position {
  // a join between another join and its condition is nested in that join
  const place = (outermost || again) && joins <= 1 ? placeOf(tokens, at, item) : undefined;
  if (place && outermost) {
    return { place };
  }
  const inSubquery = inner ? ({ inner } as const) : {};
  if (!place) {
    return inSubquery;
  }
  return place !== 'first'
    ? { ...inSubquery, within: place }
    : item.alias === again!.alias
      ? { ...inSubquery, again: again!.column }
      : inSubquery;
}

/**
 * `a.id` of `a.id in (select a.id from`, or `not in`.
 *
 * @param at index of the parenthesis
 */
function reselectedColumn(tokens: readonly Token[], at: number): ColumnName | undefined {
  if (!isWord(tokens[at - 1], 'in') || !isWord(tokens[at + 1], 'select') || !isWord(tokens[at + 5], 'from')) {
    return undefined;
  }
  const outside = qualified(tokens, isWord(tokens[at - 2], 'not') ? at - 5 : at - 4);
  const inside = qualified(tokens, at + 2);
  return outside && inside?.alias === outside.alias && inside.column === outside.column ? outside : undefined;
}

/** @param at index of the word before the item */
function placeOf(tokens: readonly Token[], at: number, { alias, last }: Item): SelectTable['place'] {
  if (isWord(tokens[at], 'from')) {
    return isMark(tokens[last + 1], ',') ? undefined : 'first';
  }
  const kind = joinKind(tokens, at);
  const condition = kind && isWord(tokens[last + 1], 'on') ? readJoin(tokens, last + 2, alias) : undefined;
  return condition && { kind: kind!, ...condition };
}

function joinKind(tokens: readonly Token[], at: number): Join['kind'] | undefined {
  if (!isWord(tokens[at], 'join')) {
    return undefined;
  }
  const before = tokens[at - 1];
  if (isWord(before, 'left') || (isWord(before, 'outer') && isWord(tokens[at - 2], 'left'))) {
    return 'left';
  }
  return isWord(before, 'outer', 'right', 'full', 'cross', 'natural') ? undefined : 'inner';
}

/** `a.x = b.y and …` up to the end of a join condition; `undefined` for anything else. */
function readJoin(tokens: readonly Token[], at: number, alias: string): Omit<Join, 'kind'> | undefined {
  const on: { own: string; alias: string; column: string }[] = [];
  let filtered = false;
  for (let i = at; ; i++) {
    const pair = readEquality(tokens, i, alias);
    const end = pair ? i + 7 : endOfOwnCondition(tokens, i, alias);
    if (end === undefined) {
      return undefined;
    }
    if (pair) {
      on.push(pair);
    } else {
      filtered = true;
    }
    i = end;
    if (!isWord(tokens[i], 'and')) {
      return on.length > 0 ? { on, filtered } : undefined;
    }
  }
}

function readEquality(tokens: readonly Token[], at: number, alias: string): Join['on'][number] | undefined {
  const left = qualified(tokens, at);
  const right = qualified(tokens, at + 4);
  const equals = tokens[at + 3];
  if (!left || !right || equals?.kind !== 'operator' || equals.text !== '=') {
    return undefined;
  }
  const [own, other] = left.alias === alias ? [left, right] : [right, left];
  const next = tokens[at + 7];
  return own.alias === alias && other.alias !== alias && (isWord(next, 'and') || endsCondition(next))
    ? { own: own.column, ...other }
    : undefined;
}

/**
 * The index behind an operand of AND that consists of columns with this alias, constants, and {@link IN_CONDITION};
 * `undefined` if it contains anything else.
 */
function endOfOwnCondition(tokens: readonly Token[], at: number, alias: string): number | undefined {
  let depth = 0;
  for (let i = at; ; i++) {
    const token = tokens[i];
    if (depth === 0 && i > at && (isWord(token, 'and') || endsCondition(token))) {
      return i;
    }
    const column = qualified(tokens, i);
    if (column) {
      if (column.alias !== alias) {
        return undefined;
      }
      i += 2;
    } else if (isMark(token, '(')) {
      depth++;
    } else if (isMark(token, ')')) {
      depth--;
    } else if (!token || !isPlainOperand(token, depth)) {
      return undefined;
    }
    if (depth < 0) {
      return undefined;
    }
  }
}

/** Outside of parentheses, `or` would end the operand, and `between` would contain another `and`. */
function isPlainOperand({ kind, text }: Token, depth: number): boolean {
  switch (kind) {
    case 'word':
      return IN_CONDITION.has(text) || (depth > 0 && (text === 'and' || text === 'or'));
    case 'mark':
      return text === ',';
    case 'name':
      return false;
    default:
      return true;
  }
}

const IN_CONDITION = words('is not null true false in like ilike');

function endsCondition(token: Token | undefined): boolean {
  return token === undefined || (token.kind === 'word' && ENDS_CONDITION.has(token.text));
}

const ENDS_CONDITION: ReadonlySet<string> = new Set([
  ...ENDS_WHERE,
  ...['where', 'join', 'inner', 'left', 'right', 'full', 'cross'],
]);

const SUBQUERY = Symbol('subquery');

interface Item {
  readonly table: TableName;
  readonly alias: string;
  /** index of its last token */
  readonly last: number;
}

function readItem(tokens: readonly Token[], at: number): Item | typeof SUBQUERY | undefined {
  let i = at;
  while (isWord(tokens[i], 'only', 'lateral')) {
    i++;
  }
  const first = tokens[i];
  if (isMark(first, '(')) {
    return isWord(tokens[i - 1], 'only') ? undefined : SUBQUERY;
  }
  if (!isNameOfTable(first)) {
    return undefined; // `(table t)` is short for a SELECT, `user` is a function
  }
  if (!isMark(tokens[i + 1], '.')) {
    return isMark(tokens[i + 1], '(')
      ? undefined
      : withAlias({ schema: undefined, name: first.text }, tokens, i);
  }
  const second = tokens[i + 2];
  const qualified = second?.kind === 'name' || second?.kind === 'word';
  return qualified && !isMark(tokens[i + 3], '.') && !isMark(tokens[i + 3], '(')
    ? withAlias({ schema: first.text, name: second.text }, tokens, i + 2)
    : undefined;
}

/** @param last index of the last token of the table's name */
function withAlias(table: TableName, tokens: readonly Token[], last: number): Item | undefined {
  if (tokens[last + 1]?.kind === 'operator') {
    return undefined; // `t * as x`
  }
  const as = isWord(tokens[last + 1], 'as') ? 1 : 0;
  const token = tokens[last + 1 + as];
  return isNameOfTable(token)
    ? { table, alias: token.text, last: last + 1 + as }
    : { table, alias: table.name, last };
}

function isNameOfTable(token: Token | undefined): token is Token {
  return (
    token?.kind === 'name' ||
    (token?.kind === 'word' &&
      ![RESERVED, FORBIDDEN, NOT_DETERMINED, NO_TABLE].some(reserved => reserved.has(token.text)))
  );
}
