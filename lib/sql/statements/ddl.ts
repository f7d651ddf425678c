import { isWord } from '../lexer/cursor.js';
import type { Token } from '../lexer/tokens.js';
import { startsQuery } from './query.js';

const VERBS = ['alter', 'comment', 'create', 'drop', 'grant', 'import', 'reassign', 'revoke', 'security'];

/** Words without which a block of code defines nothing, unless it executes what it puts together. */
export const DEFINING: readonly string[] = [...VERBS, 'refresh', 'reindex'];

/** Between the verb and the kind of object. */
const MODIFIERS = [
  ...[
    'constraint',
    'foreign',
    'global',
    'local',
    'materialized',
    'or',
    'recursive',
    'replace',
    'temp',
    'temporary',
  ],
  ...['unique', 'unlogged'],
];

/**
 * Objects that belong to one table, which their definition names, or are one. What reads a view, or a table that has
 * become one by a rule, need not name it, and so it is with all other objects.
 */
const OF_ONE_TABLE = ['index', 'policy', 'sequence', 'statistics', 'table', 'trigger'];

const OUTSIDE_TRANSACTIONS = ['database', 'subscription', 'system', 'tablespace'];

/** Whether it defines something: also a query that creates a table. */
export function isDefinition(tokens: readonly Token[]): boolean {
  return (
    isWord(tokens[0]!, ...VERBS) || (startsQuery(tokens[0]) && tokens.some(token => isWord(token, 'into')))
  );
}

/** Whether all tables that CREATE, ALTER or DROP changes are named in it. */
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

/** Whether code may define something that concerns more than the tables which it names, if it executes its text only. */
export function mayRedefineOthers(code: string): boolean {
  return OF_OTHERS.test(code);
}

/** CASCADE, but not that of `on delete cascade`. */
function cascades(tokens: readonly Token[], at: number): boolean {
  const isOfForeignKey = isWord(tokens[at - 2], 'on') && isWord(tokens[at - 1], 'delete', 'update');
  return isWord(tokens[at], 'cascade') && !isOfForeignKey;
}

/** Whether CREATE, ALTER or DROP can run in a transaction; in doubt not. */
export function isTransactionalDefinition(tokens: readonly Token[]): boolean {
  const object = tokens[1];
  return (
    !(object && isWord(object, ...OUTSIDE_TRANSACTIONS)) &&
    !tokens.some(token => isWord(token, 'concurrently'))
  );
}
