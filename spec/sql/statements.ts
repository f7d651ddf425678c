import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { pick, type Random } from '../contract/chaos/random.js';
import { EXPRESSIONS, FRAMES, ITEMS } from './kinds.js';

const LITERAL = /'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`/g;
const STARTS_STATEMENT =
  /^\s*(?:\(|select|insert|update|delete|with|values|table|merge|truncate|copy|create|alter|drop|explain|set|reset|begin|commit|rollback|savepoint|release|prepare|execute|declare|do|call|lock|grant)\b/i;

/** Texts in the specs that look like SQL; an expression in a template is replaced by `x`. */
export function textsOfSpecs(): string[] {
  const folder = join(import.meta.dirname, '..');
  const texts = globSync('**/*.{js,ts}', { cwd: folder })
    .filter(file => !file.endsWith('.d.ts'))
    .sort()
    .flatMap(file => readFileSync(join(folder, file), 'utf8').match(LITERAL) ?? [])
    .map(literal =>
      literal
        .slice(1, -1)
        .replace(/\$\{(?:[^{}]|\{[^{}]*\})*\}/g, 'x')
        .replace(/\\(.)/gs, (_, char: string) => (char === 'n' ? '\n' : char)),
    );
  return [...new Set(texts)].filter(text => STARTS_STATEMENT.test(text));
}

export const anyKind: fc.Arbitrary<string> = fc
  .tuple(
    fc.constantFrom(...FRAMES),
    ...['x.n = 1', 'x.id'].map(plain => often(plain, EXPRESSIONS)),
    ...['"a" as "x"', '"b" as "y"'].map(plain => often(plain, ITEMS)),
  )
  .map(([frame, e, e2, i, i2]) => fill(frame!, e!, e2!, i!, i2!));

/** A refused part hides the rest, so at most one of these is combined with accepted parts. */
function often(plain: string, others: readonly string[]): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 2, arbitrary: fc.constant(plain) },
    { weight: 1, arbitrary: fc.constantFrom(...others) },
  );
}

export function everyKind(): string[] {
  const plain = FRAMES.map(frame => fill(frame, 'x.n = 1', 'x.id', 'a as x', 'b as y'));
  const frames = FRAMES.filter(frame => /\bE\b/.test(frame)).slice(0, 60);
  const expressions = EXPRESSIONS.flatMap((e, i) =>
    [0, 1, 2, 3, 4].map(n => fill(frames[(i * 7 + n * 11) % frames.length]!, e, 'x.id', 'a as x', 'b as y')),
  );
  const items = ITEMS.flatMap((item, i) =>
    [0, 1, 2, 3, 4, 5, 6, 7].map(n =>
      fill(frames[(i * 5 + n * 7) % frames.length]!, 'x.n = 1', 'x.id', item, 'tag as y'),
    ),
  );
  return [...plain, ...expressions, ...items];
}

function fill(frame: string, e: string, e2: string, i: string, i2: string): string {
  const parts: Readonly<Record<string, string>> = { E: e, E2: e2, I: i, I2: i2 };
  return frame.replace(/\b[EI]2?\b/g, part => parts[part]!);
}

/** Queries with nested subqueries, joins and expressions. */
export const anyQuery: fc.Arbitrary<string> = fc.letrec<Record<'query' | 'item' | 'expression', string>>(
  tie => ({
    query: fc.oneof(
      { depthSize: 'small' },
      fc
        .tuple(
          tie('expression'),
          tie('item'),
          fc.option(tie('expression'), { freq: 2 }),
          fc.constantFrom('', '', ' limit 1', ' order by x.id'),
        )
        .map(([e, item, where, end]) => `select ${e} from ${item}${where ? ` where ${where}` : ''}${end}`),
      fc
        .tuple(tie('query'), fc.constantFrom('union', 'except all'), tie('query'))
        .map(([a, op, b]) => `(${a}) ${op} (${b})`),
      fc
        .tuple(fc.constantFrom('tag', 'q', 'user_', '"table"'), tie('query'), tie('query'))
        .map(([name, a, b]) => `with ${name} as (${a}) ${b}`),
      fc.constantFrom('table tag', 'values (1)', 'select 1 from tag'),
    ),
    item: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.constantFrom(...ITEMS),
      tie('query').map(query => `(${query}) as q`),
      fc
        .tuple(
          tie('item'),
          fc.constantFrom('join', 'left join', 'right join', 'cross join', ',', ', lateral'),
          tie('item'),
          tie('expression'),
        )
        .map(
          ([a, join, b, on]) =>
            `${a} ${join} ${b}${/[th] join|^join/.test(join) && join !== 'cross join' ? ` on ${on}` : ''}`,
        ),
      tie('item').map(item => `(${item})`),
    ),
    expression: fc.oneof(
      { depthSize: 'small', withCrossShrink: true },
      fc.constantFrom(...EXPRESSIONS),
      tie('query').map(query => `(${query})`),
      fc
        .tuple(tie('expression'), fc.constantFrom('=', 'and', 'is distinct from', '||'), tie('expression'))
        .map(([a, op, b]) => `(${a} ${op} (${b}))`),
      tie('expression').map(e => `coalesce(${e}, 1)`),
      tie('expression').map(e => `extract(day from ${e})`),
      tie('expression').map(e => `(${e})::date`),
    ),
  }),
).query;

/** Roughly the tokens of SQL, with the white space and comments behind them. */
const PIECES =
  /(?:--[^\n]*|\/\*[\s\S]*?\*\/|[uU]&"[^"]*"|"(?:[^"]|"")*"|[eEnNbBxX]?'(?:[^'\\]|''|\\.)*'|\$\w*\$[\s\S]*?\$\w*\$|\$?\w+|::|[<>=!@#~*+|&-]+|[\s\S])\s*/g;

const REPLACEMENTS = [
  ...'user table current_user current_date tag only lateral values select from distinct as natural left right'.split(
    ' ',
  ),
  ...'cross join on using where with union group order limit offset for update delete insert into is not null'.split(
    ' ',
  ),
  ...'and or in exists any all array row case when end cast collate over filter rows tablesample returning set'.split(
    ' ',
  ),
  ...'"table" "select" "user" "from" "x" a.b a.id x.id x.now tag.n public.tag f(1) now() \'now\' $1 1 * , . ; ( ) [ ] = ::date'.split(
    ' ',
  ),
  ..."cascade conflict do nothing default analyze execute U&\"t\\0061g\" e'\\'' $$x$$ /*x*/ --x\n recursive true".split(
    ' ',
  ),
];

/** The text with up to three tokens removed, moved, doubled, quoted, replaced or added. */
export function mutate(sql: string, random: Random): string {
  const pieces = sql.match(PIECES) ?? [];
  const at = () => Math.floor(random() * pieces.length);
  for (let n = 1 + Math.floor(random() * 2); n > 0; n--) {
    const i = at();
    const piece = pieces[i] ?? '';
    switch (Math.floor(random() * 8)) {
      case 0:
        pieces.splice(i, 1);
        break;
      case 1:
        pieces.splice(i, 2, pieces[i + 1] ?? '', ` ${piece}`);
        break;
      case 2:
        pieces.splice(i, 0, piece);
        break;
      case 3:
        pieces[i] = /^\w/.test(piece) ? `"${piece.trim()}" ` : `"${piece.trim().replaceAll('"', '')}" `;
        break;
      case 4:
        pieces[i] = `(${piece}) `;
        break;
      case 5:
        pieces.splice(at(), 0, ` ${piece} `);
        break;
      case 6:
        pieces.splice(i, 0, ` ${pick(random, REPLACEMENTS)} `);
        break;
      default:
        pieces[i] = ` ${pick(random, REPLACEMENTS)} `;
    }
  }
  return pieces.join('');
}
