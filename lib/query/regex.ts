/**
 * The subset of PostgreSQL's regular expressions that means the same under every collation, and needs no backtracking:
 * characters, `.`, bracket expressions such as `[a-z_]` and `[^,]`, each optionally followed by `*`, `+` or `?`; `^`
 * and `$` at the ends, and `|` between whole alternatives. Characters are code points, and `.` is any.
 */
export interface Regex {
  readonly alternatives: readonly Alternative[];
}

interface Alternative {
  readonly fromStart: boolean;
  readonly toEnd: boolean;
  readonly items: readonly Item[];
}

interface Item {
  accepts(character: string): boolean;
  /** may it be left out? */
  readonly optional: boolean;
  /** may it repeat? */
  readonly repeats: boolean;
}

/** Bounds the time, because each character is matched against each item. */
const MAX_ITEMS = 100;

/** @returns `undefined` if it contains anything else */
export function readRegex(pattern: string): Regex | undefined {
  // a bar inside brackets also splits, but then neither half is understood
  const alternatives = pattern.split('|').map(readAlternative);
  const size = alternatives.reduce((sum, each) => sum + (each?.items.length ?? 0), 0);
  return alternatives.every(each => each !== undefined) && size <= MAX_ITEMS ? { alternatives } : undefined;
}

/** `text ~ pattern`, in time proportional to the product of their lengths (K. Thompson, 1968). */
export function matchesRegex({ alternatives }: Regex, text: string): boolean {
  const characters = Array.from(text);
  return alternatives.some(alternative => matches(alternative, characters));
}

function matches({ fromStart, toEnd, items }: Alternative, characters: readonly string[]): boolean {
  // the items that may match next
  let states = reachable(new Set([0]), items);
  for (const character of characters) {
    if (!toEnd && states.has(items.length)) {
      return true;
    }
    const next = new Set(fromStart ? [] : [0]);
    for (const state of states) {
      const item = items[state];
      if (item?.accepts(character)) {
        next.add(state + 1);
        if (item.repeats) {
          next.add(state);
        }
      }
    }
    states = reachable(next, items);
  }
  return states.has(items.length);
}

/** Adds the items after optional ones. */
function reachable(states: Set<number>, items: readonly Item[]): Set<number> {
  for (const state of states) {
    if (items[state]?.optional) {
      states.add(state + 1);
    }
  }
  return states;
}

const ITEM = /(\[\^?[^\]]*\]|\\[^\p{L}\p{N}\s]|[^\\[\](){}^$*+?|])([*+?]?)(?![*+?{])/uy;

function readAlternative(text: string): Alternative | undefined {
  const fromStart = text.startsWith('^');
  const toEnd = /(?:^|[^\\])(?:\\\\)*\$$/.test(text);
  const body = text.slice(fromStart ? 1 : 0, toEnd ? -1 : undefined);
  const items: Item[] = [];
  let at = 0;
  while (at < body.length) {
    ITEM.lastIndex = at;
    const match = ITEM.exec(body);
    const accepts = match && readAtom(match[1]!);
    if (!accepts) {
      return undefined;
    }
    const [whole, , quantifier] = match;
    items.push({
      accepts,
      optional: quantifier === '*' || quantifier === '?',
      repeats: quantifier === '*' || quantifier === '+',
    });
    at += whole.length;
  }
  // in some places an empty expression has another meaning in the database
  return items.length > 0 ? { fromStart, toEnd, items } : undefined;
}

type Accepts = Item['accepts'];

function readAtom(atom: string): Accepts | undefined {
  if (atom === '.') {
    return () => true;
  }
  if (atom.startsWith('\\')) {
    const escaped = atom.slice(1);
    return character => character === escaped;
  }
  return atom.startsWith('[') ? readSet(atom) : character => character === atom;
}

/**
 * ASCII only, because ranges of ASCII letters and digits are the same in every collation that regular expressions use.
 */
const SET = /^\[(\^?)((?:[a-z]-[a-z]|[A-Z]-[A-Z]|\d-\d|[\w ,;:!@#%&/<>=~"'.])+)\]$/;

function readSet(atom: string): Accepts | undefined {
  const match = SET.exec(atom);
  if (!match) {
    return undefined;
  }
  const [, not, members] = match;
  const single = new Set<string>();
  const ranges: (readonly [string, string])[] = [];
  for (const [member] of members!.matchAll(/.-.|./g)) {
    if (member.length === 1) {
      single.add(member);
    } else if (member[0]! <= member[2]!) {
      ranges.push([member[0]!, member[2]!]);
    } else {
      return undefined;
    }
  }
  const isIn = (character: string) =>
    single.has(character) || ranges.some(([from, to]) => from <= character && character <= to);
  return not ? character => !isIn(character) : isIn;
}
