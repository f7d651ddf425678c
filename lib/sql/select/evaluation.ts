import { constantMayReadClock } from '../clock.js';
import {
  BEFORE_PARENTHESIS,
  CAST_TARGETS,
  ENDS_WHERE,
  KEYWORDS,
  NAMES_A_TYPE,
  NAMES_NO_TYPE_BEFORE_CONSTANT,
  TEMPORAL_FUNCTIONS,
  TEMPORAL_TARGETS,
} from '../keywords.js';
import { isMark, isWord } from '../lexer/cursor.js';
import type { Token } from '../lexer/tokens.js';
import type { ColumnName, Evaluation } from './select_result.js';

/** The reason for a value that PostgreSQL does, or may, read from the clock. */
export const CLOCK = 'a value that is read by the clock';

/** The reason that names a function. */
export function callOf(name: string): string {
  return `a call of ${name}()`;
}

export function evaluationOf(sql: string, tokens: readonly Token[]): Evaluation {
  const calls = new Set<string>();
  const keywords = new Set<string>();
  const operators = new Set<string>();
  const types = new Set<string>();
  const timed: ColumnName[] = [];
  const clocked: ColumnName[] = [];
  const bare = new Set<string>();
  const given = new Set<string>();
  const derived = new Set<string>();
  const inZone: (ColumnName | 'any')[] = [];
  const composed: ColumnName[] = [];
  let casts = false;
  let ofDay = false;
  let hasWith = false;
  let obstacle: string | undefined;
  for (const [i, token] of tokens.entries()) {
    const before = tokens[i - 1];
    const next = tokens[i + 1];
    switch (token.kind) {
      case 'operator':
        operators.add(token.text);
        break;
      case 'string':
        object(obstacleOfConstant(sql, tokens, i, clocked));
        casts ||= before?.kind === 'word' && CAST_TARGETS.has(before.text);
        break;
      case 'mark':
        if (token.text === '::') {
          casts = true;
          object(readCast(tokens, i + 1, operandBefore(tokens, i - 1), types, timed));
        } else if (token.text === '.' && before?.kind !== 'word' && before?.kind !== 'name') {
          object('a field of an expression, which may be a function');
        }
        break;
      case 'word':
      case 'name':
        if (isMark(next, '(')) {
          const isKeyword = token.kind === 'word' && BEFORE_PARENTHESIS.has(token.text);
          const isType = NAMES_A_TYPE.has(token.text) && (isMark(before, '::') || isWord(before, 'as'));
          const isAlias = token.kind === 'name' && isWord(before, 'as');
          (isKeyword || isType || isAlias ? keywords : calls).add(token.text);
          if (isAlias) {
            derived.add(token.text);
          }
        }
        if (isMark(before, '.')) {
          if (!isItem(tokens[i - 3], next)) {
            composed.push({ alias: tokens[i - 2]?.text ?? '', column: token.text });
          }
        } else if (token.text === 'time') {
          ofDay ||= !isMark(next, '.') && !(isWord(next, 'zone') && isWord(before, 'at', 'with', 'without'));
        }
        hasWith ||= isWord(token, 'with') && !isWord(next, 'ordinality', 'ties') && !isZone(tokens, i + 1);
        if (isWord(token, 'at') && (isZone(tokens, i + 1) || isWord(next, 'local'))) {
          const operand = operandBefore(tokens, i - 1);
          if (operand !== 'harmless') {
            inZone.push(operand);
          }
        }
        if (token.kind === 'word' && token.text === 'cast' && isMark(next, '(')) {
          casts = true;
          const as = wordAt(tokens, i + 2, 'as');
          object(
            as < 0
              ? 'a cast that is not understood'
              : readCast(tokens, as + 1, operandOf(tokens.slice(i + 2, as)), types, timed),
          );
        }
        if (isMark(isWord(before, 'as') ? tokens[i - 2] : before, ')')) {
          derived.add(token.text);
        }
        if (isWord(before, 'as') || isMark(before, ')') || (token.kind === 'name' && isOperand(before))) {
          given.add(token.text);
        } else if (
          token.kind === 'word' &&
          isByItself(tokens, i) &&
          !KEYWORDS.has(token.text) &&
          !(next?.kind === 'string' && CAST_TARGETS.has(token.text))
        ) {
          (isOperand(before) ? given : bare).add(token.text);
        }
    }
  }
  return {
    ...{ calls, keywords, operators, casts, types, timed, clocked, inZone, ofDay, composed },
    ...{ bare, given, derived, hasWith, obstacle },
  };

  /** Declared tables do not remove a dependency on the clock, so it takes precedence over other reasons. */
  function object(reason: string | undefined): void {
    obstacle = reason === CLOCK ? CLOCK : (obstacle ?? reason);
  }
}

/** Is the expression between these two tokens a whole item of a SELECT list or of an argument list? */
function isItem(before: Token | undefined, next: Token | undefined): boolean {
  return (
    (isWord(before, 'select') || isMark(before, ',')) && (isWord(next, 'as', 'from') || isMark(next, ','))
  );
}

/** @param at index of the word that may be TIME */
function isZone(tokens: readonly Token[], at: number): boolean {
  return isWord(tokens[at], 'time') && isWord(tokens[at + 1], 'zone');
}

/** Neither qualified nor called nor the name of a type. */
function isByItself(tokens: readonly Token[], at: number): boolean {
  const before = tokens[at - 1];
  const next = tokens[at + 1];
  return !isMark(before, '.') && !isMark(before, '::') && !isMark(next, '.') && !isMark(next, '(');
}

/** May an expression or an item end here? Then a name that follows is its alias. */
function isOperand(token: Token | undefined): boolean {
  return (
    token?.kind === 'name' ||
    token?.kind === 'string' ||
    token?.kind === 'number' ||
    (token?.kind === 'word' && !KEYWORDS.has(token.text))
  );
}

function obstacleOfConstant(
  sql: string,
  tokens: readonly Token[],
  at: number,
  clocked: ColumnName[],
): string | undefined {
  const token = tokens[at]!;
  const before = tokens[at - 1];
  if (constantMayReadClock(sql.slice(token.start, token.end))) {
    const column = comparedWith(tokens, at);
    if (!column) {
      return CLOCK;
    }
    clocked.push(column);
  }
  const isTyped =
    before?.kind === 'name' ||
    isMark(before, ')') ||
    (before?.kind === 'word' &&
      !NAMES_NO_TYPE_BEFORE_CONSTANT.has(before.text) &&
      !(CAST_TARGETS.has(before.text) && !isMark(tokens[at - 2], '.'))) ||
    (isWord(before, 'zone') && !isWord(tokens[at - 3], 'at') && !isWord(tokens[at - 4], 'timestamp'));
  return isTyped || before?.kind === 'string' ? 'a constant of a type that is not known' : undefined;
}

/** Words that end the operand before them. */
const ENDS_OPERAND: ReadonlySet<string> = new Set([
  ...ENDS_WHERE,
  ...'and or when then else end escape as from where join inner left right full cross natural'.split(' '),
]);

/** `a.b` of `a.b = 'x'`, `a.b not like 'x'` or `a.b in ('w', 'x')`. */
function comparedWith(tokens: readonly Token[], at: number): ColumnName | undefined {
  const next = tokens[at + 1];
  const isWhole =
    next === undefined ||
    isMark(next, ')') ||
    isMark(next, ',') ||
    (next.kind === 'word' && ENDS_OPERAND.has(next.text));
  if (!isWhole) {
    return undefined; // `'x'::date`, `'x' - a.c`
  }
  let i = at - 1;
  if (tokens[i]?.kind === 'operator' || isWord(tokens[i], 'like') || isWord(tokens[i], 'ilike')) {
    i--;
  } else {
    while (isMark(tokens[i], ',') && tokens[i - 1]?.kind === 'string') {
      i -= 2;
    }
    if (!isMark(tokens[i], '(') || !isWord(tokens[i - 1], 'in')) {
      return undefined;
    }
    i -= 2;
  }
  const operand = operandBefore(tokens, isWord(tokens[i], 'not') ? i - 1 : i);
  return typeof operand === 'object' ? operand : undefined;
}

/** The operand of a cast: a column by its name, a constant or other value that cannot hide a clock word, or any value. */
type Operand = ColumnName | 'harmless' | 'any';

/** @param at index of the operand's last token */
function operandBefore(tokens: readonly Token[], at: number): Operand {
  const last = tokens[at];
  if (last?.kind === 'string' || last?.kind === 'number') {
    return 'harmless';
  }
  if (isMark(last, ')')) {
    const open = opening(tokens, at);
    const inner = tokens.slice(open + 1, at);
    const name = tokens[open - 1];
    // LEFT and RIGHT are keywords, and functions
    if (name?.kind === 'word' && !(KEYWORDS.has(name.text) && BEFORE_PARENTHESIS.has(name.text))) {
      return TEMPORAL_FUNCTIONS.has(name.text) && !isMark(tokens[open - 2], '.') ? 'harmless' : 'any';
    }
    return name?.kind === 'name' ? 'any' : endsInZone(inner) ? 'harmless' : operandOf(inner);
  }
  return isMark(tokens[at - 1], '.') && (last?.kind === 'name' || last?.kind === 'word')
    ? { alias: tokens[at - 2]?.text ?? '', column: last.text }
    : 'any';
}

/** The operand in parentheses, or of `cast(… as …)`. */
function operandOf(tokens: readonly Token[]): Operand {
  if (isOne(tokens)) {
    return operandBefore(tokens, tokens.length - 1);
  }
  const moved = withoutInterval(tokens);
  const last = (moved?.length ?? 0) - 1;
  return moved && (isOne(moved) || startsWithParentheses(moved, opening(moved, last)))
    ? operandBefore(moved, last)
    : 'any';
}

/** `a.b` of `a.b + interval '1 day'` or `a.b - '1 day'::interval`: the operators return no text. */
function withoutInterval(tokens: readonly Token[]): readonly Token[] | undefined {
  const end = tokens.length - 1;
  const isPrefixed = tokens[end]?.kind === 'string' && isWord(tokens[end - 1], 'interval');
  const isCast =
    isWord(tokens[end], 'interval') && isMark(tokens[end - 1], '::') && tokens[end - 2]?.kind === 'string';
  const at = isPrefixed ? end - 2 : isCast ? end - 3 : -1;
  return tokens[at]?.kind === 'operator' && /^[+-]$/.test(tokens[at].text) ? tokens.slice(0, at) : undefined;
}

/** @param open index of the parenthesis that the last token closes */
function startsWithParentheses(tokens: readonly Token[], open: number): boolean {
  return open === 0 || (open === 1 && isWord(tokens[0], 'date_trunc'));
}

/** `a.b at time zone 'x'` returns a time for every operand. */
function endsInZone(tokens: readonly Token[]): boolean {
  const at = tokens.length - 4;
  if (!isWord(tokens[at], 'at') || !isZone(tokens, at + 1) || tokens[at + 3]?.kind !== 'string') {
    return false;
  }
  const operand = tokens.slice(0, at);
  const open = opening(operand, at - 1);
  return isOne(operand) || startsWithParentheses(operand, open) || endsInZone(operand);
}

/** A name, qualified or not, or a constant. */
function isOne(tokens: readonly Token[]): boolean {
  return tokens.length === 1 || (tokens.length === 3 && isMark(tokens[1], '.'));
}

/** @param at index of the type's first token */
function readCast(
  tokens: readonly Token[],
  at: number,
  operand: Operand,
  types: Set<string>,
  timed: ColumnName[],
): string | undefined {
  const first = tokens[at];
  if (first?.kind !== 'word' && first?.kind !== 'name') {
    return 'a cast that is not understood';
  }
  const isQualified = isMark(tokens[at + 1], '.');
  const type = isQualified ? tokens[at + 2] : first;
  const name = type?.text ?? '';
  if (name === 'double' && first.kind === 'word' && isWord(tokens[at + 1], 'precision')) {
    return undefined;
  }
  if (first.kind === 'name' && name === 'char' && !isQualified) {
    return undefined; // PostgreSQL's own type, unless the search path hides it
  }
  // `"integer"` in quotes is not the keyword, but names a user's type
  if (isQualified || first.kind === 'name' || !CAST_TARGETS.has(name)) {
    types.add(name);
    return undefined;
  }
  if (!TEMPORAL_TARGETS.has(name)) {
    return undefined;
  }
  // `time with time zone` takes today's offset
  const behind = isMark(tokens[at + 1], '(') ? at + 4 : at + 1;
  if ((name === 'time' && isWord(tokens[behind], 'with')) || operand === 'any') {
    return CLOCK;
  }
  if (typeof operand === 'object') {
    timed.push(operand);
  }
  return undefined;
}

/** @param at index of a closing parenthesis; of any other token, the result is the index itself */
function opening(tokens: readonly Token[], at: number): number {
  let depth = 0;
  for (let i = at; i >= 0; i--) {
    depth += isMark(tokens[i], ')') ? 1 : isMark(tokens[i], '(') ? -1 : 0;
    if (depth === 0) {
      return i;
    }
  }
  return -1;
}

/** Index of the word at this level of parentheses; -1 if it is missing. */
function wordAt(tokens: readonly Token[], start: number, word: string): number {
  let depth = 0;
  for (let i = start; i < tokens.length && depth >= 0; i++) {
    if (depth === 0 && isWord(tokens[i], word)) {
      return i;
    }
    depth += isMark(tokens[i], '(') ? 1 : isMark(tokens[i], ')') ? -1 : 0;
  }
  return -1;
}
