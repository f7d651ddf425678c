import fc from 'fast-check';

/** Pieces that would do harm if they were read as SQL. */
const NASTY = [
  ...`' '' " "" \\ \\' \\\\ $ $$ $a$ $1 -- /* */ ; , ( ) [ ] = + - @ ? : :: .`.split(' '),
  ...`x' E' e U& 1 1e .5 a A é € 😀 returning where set with`.split(' '),
  ...['\n', ' ', '\t', '\f', ' from ', ' into ', 'update t set a = 1', ' on conflict do nothing '],
];

/** Text made of pieces with a meaning in SQL. */
export const anySql = fc.array(fc.constantFrom(...NASTY), { maxLength: 20 }).map(pieces => pieces.join(''));

/** White space and comments; not empty, so that it separates words. */
export const anyGap = fc
  .array(
    fc.oneof(
      fc.constantFrom(' ', '\n', '\t'),
      anySql.map(text => `--${text.replaceAll('\n', ' ')}\n`),
      anySql.map(
        text =>
          `/*${text.replaceAll('*/', '').replaceAll('/*', '').replaceAll('/', '').replaceAll('*', '')}*/`,
      ),
    ),
    { minLength: 1, maxLength: 3 },
  )
  .map(gaps => ` ${gaps.join('')} `);

export interface Constant {
  readonly kind: 'string' | 'name';
  readonly sql: string;
  /** the text of its token */
  readonly text: string;
  /** the value that it stands for */
  readonly value: string;
}

/** A string constant or a quoted name in one of its notations. */
export const anyConstant: fc.Arbitrary<Constant> = fc
  .tuple(anySql, fc.constantFrom('plain', 'escape', 'dollar', 'name', 'continued'))
  .map(([value, way]): Constant => {
    const doubled = `'${value.replaceAll("'", "''")}'`;
    switch (way) {
      case 'escape':
        return string(`E${doubled.replaceAll('\\', '\\\\')}`, value);
      case 'continued':
        return string(`e''-- it's\n '${value.replaceAll(/[\\']/g, '\\$&')}'`, value);
      case 'dollar':
        return string(`${value}$x`.includes('$x$') ? doubled : `$x$${value}$x$`, value);
      case 'name':
        return Buffer.byteLength(value) < 63
          ? name(`"${value.replaceAll('"', '""')}x"`, `${value}x`)
          : string(doubled, value);
      default:
        return string(doubled, value);
    }
  });

function name(sql: string, value: string): Constant {
  return { kind: 'name', sql, text: value, value };
}

function string(sql: string, value: string): Constant {
  return { kind: 'string', sql, text: sql, value };
}
