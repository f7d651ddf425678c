import { namesIn, namesInText } from '../identifiers.js';
import { words } from '../keywords.js';
import { isWord, wordOf } from '../lexer/cursor.js';
import type { Token } from '../lexer/tokens.js';
import type { Other, SessionEffects, Statement } from '../statement.js';
import {
  DEFINING,
  isDefinition,
  isTransactionalDefinition,
  mayRedefineOthers,
  namesItsTables,
} from './ddl.js';
import { effectsOn, eitherEffects } from './session_effects.js';

const CHANGES_NO_ROWS = words(
  'analyse analyze checkpoint cluster comment deallocate grant listen lock notify reindex unlisten vacuum',
);

/** The text of these statements names all tables that they may change. */
const NAMES_ITS_TABLES = words(
  'copy declare delete insert merge prepare refresh select table truncate update values with',
);

const CONTROLS_TRANSACTION = words('abort begin commit end release rollback savepoint start');

/** These define nothing, nor do {@link CONTROLS_TRANSACTION}. */
const DEFINES_NOTHING = words(
  `analyse analyze checkpoint cluster copy deallocate declare delete insert listen lock merge notify prepare select
   table unlisten update vacuum values with`,
);

/** One statement whose form is not understood. */
export function otherStatement(sql: string, tokens: readonly Token[]): Other {
  const names = namesIn(sql, tokens);
  return {
    kind: 'other',
    names,
    opaque: !namesAllItsTables(sql, tokens, names),
    writes: !isWord(tokens[0]!, ...CHANGES_NO_ROWS),
    ddl: isDefinition(tokens),
    mayDefine: mayDefine(sql, tokens, names),
    transactional: isTransactional(tokens, names),
    controlsTransaction: isWord(tokens[0]!, ...CONTROLS_TRANSACTION),
    effects: mayConfigure(tokens, names) ? effectsOn(undefined) : effectsOfTemporary(names),
  };
}

/** A temporary object hides others with its name, for this session only. The effect is that of another search path. */
export function effectsOfTemporary(names: ReadonlySet<string>): SessionEffects | undefined {
  const isTemporary = ['temp', 'temporary', 'pg_temp'].some(name => names.has(name));
  return isTemporary ? effectsOn(['search_path']) : undefined;
}

/** Several statements in one text: the union of their effects. */
export function severalStatements(sql: string, tokens: readonly Token[], parts: readonly Statement[]): Other {
  const others = parts.filter(part => part.kind === 'other');
  return {
    kind: 'other',
    names: namesIn(sql, tokens),
    opaque: parts.some(part =>
      part.kind === 'truncate' ? part.cascade : part.kind === 'other' && part.opaque,
    ),
    writes: parts.some(part => (part.kind === 'other' ? part.writes : CHANGES_ROWS.includes(part.kind))),
    ddl: others.some(part => part.ddl),
    mayDefine: others.some(part => part.mayDefine),
    transactional: others.every(part => part.transactional),
    controlsTransaction:
      parts.some(part => part.kind === 'transaction') || others.some(part => part.controlsTransaction),
    effects: parts
      .map(part => ('effects' in part ? part.effects : undefined))
      .reduce(eitherEffects, undefined),
  };
}

/** A text that cannot be split into tokens. */
export function unreadableStatement(sql: string): Other {
  const names = namesInText(sql);
  return {
    kind: 'other',
    names,
    opaque: true,
    writes: true,
    ddl: true,
    mayDefine: true,
    transactional: true,
    controlsTransaction: [...CONTROLS_TRANSACTION].some(word => names.has(word)),
    effects: effectsOn(undefined),
  };
}

const CHANGES_ROWS: readonly Statement['kind'][] = ['insert', 'update', 'delete', 'truncate'];

function namesAllItsTables(sql: string, tokens: readonly Token[], names: ReadonlySet<string>): boolean {
  switch (wordOf(tokens[0])) {
    case 'create':
    case 'alter':
    case 'drop':
      return namesItsTables(tokens) && !names.has('execute');
    case 'explain':
      return !names.has('execute');
    case 'truncate':
      return !names.has('cascade');
    case 'do':
      return (
        isReadableBlock(tokens) &&
        !names.has('execute') &&
        !names.has('call') &&
        !tokens.some(token => mayHideNames(sql, token)) &&
        !mayRedefineOthers(sql.slice(tokens[0]!.start, tokens.at(-1)!.end))
      );
    default:
      return isWord(tokens[0]!, ...NAMES_ITS_TABLES, ...CHANGES_NO_ROWS);
  }
}

/** Whether a block of code is in PL/pgSQL, the default. */
function isReadableBlock(tokens: readonly Token[]): boolean {
  const at = tokens.findIndex(token => isWord(token, 'language'));
  return at < 0 || isWord(tokens[at + 1], 'plpgsql');
}

function mayDefine(sql: string, tokens: readonly Token[], names: ReadonlySet<string>): boolean {
  if (isWord(tokens[0]!, 'do')) {
    return !namesAllItsTables(sql, tokens, names) || DEFINING.some(word => names.has(word));
  }
  return isDefinition(tokens) || !isWord(tokens[0]!, ...DEFINES_NOTHING, ...CONTROLS_TRANSACTION);
}

/** A string constant written with escapes. */
function mayHideNames(sql: string, token: Token): boolean {
  return token.kind === 'string' && /^[eu]/i.test(sql[token.start]!);
}

function isTransactional(tokens: readonly Token[], names: ReadonlySet<string>): boolean {
  switch (wordOf(tokens[0])) {
    case 'create':
    case 'alter':
    case 'drop':
      return isTransactionalDefinition(tokens);
    case 'do':
      return isReadableBlock(tokens) && !names.has('commit') && !names.has('rollback');
    case 'call':
    case 'cluster':
    case 'reindex':
    case 'vacuum':
      return false;
    default:
      return true;
  }
}

function mayConfigure(tokens: readonly Token[], names: ReadonlySet<string>): boolean {
  switch (wordOf(tokens[0])) {
    case 'create':
    case 'alter':
    case 'drop':
      return false; // a setting in it belongs to the object that it defines
    case 'do':
      return (
        !isReadableBlock(tokens) || ['set', 'set_config', 'reset', 'execute'].some(name => names.has(name))
      );
    case 'call':
    case 'execute':
    case 'load':
      return true;
    default:
      return names.has('set_config');
  }
}
