import { Cursor } from '../lexer/cursor.js';
import type { Token } from '../lexer/tokens.js';
import type { Read } from '../statement.js';
import { isPlainQuery, startsQuery } from './query.js';
import { configuredBy, onlyConfiguresLocally } from './set_config.js';

/** A statement that certainly only reads. */
export function parseRead(
  sql: string,
  tokens: readonly Token[],
  parameters: readonly unknown[],
): Read | undefined {
  if (!isRead(tokens)) {
    return undefined;
  }
  const effects = configuredBy(sql, tokens, parameters);
  return { kind: 'read', effects, ...(effects && onlyConfiguresLocally(tokens) && { onlyConfigures: true }) };
}

function isRead(tokens: readonly Token[]): boolean {
  const cursor = new Cursor(tokens);
  switch (cursor.takeWord('show', 'fetch', 'move', 'close', 'declare', 'explain')) {
    case 'show':
    case 'fetch':
    case 'move':
    case 'close':
      return true;
    case 'declare':
      cursor.skipTo(next => next.isWord('for'));
      return cursor.takeWords('for') && isPlainQuery(cursor.rest);
    case 'explain':
      return !mayExecute(tokens) || isPlainQuery(explained(cursor));
    default:
      return isPlainQuery(tokens);
  }
}

/** Whether EXPLAIN has the option ANALYZE, which may also be quoted. */
function mayExecute(tokens: readonly Token[]): boolean {
  return tokens.some(token => token.text === 'analyze' || token.text === 'analyse');
}

/** The statement behind EXPLAIN and its options. */
function explained(cursor: Cursor): readonly Token[] {
  if (cursor.isMark('(') && !startsQuery(cursor.second)) {
    cursor.skip();
  }
  cursor.takeWord('analyze', 'analyse');
  cursor.takeWord('verbose');
  return cursor.rest;
}
