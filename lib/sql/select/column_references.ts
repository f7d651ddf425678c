import { ALL_COLUMNS } from '../../values/scheme.js';
import { RESERVED } from '../keywords.js';
import { isMark, isWord } from '../lexer/cursor.js';
import type { Token } from '../lexer/tokens.js';
import type { TableName } from '../statement.js';
import type { ColumnName, SelectTable } from './select_result.js';

/** Where a column is mentioned: in the list or the WHERE of the outermost SELECT, or elsewhere. */
export type Clause = 'list' | 'where' | 'elsewhere';

type Position = 'place' | 'again' | 'within' | 'inner';

interface Columns {
  star: boolean;
  starOutsideList: boolean;
  readonly reads: Set<string>;
  /** the subset that is also mentioned outside the list */
  readonly outsideList: Set<string>;
  readonly where: Map<string, number>;
}

/**
 * The columns that a SELECT mentions, by the alias before them.
 *
 * Scopes are not distinguished: a reference counts for every table with its alias anywhere in the statement, and so
 * certainly for the right one. Columns of a derived table are not resolved, because its own text mentions the columns
 * behind them. A word that is not `alias.column`, and not known to be something else, may be a column of any table,
 * or a whole row (a bare alias). Then no table's columns are known.
 */
export class ColumnReferences {
  readonly #tables: Pick<SelectTable, 'schema' | 'name' | 'alias' | Position>[] = [];
  readonly #byAlias = new Map<string, Columns>();
  #uncertain = false;
  /** the aliases that subqueries mention */
  readonly inSubqueries = new Set<string>();
  /** Is there no single outermost WHERE? */
  #severalSelects = false;

  addTable(table: TableName, alias: string, where: Pick<SelectTable, Position>): void {
    this.#tables.push({ ...table, alias, ...where });
  }

  severalSelects(): void {
    this.#severalSelects = true;
  }

  /**
   * Reads the tokens at a position where no FROM item starts.
   *
   * @param inner Is it in a subquery?
   * @returns the index of the last token that belongs to it
   */
  read(tokens: readonly Token[], at: number, clause: Clause, inner: boolean): number {
    const token = tokens[at]!;
    if (token.kind === 'operator' && token.text.includes('*')) {
      this.#uncertain ||= !isProduct(tokens, at) && !isCountOfRows(tokens, at);
      return at;
    }
    if (token.kind !== 'word' && token.kind !== 'name') {
      return at;
    }
    if (isMark(tokens[at + 1], '.')) {
      if (inner) {
        this.inSubqueries.add(token.text);
      }
      return this.#readQualified(tokens, at, clause);
    }
    this.#uncertain ||= !isNoColumn(tokens, at);
    return at;
  }

  tables(): SelectTable[] {
    return this.#tables.map(table => {
      const columns = this.#byAlias.get(table.alias);
      const where = columns?.where ?? new Map<string, number>();
      const outsideList =
        this.#uncertain || this.#severalSelects || columns?.starOutsideList
          ? undefined
          : (columns?.outsideList ?? new Set<string>());
      if (this.#uncertain) {
        return { ...table, reads: undefined, outsideList, where };
      }
      const reads = new Set([...(columns?.star ? [ALL_COLUMNS] : []), ...(columns?.reads ?? [])]);
      return this.#severalSelects
        ? { ...table, reads: new Set([...reads, ...where.keys()]), outsideList, where: new Map() }
        : { ...table, reads, outsideList, where };
    });
  }

  /** By each name before a dot, the names after the dot. */
  qualified(): Map<string, ReadonlySet<string>> {
    return new Map(
      [...this.#byAlias].map(([alias, { reads, where }]) => [alias, new Set([...reads, ...where.keys()])]),
    );
  }

  #readQualified(tokens: readonly Token[], at: number, clause: Clause): number {
    const column = tokens[at + 2];
    const columns = this.#columnsOf(tokens[at]!.text);
    if (continues(tokens[at + 3])) {
      this.#uncertain = true; // schema.table.column, or the name of a function
      return at; // the rest is read by the next call
    }
    if (column?.kind === 'operator' && column.text === '*') {
      columns.star = true;
      columns.starOutsideList ||= clause !== 'list';
    } else if (column?.kind !== 'name' && column?.kind !== 'word') {
      this.#uncertain = true;
    } else if (clause === 'where') {
      columns.where.set(column.text, (columns.where.get(column.text) ?? 0) + 1);
    } else {
      columns.reads.add(column.text);
      if (clause === 'elsewhere') {
        columns.outsideList.add(column.text);
      }
    }
    return at + 2;
  }

  #columnsOf(alias: string): Columns {
    let columns = this.#byAlias.get(alias);
    if (!columns) {
      columns = {
        star: false,
        starOutsideList: false,
        reads: new Set(),
        outsideList: new Set(),
        where: new Map(),
      };
      this.#byAlias.set(alias, columns);
    }
    return columns;
  }
}

function isNoColumn(tokens: readonly Token[], at: number): boolean {
  const { kind, text } = tokens[at]!;
  const before = tokens[at - 1];
  if (isMark(tokens[at + 1], '(')) {
    // a function, or a keyword; in `as "x" ("a", "b")` the names in parentheses are columns, which are read next
    return true;
  }
  if (isWord(before, 'as', 'collate') || isMark(before, '::')) {
    return true;
  }
  return kind === 'word' && (RESERVED.has(text) || isKeywordHere(tokens, at));
}

/** Keywords that could be column names elsewhere. */
function isKeywordHere(tokens: readonly Token[], at: number): boolean {
  const before = tokens[at - 1];
  switch (tokens[at]!.text) {
    case 'by':
      return isWord(before, 'group', 'order', 'partition');
    case 'partition':
      return isMark(before, '(') && isWord(tokens[at + 1], 'by');
    case 'nulls':
      return isWord(before, 'asc', 'desc') || isQualified(tokens, at - 1);
    case 'first':
    case 'last':
      return isWord(before, 'nulls');
    case 'between':
      return isQualified(tokens, at - 1);
    default:
      return false;
  }
}

/** `a * b`: after an operand. After a parenthesis it could also be `distinct on (…) *`. */
function isProduct(tokens: readonly Token[], at: number): boolean {
  const before = tokens[at - 1];
  return before?.kind === 'number' || before?.kind === 'parameter' || isQualified(tokens, at - 1);
}

/** Is this the column of `alias.column`? */
function isQualified(tokens: readonly Token[], at: number): boolean {
  const token = tokens[at];
  return (token?.kind === 'name' || token?.kind === 'word') && isMark(tokens[at - 1], '.');
}

/** `count(*)`, which reads no column. */
function isCountOfRows(tokens: readonly Token[], at: number): boolean {
  return (
    tokens[at]!.text === '*' &&
    isMark(tokens[at - 1], '(') &&
    isMark(tokens[at + 1], ')') &&
    tokens[at - 2]?.text === 'count'
  );
}

function continues(token: Token | undefined): boolean {
  return isMark(token, '.') || isMark(token, '(');
}

/** The column, if the tokens from this index on are `"alias"."column"`. */
export function qualified(tokens: readonly Token[], at: number): ColumnName | undefined {
  const [table, dot, column] = tokens.slice(at, at + 3);
  return table?.kind === 'name' && isMark(dot, '.') && column?.kind === 'name'
    ? { alias: table.text, column: column.text }
    : undefined;
}
