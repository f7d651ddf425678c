import { LRUCache } from 'lru-cache';
import { Cursor, wordOf } from './lexer/cursor.js';
import { type Token, tokenize } from './lexer/tokens.js';
import type { Statement } from './statement.js';
import { parseDelete } from './statements/delete.js';
import { parseInsert } from './statements/insert.js';
import { otherStatement, severalStatements, unreadableStatement } from './statements/other.js';
import { mayModifyInWith } from './statements/query.js';
import { parseRead } from './statements/read.js';
import { parseSession } from './statements/set.js';
import { parseTransaction } from './statements/transaction.js';
import { parseTruncate } from './statements/truncate.js';
import { parseUpdate } from './statements/update.js';

/**
 * Parses one SQL text as PostgreSQL (14 or newer, standard_conforming_strings on) receives it. Never throws.
 *
 * ```ts
 * const statement = parseStatement(`update "book" set "title" = 'x' where "id" = 1`);
 * if (statement.kind === 'update') {
 *   statement.table; // { schema: undefined, name: 'book' }
 *   statement.set; // ['title']
 * }
 * ```
 *
 * @param parameters the values of `$1` …; used only for the name of the setting in `set_config($1, …)`
 */
export function parseStatement(sql: string, parameters: readonly unknown[] = []): Statement {
  // a text without parameters contains its values, so it rarely repeats
  const known = parameters.length > 0 ? parsed.get(sql) : undefined;
  if (known || parameters.length === 0) {
    return known ?? parse(sql, parameters);
  }
  let dependsOnValues = false;
  const watched = new Proxy(parameters, {
    get(values, property) {
      dependsOnValues = true;
      return Reflect.get(values, property);
    },
  });
  const statement = parse(sql, watched);
  if (!dependsOnValues) {
    parsed.set(sql, statement);
  }
  return statement;
}

/** By texts with parameters. Sizes are in characters. */
const parsed = new LRUCache<string, Statement>({
  maxSize: 1_000_000,
  maxEntrySize: 20_000,
  sizeCalculation: (_, sql) => sql.length + 1,
});

function parse(sql: string, parameters: readonly unknown[]): Statement {
  const tokens = tokenize(sql);
  if (!tokens) {
    return unreadableStatement(sql);
  }
  const parts = splitStatements(tokens);
  const statements = parts.map(part => parseSingle(sql, part, parameters) ?? otherStatement(sql, part));
  if (statements.length > 1) {
    return severalStatements(sql, tokens, statements);
  }
  return statements[0] ?? { kind: 'read', effects: undefined };
}

/**
 * A fast check that lets most statements skip parsing. A text without a semicolon is one statement, whatever its
 * strings contain.
 */
export function isPlainSelect(sql: string): boolean {
  return /^\s*select\b/i.test(sql) && !/;|\binto\b|set_config|u&"/i.test(sql);
}

/**
 * Whether PostgreSQL finds one statement in a text, or none, in whatever way string constants are read. May be false for
 * one statement, too.
 */
export function isSingleStatement(sql: string): boolean {
  return (
    !sql.includes(';') || (!sql.includes('\\') && tokenize(sql)?.every(({ text }) => text !== ';') === true)
  );
}

/** `undefined` if the form is not understood. */
function parseSingle(
  sql: string,
  tokens: readonly Token[],
  parameters: readonly unknown[],
): Statement | undefined {
  const cursor = new Cursor(tokens);
  switch (wordOf(tokens[0])) {
    case 'insert':
      return hasSideEffects(tokens) ? undefined : parseInsert(sql, cursor);
    case 'update':
      return hasSideEffects(tokens) ? undefined : parseUpdate(sql, cursor);
    case 'delete':
      return hasSideEffects(tokens) ? undefined : parseDelete(sql, cursor);
    case 'truncate':
      return parseTruncate(cursor);
    case 'set':
    case 'reset':
    case 'discard':
      return parseSession(cursor);
    case 'begin':
    case 'start':
    case 'commit':
    case 'end':
    case 'rollback':
    case 'abort':
    case 'savepoint':
    case 'release':
    case 'prepare':
      return parseTransaction(cursor);
    default:
      return parseRead(sql, tokens, parameters);
  }
}

/** Whether an INSERT, UPDATE or DELETE also does something else. */
function hasSideEffects(tokens: readonly Token[]): boolean {
  return mayModifyInWith(tokens.slice(1)) || tokens.some(token => token.text === 'set_config');
}

/** Splits at semicolons, and drops empty statements. */
function splitStatements(tokens: readonly Token[]): (readonly Token[])[] {
  const statements: Token[][] = [[]];
  for (const token of tokens) {
    if (token.kind === 'mark' && token.text === ';') {
      statements.push([]);
    } else {
      statements.at(-1)!.push(token);
    }
  }
  return statements.filter(statement => statement.length > 0);
}
