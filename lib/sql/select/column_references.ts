import { RESERVED } from '../keywords.js';
import { isMark, isWord } from '../lexer/cursor.js';
import type { Token } from '../lexer/tokens.js';
import type { Occurrence, TableName } from './select.js';

/** Where a column is mentioned: in the list or the WHERE of the outermost SELECT, or besides these. */
export type Clause = 'list' | 'where' | 'besides';

type Whereabouts = 'place' | 'again' | 'within';

interface Columns {
  star: boolean;
  starBesides: boolean;
  readonly elsewhere: Set<string>;
  /** of these, those not only in the list */
  readonly besides: Set<string>;
  readonly where: Map<string, number>;
}

/**
 * The columns that a SELECT mentions, by the alias before them.
 *
 * Scopes are not told apart: a mention counts for every table that has its alias anywhere in the statement, so that it
 * counts for the right one in any case. Columns of a derived table are not looked through either; what they are made
 * of is mentioned inside it. Whatever is not `alias.column`, and not known to be something else, may be a column of
 * any table (or all of them: a bare alias is a whole row), so nothing is known of any then.
 */
export class ColumnReferences {
  readonly #tables: Pick<Occurrence, 'schema' | 'name' | 'alias' | Whereabouts>[] = [];
  readonly #byAlias = new Map<string, Columns>();
  #uncertain = false;
  /** Is there no such thing as the outermost WHERE? */
  #severalSelects = false;

  addTable(table: TableName, alias: string, where: Pick<Occurrence, Whereabouts>): void {
    this.#tables.push({ ...table, alias, ...where });
  }

  severalSelects(): void {
    this.#severalSelects = true;
  }

  /**
   * Reads what stands at a token that begins no FROM item.
   *
   * @returns the index of the last token that belongs to it
   */
  read(tokens: readonly Token[], at: number, clause: Clause): number {
    const token = tokens[at]!;
    if (token.kind === 'operator' && token.text.includes('*')) {
      this.#uncertain ||= !isProduct(tokens, at) && !isCountOfRows(tokens, at);
      return at;
    }
    if (token.kind !== 'word' && token.kind !== 'name') {
      return at;
    }
    if (isMark(tokens[at + 1], '.')) {
      return this.#readQualified(tokens, at, clause);
    }
    this.#uncertain ||= !isNoColumn(tokens, at);
    return at;
  }

  occurrences(): Occurrence[] {
    return this.#tables.map(table => {
      const columns = this.#byAlias.get(table.alias);
      const where = columns?.where ?? new Map<string, number>();
      const besides =
        this.#uncertain || this.#severalSelects || columns?.starBesides
          ? undefined
          : (columns?.besides ?? new Set<string>());
      if (this.#uncertain || columns?.star) {
        return { ...table, reads: undefined, besides, where };
      }
      const reads = columns?.elsewhere ?? new Set<string>();
      return this.#severalSelects
        ? { ...table, reads: new Set([...reads, ...where.keys()]), besides, where: new Map() }
        : { ...table, reads, besides, where };
    });
  }

  /** What follows each name and a dot. */
  qualified(): Map<string, ReadonlySet<string>> {
    return new Map(
      [...this.#byAlias].map(([alias, { elsewhere, where }]) => [
        alias,
        new Set([...elsewhere, ...where.keys()]),
      ]),
    );
  }

  #readQualified(tokens: readonly Token[], at: number, clause: Clause): number {
    const column = tokens[at + 2];
    const columns = this.#columnsOf(tokens[at]!.text);
    if (continues(tokens[at + 3])) {
      this.#uncertain = true; // schema.table.column, a function's name
      return at; // what follows is looked at by itself
    }
    if (column?.kind === 'operator' && column.text === '*') {
      columns.star = true;
      columns.starBesides ||= clause !== 'list';
    } else if (column?.kind !== 'name' && column?.kind !== 'word') {
      this.#uncertain = true;
    } else if (clause === 'where') {
      columns.where.set(column.text, (columns.where.get(column.text) ?? 0) + 1);
    } else {
      columns.elsewhere.add(column.text);
      if (clause === 'besides') {
        columns.besides.add(column.text);
      }
    }
    return at + 2;
  }

  #columnsOf(alias: string): Columns {
    let columns = this.#byAlias.get(alias);
    if (!columns) {
      columns = {
        star: false,
        starBesides: false,
        elsewhere: new Set(),
        besides: new Set(),
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
    // a function, or a keyword: but in `as "x" ("a", "b")` these are columns, and they are looked at next
    return true;
  }
  if (isWord(before, 'as', 'collate') || isMark(before, '::')) {
    return true;
  }
  return kind === 'word' && (RESERVED.has(text) || isKeywordHere(tokens, at));
}

/** Keywords that might be names of columns elsewhere. */
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

/** `a * b`: an operand comes before it. Behind a parenthesis it may as well be `distinct on (…) *`. */
function isProduct(tokens: readonly Token[], at: number): boolean {
  const before = tokens[at - 1];
  return before?.kind === 'number' || before?.kind === 'parameter' || isQualified(tokens, at - 1);
}

/** Is this the column of `alias.column`? */
function isQualified(tokens: readonly Token[], at: number): boolean {
  const token = tokens[at];
  return (token?.kind === 'name' || token?.kind === 'word') && isMark(tokens[at - 1], '.');
}

/** `count(*)`, which looks at no column. */
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
