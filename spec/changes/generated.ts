import fc from 'fast-check';

/** What would do harm if it were taken for SQL where it is not. */
const NASTY = [
  ...["'", "''", '"', '""', '\\', "\\'", '\\\\', '$', '$$', '$a$', '$1', '--', '/*', '*/', '\n', ';', ',', '(', ')', '['],
  ...['returning', 'where', ' from ', 'set', 'update t set a = 1', ' into ', ' on conflict do nothing ', 'with', 'e', 'U&'],
  ...['é', '€', '😀', 'A', 'a', '1', '1e', '.5', ' ', '\t', '\f', '=', '+', '-', '@', '?', ':', '::', '.', ']', "x'", "E'"],
];

/** Text made of pieces that mean something in SQL. */
export const anySql = fc.array(fc.constantFrom(...NASTY), { maxLength: 20 }).map(pieces => pieces.join(''));

/** White space and comments; not empty, and separating words. */
export const anyGap = fc
  .array(
    fc.oneof(
      fc.constantFrom(' ', '\n', '\t'),
      anySql.map(text => `--${text.replaceAll('\n', ' ')}\n`),
      anySql.map(text => `/*${text.replaceAll('*/', '').replaceAll('/*', '').replaceAll('/', '').replaceAll('*', '')}*/`),
    ),
    { minLength: 1, maxLength: 3 },
  )
  .map(gaps => ` ${gaps.join('')} `);

export interface Constant {
  readonly kind: 'string' | 'name';
  readonly sql: string;
  /** as a token tells it */
  readonly text: string;
  /** what it stands for */
  readonly value: string;
}

/** A string constant or a quoted name in one of the ways to write it. */
export const anyConstant: fc.Arbitrary<Constant> = fc
  .tuple(anySql, fc.constantFrom('plain', 'escape', 'dollar', 'name', 'continued'))
  .map(([value, way]): Constant => {
    const doubled = `'${value.replaceAll("'", "''")}'`;
    switch (way) {
      case 'plain':
        return string(doubled, value);
      case 'escape':
        return string(`E${doubled.replaceAll('\\', '\\\\')}`, value);
      case 'dollar':
        return value.includes('$x$') || value.endsWith('$x') ? string(doubled, value) : string(`$x$${value}$x$`, value);
      case 'continued':
        return string(`E'\\''-- it's\n ${doubled.replaceAll("''", "\\'").replaceAll('\\', '\\\\')}`, value);
      default:
        return { kind: 'name', sql: `"${value.replaceAll('"', '""')}x"`, text: `${value}x`, value: `${value}x` };
    }
  });

function string(sql: string, value: string): Constant {
  return { kind: 'string', sql, text: sql, value };
}
