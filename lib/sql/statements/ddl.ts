import { isWord } from '../lexer/cursor.js';
import type { Token } from '../lexer/tokens.js';
import { startsQuery } from './query.js';

const VERBS = ['alter', 'comment', 'create', 'drop', 'grant', 'import', 'reassign', 'revoke', 'security'];

/** A block of code without these words defines nothing, unless it executes text that it builds at run time. */
export const DEFINING: readonly string[] = [...VERBS, 'refresh', 'reindex'];

/** Words between the verb and the kind of object. */
const MODIFIERS =
  'constraint foreign global local materialized or recursive replace temp temporary unique unlogged'.split(
    ' ',
  );

/**
 * Objects that are a table, or belong to one table that their definition names. A definition of any other object need
 * not name all tables that it affects: another object may read a view.
 */
const OF_ONE_TABLE = ['index', 'policy', 'sequence', 'statistics', 'table', 'trigger'];

const OUTSIDE_TRANSACTIONS = ['database', 'subscription', 'system', 'tablespace'];

/** Whether it defines something. This includes a query that creates a table. */
export function isDefinition(tokens: readonly Token[]): boolean {
  return (
    isWord(tokens[0]!, ...VERBS) || (startsQuery(tokens[0]) && tokens.some(token => isWord(token, 'into')))
  );
}

/** Whether the text of CREATE, ALTER or DROP names all tables that it changes. */
export function namesItsTables(tokens: readonly Token[]): boolean {
  const object = tokens.slice(1).find(token => !isWord(token, ...MODIFIERS));
  return (
    object !== undefined && isWord(object, ...OF_ONE_TABLE) && !tokens.some((_, i) => cascades(tokens, i))
  );
}

const OF_OTHERS = new RegExp(
  `\\b(?:alter|create|drop)\\b(?!\\s+(?:(?:${MODIFIERS.join('|')})\\s+)*(?:${OF_ONE_TABLE.join('|')})\\b)|\\b(?:cascade|import|reassign|revoke|security)\\b`,
  'i',
);

/**
 * Whether code may define something that affects tables which it does not name, provided that it executes no text
 * built at run time.
 */
export function mayRedefineOthers(code: string): boolean {
  return OF_OTHERS.test(code);
}

/** CASCADE, but not that of `on delete cascade`. */
function cascades(tokens: readonly Token[], at: number): boolean {
  const isOfForeignKey = isWord(tokens[at - 2], 'on') && isWord(tokens[at - 1], 'delete', 'update');
  return isWord(tokens[at], 'cascade') && !isOfForeignKey;
}

/** Whether CREATE, ALTER or DROP can run in a transaction block; false if not known. */
export function isTransactionalDefinition(tokens: readonly Token[]): boolean {
  const object = tokens[1];
  return (
    !(object && isWord(object, ...OUTSIDE_TRANSACTIONS)) &&
    !tokens.some(token => isWord(token, 'concurrently'))
  );
}
