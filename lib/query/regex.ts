/**
 * The part of PostgreSQL's regular expressions that means the same under every collation, and is evaluated here without
 * going back: characters, `.`, sets of characters such as `[a-z_]` and `[^,]`, each of which may be followed by `*`, `+`
 * or `?`; `^` and `$` at the ends, and `|` between whole alternatives. Characters are code points, and `.` is any.
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
  /** may it come again? */
  readonly repeats: boolean;
}

/** More than these are not looked at: each character of a text is tried on each. */
const MAX_ITEMS = 100;

/** @returns `undefined` if it has anything else in it */
export function readRegex(pattern: string): Regex | undefined {
  // a bar in a set of characters is no such bar, but then the halves of the set are not understood either
  const alternatives = pattern.split('|').map(readAlternative);
  const size = alternatives.reduce((sum, each) => sum + (each?.items.length ?? 0), 0);
  return alternatives.every(each => each !== undefined) && size <= MAX_ITEMS ? { alternatives } : undefined;
}

/** `text ~ pattern`, in time that grows with the product of their lengths (K. Thompson, 1968). */
export function matchesRegex({ alternatives }: Regex, text: string): boolean {
  const characters = Array.from(text);
  return alternatives.some(alternative => matches(alternative, characters));
}

function matches({ fromStart, toEnd, items }: Alternative, characters: readonly string[]): boolean {
  // before which items one may be, after what has been read
  let places = reachable(new Set([0]), items);
  for (const character of characters) {
    if (!toEnd && places.has(items.length)) {
      return true;
    }
    const next = new Set(fromStart ? [] : [0]);
    for (const place of places) {
      const item = items[place];
      if (item?.accepts(character)) {
        next.add(place + 1);
        if (item.repeats) {
          next.add(place);
        }
      }
    }
    places = reachable(next, items);
  }
  return places.has(items.length);
}

/** Passes over what may be left out. */
function reachable(places: Set<number>, items: readonly Item[]): Set<number> {
  for (const place of places) {
    if (items[place]?.optional) {
      places.add(place + 1);
    }
  }
  return places;
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
  // what is empty means something else to the database in some places
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

/** ASCII only: there, ranges of letters and of digits are the same in every collation that a regular expression knows. */
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
