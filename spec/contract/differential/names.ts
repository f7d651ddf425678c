/** Names of the tables and columns of a generated catalog, as SQL writes them. */
export interface Names {
  readonly thing: string;
  readonly ledger: string;
  readonly part: string;
  readonly log: string;
  readonly totals: string;
  /** columns of `thing` */
  readonly n: string;
  readonly label: string;
}

/** Plain names, mixed case, keywords, names of functions, and letters beyond ASCII. */
export const NAMINGS: readonly Names[] = [
  { thing: 'thing', ledger: 'ledger', part: 'part', log: 'log', totals: 'totals', n: 'n', label: 'label' },
  {
    thing: '"Thing"',
    ledger: '"order"',
    part: '"user"',
    log: '"Log of all"',
    totals: '"select"',
    n: '"N"',
    label: '"time"',
  },
  {
    thing: '"values"',
    ledger: '"sum"',
    part: 'lower',
    log: '"now"',
    totals: 'length',
    n: 'abs',
    label: 'upper',
  },
  { thing: 'größe', ledger: '"Größe"', part: 'part$1', log: 'ε', totals: '"Ünï"', n: 'ñ', label: '"ß x"' },
];

/** For functions, aggregates and domains: names of their own, of functions and types of PostgreSQL, and keywords. */
export const ROUTINE_NAMES: readonly string[] = [
  'lower',
  'power',
  'sum',
  'round',
  'length',
  'substr',
  'left',
  'concat',
  'max',
  'over',
  '"like"',
  '"Sum of all"',
  'label',
  '"Ünï x"',
  'f$1',
];

/** The name as the database stores it. */
export function stored(name: string): string {
  return name.startsWith('"') ? name.slice(1, -1) : name;
}
