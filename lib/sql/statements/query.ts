import { isMark, isWord } from '../lexer/cursor.js';
import type { Token } from '../lexer/tokens.js';

/** Whether it is a query that creates no table and has no data-modifying WITH query. */
export function isPlainQuery(tokens: readonly Token[]): boolean {
  return startsQuery(tokens[0]) && !tokens.some(token => isWord(token, 'into')) && !mayModifyInWith(tokens);
}

export function startsQuery(token: Token | undefined): boolean {
  return token !== undefined && (isMark(token, '(') || isWord(token, 'select', 'values', 'table', 'with'));
}

/**
 * Whether it may have a data-modifying WITH query. The keywords may also be names, so this may be true for a plain
 * query, but is never false for a query that writes.
 */
export function mayModifyInWith(tokens: readonly Token[]): boolean {
  return (
    tokens.some(token => isWord(token, 'with')) &&
    tokens.some(
      (token, i) => isWord(token, 'insert', 'update', 'delete', 'merge') && !isPartOfClause(tokens, i),
    )
  );
}

/** `for update`, `for no key update`, `do update`, or certainly a name. */
function isPartOfClause(tokens: readonly Token[], at: number): boolean {
  const before = tokens[at - 1];
  const first = tokens[at - 2];
  if (!before) {
    return false;
  }
  return (
    isWord(before, 'for', 'do') ||
    isMark(before, '.') ||
    (isWord(before, 'key') && first !== undefined && isWord(first, 'no'))
  );
}
