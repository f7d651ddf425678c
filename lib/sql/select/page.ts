import { isMark, isWord } from '../lexer/cursor.js';
import type { Token } from '../lexer/tokens.js';
import { qualified } from './column_references.js';

/**
 * The parts of `<list and FROM> where a.id in (select a.id from (<page>) as a) order by …`, as two statements that can
 * be read apart: the outer one without its WHERE, and the page without `group by a.id` and the `min()` of its order.
 * `undefined` if the statement has another form. `key` is the name of the column `id`.
 */
export function unwrapPage(
  sql: string,
  tokens: readonly Token[],
): { readonly outer: string; readonly page: string; readonly key: string } | undefined {
  const where = indexAtTop(tokens, 0, 'where');
  const key = where === undefined ? undefined : readKey(tokens, where + 1);
  // where "a" . "id" in ( select "a" . "id" from ( select "a" . "id" from
  if (
    where === undefined ||
    !key ||
    !isWord(tokens[where + 4], 'in') ||
    !isMark(tokens[where + 5], '(') ||
    !isWord(tokens[where + 6], 'select') ||
    readKey(tokens, where + 7) !== key ||
    !isWord(tokens[where + 10], 'from') ||
    !isMark(tokens[where + 11], '(') ||
    !isWord(tokens[where + 12], 'select') ||
    readKey(tokens, where + 13) !== key ||
    !isWord(tokens[where + 16], 'from')
  ) {
    return undefined;
  }
  const first = where + 12;
  const end = endOfParentheses(tokens, first);
  const isWrapped =
    isMark(tokens[end], ')') &&
    isWord(tokens[end + 1], 'as') &&
    tokens[end + 2]?.text === tokens[where + 1]!.text &&
    isMark(tokens[end + 3], ')') &&
    isWord(tokens[end + 4], 'order');
  const group = indexAtTop(tokens, first, 'group');
  const order = group === undefined ? undefined : indexAtTop(tokens, group, 'order');
  const limit = order === undefined ? undefined : indexAtTop(tokens, order, 'limit');
  if (
    !isWrapped ||
    limit === undefined ||
    readKey(tokens, group! + 2) !== key ||
    order !== group! + 5 ||
    limit > end
  ) {
    return undefined;
  }
  const text = (from: number, to: number) => sql.slice(tokens[from]!.start, tokens[to - 1]!.end);
  const terms = readTerms(tokens.slice(order + 2, limit), sql);
  return terms
    ? {
        outer: `${text(0, where)} ${text(end + 4, tokens.length)}`,
        page: `${text(first, group!)} order by ${terms} ${text(limit, end)}`,
        key: tokens[where + 3]!.text,
      }
    : undefined;
}

/** `min("a"."x") desc, …` without `min()`: the key is grouped by, so that each group has one value. */
function readTerms(tokens: readonly Token[], sql: string): string | undefined {
  const terms: string[] = [];
  for (let i = 0; i < tokens.length; ) {
    if (
      !isWord(tokens[i], 'min') ||
      !isMark(tokens[i + 1], '(') ||
      !qualified(tokens, i + 2) ||
      !isMark(tokens[i + 5], ')')
    ) {
      return undefined;
    }
    const column = sql.slice(tokens[i + 2]!.start, tokens[i + 4]!.end);
    const words: string[] = [];
    for (i += 6; i < tokens.length && !isMark(tokens[i], ','); i++) {
      words.push(tokens[i]!.text);
    }
    i++;
    terms.push([column, ...words].join(' '));
  }
  return terms.join(', ');
}

/** {@link qualified} as text, which can be compared. */
function readKey(tokens: readonly Token[], at: number): string | undefined {
  const column = qualified(tokens, at);
  return column && JSON.stringify(column);
}

/** The index of a word outside of parentheses, before the parenthesis that contains `from` ends. */
function indexAtTop(tokens: readonly Token[], from: number, word: string): number | undefined {
  const end = endOfParentheses(tokens, from);
  let depth = 0;
  for (let i = from; i < end; i++) {
    depth += isMark(tokens[i], '(') ? 1 : isMark(tokens[i], ')') ? -1 : 0;
    if (depth === 0 && isWord(tokens[i], word)) {
      return i;
    }
  }
  return undefined;
}

/** The index of the parenthesis that ends what contains this index, or the number of tokens. */
export function endOfParentheses(tokens: readonly Token[], from: number): number {
  let depth = 0;
  for (let i = from; i < tokens.length; i++) {
    depth += isMark(tokens[i], '(') ? 1 : isMark(tokens[i], ')') ? -1 : 0;
    if (depth < 0) {
      return i;
    }
  }
  return tokens.length;
}
