import { mayReadClock } from '../../sql/clock.js';
import { namesInText } from '../../sql/identifiers.js';
import { isUnstable, NOT_DETERMINED } from '../../sql/keywords.js';
import { UNNAMED } from '../../sql/routines.js';
import { CLOCK, callOf } from '../../sql/select/evaluation.js';
import type { Catalog } from '../catalog/table.js';

/**
 * Why a statement is not cached even if its tables are declared: a function that it calls or a view that it reads
 * writes, or depends on the time, on random numbers or on the session, as far as the definitions tell.
 */
export function volatilityObstacle(
  statements: readonly string[],
  { routines, definitions, defined }: Catalog,
): string | undefined {
  if (statements.some(sql => routines.namesReachedIn(sql).size > 0)) {
    return 'a call of a function that writes';
  }
  if (statements.some(sql => routines.effectsIn(sql))) {
    return 'a call of a function that changes settings';
  }
  const reached = new Set([UNNAMED, ...statements.flatMap(sql => definedIn(sql, definitions))]);
  for (const name of reached) {
    const text = definitions.get(name) ?? '';
    const word = unstableIn(text, defined.volatile) ?? (mayReadClock(text) ? CLOCK : undefined);
    if (word !== undefined) {
      return `${name === UNNAMED ? 'an operator, cast or type' : name}, in which there is ${word}`;
    }
    for (const other of definedIn(text, definitions)) {
      reached.add(other);
    }
  }
  return undefined;
}

function definedIn(text: string, definitions: Catalog['definitions']): string[] {
  return definitions.size === 0 ? [] : [...namesInText(text)].filter(name => definitions.has(name));
}

/** Quoted names are mostly columns; a word before a parenthesis is a call. */
const WORDS = /(?<![\w$."])([a-z_][\w$]*)(\s*\()?|\.\s*([a-z_][\w$]*)\s*\(/gi;

function unstableIn(text: string, volatile: ReadonlySet<string>): string | undefined {
  for (const [, word, parenthesis, qualified] of text.matchAll(WORDS)) {
    const name = (word ?? qualified!).toLowerCase();
    if (word !== undefined && NOT_DETERMINED.has(name)) {
      return name;
    }
    if ((parenthesis !== undefined || qualified !== undefined) && (isUnstable(name) || volatile.has(name))) {
      return callOf(name);
    }
  }
  return undefined;
}
