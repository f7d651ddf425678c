import { MikroORM } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import fc from 'fast-check';
import { matchesRegex, readRegex } from '../../lib/query/regex.js';
import { freshDatabase } from '../support/servers.js';

/** Characters that collations and character classes may treat in special ways. */
const ODD = [
  'é',
  'É',
  'ß',
  'ı',
  'İ',
  '\u212a',
  'ſ',
  '😀',
  '\u0301',
  '\n',
  '\r',
  '\t',
  '\u0085',
  '\u00a0',
  '\u2028',
  '٣',
  '²',
  '中',
  '\u200d',
  '\ufeff',
  '\ue000',
  '\u0378',
  '\x01',
  '\x7f',
];
const ascii = fc.integer({ min: 32, max: 126 }).map(code => String.fromCharCode(code));

const character = fc.oneof(
  { arbitrary: fc.constantFrom('a', 'b', 'A', 'z', '5', '-', ' ', '\n', '😀', '.', ',', '_'), weight: 4 },
  ascii,
  fc.constantFrom(...ODD),
);
const text = fc.array(character, { maxLength: 6 }).map(parts => parts.join(''));

const known = fc.constantFrom(
  'a',
  'b',
  'A',
  'é',
  '😀',
  ' ',
  '-',
  ',',
  '.',
  '\\.',
  '\\$',
  '\\^',
  '\\\\',
  '\\😀',
  '[a-z]',
  '[A-Z0-9]',
  '[^a]',
  '[^a-z,]',
  '[ab.]',
  '[0-5é]',
  '[a-]',
  '[z-a]',
  '\\d',
  '(a)',
  '[[:alpha:]]',
  '{2}',
);
const set = fc
  .tuple(
    fc.constantFrom('', '^'),
    fc.array(fc.oneof(ascii, fc.constantFrom('a-c', '0-9', 'A-Z')), { minLength: 1, maxLength: 4 }),
  )
  .map(([not, members]) => `[${not}${members.join('')}]`);
const atom = fc.oneof(
  { arbitrary: known, weight: 3 },
  character,
  fc.oneof(ascii, fc.constantFrom(...ODD)).map(escaped => `\\${escaped}`),
  set,
);
const item = fc
  .tuple(atom, fc.constantFrom('', '', '', '*', '+', '?', '*?', '{2}'))
  .map(parts => parts.join(''));
const alternative = fc
  .tuple(fc.constantFrom('', '^'), fc.array(item, { maxLength: 4 }), fc.constantFrom('', '$'))
  .map(([start, items, end]) => start + items.join('') + end);
const pattern = fc.array(alternative, { minLength: 1, maxLength: 2 }).map(parts => parts.join('|'));

/** A pattern must mean the same under every collation of the column. */
const COLLATIONS = `
  select quote_ident(n.nspname) || '.' || quote_ident(c.collname) as name
  from pg_collation c join pg_namespace n on n.oid = c.collnamespace
  where c.collisdeterministic and c.collencoding in (-1, 6) and c.collname in ('default', 'C', 'POSIX', 'C.utf8', 'en_US.utf8',
    'ucs_basic', 'unicode', 'pg_c_utf8', 'pg_unicode_fast', 'en-x-icu', 'und-x-icu', 'tr-x-icu', 'de-x-icu')`;

describe('matchesRegex', () => {
  let orm: MikroORM;

  before(async () => {
    orm = await MikroORM.init({
      entities: [],
      discovery: { warnWhenNoEntities: false },
      clientUrl: await freshDatabase('regex'),
    });
  });

  after(() => orm.close());

  it("an expression matches exactly if PostgreSQL's does, under every collation", async () => {
    const execute = (sql: string, parameters: unknown[] = []) =>
      orm.em.getConnection().execute(sql, parameters) as Promise<any[]>;
    const collations = (await execute(COLLATIONS)).map(({ name }) => name);
    const counts = { matching: 0, not: 0 };
    await fc.assert(
      fc.asyncProperty(
        fc.nat({ max: collations.length - 1 }),
        fc.array(text, { minLength: 20, maxLength: 20 }),
        fc.array(
          pattern.filter(each => readRegex(each) !== undefined),
          { minLength: 20, maxLength: 20 },
        ),
        async (collation, texts, patterns) => {
          const rows: { text: string; pattern: string; is: boolean }[] = await execute(
            `select t as text, p as pattern, t collate ${collations[collation]} ~ p as is
             from jsonb_array_elements_text(?) as t, jsonb_array_elements_text(?) as p`,
            [JSON.stringify(texts), JSON.stringify(patterns)],
          );
          for (const row of rows) {
            counts[row.is ? 'matching' : 'not']++;
            const regex = readRegex(row.pattern)!;
            expect(matchesRegex(regex, row.text), `${JSON.stringify(row.text)} ~ ${row.pattern}`).to.equal(
              row.is,
            );
          }
        },
      ),
      { numRuns: Number(process.env.REGEX_RUNS ?? 20) },
    );
    expect(Math.min(counts.matching, counts.not), JSON.stringify(counts)).to.be.above(500);
  });

  it('an expression that depends on a locale, or has other syntax, is not evaluated', () => {
    const others = [
      '',
      '^',
      '$',
      '^$',
      'a|',
      '(a)',
      'a{2}',
      '\\d',
      '\\w+',
      '[[:alpha:]]',
      '[é]',
      '[z-a]',
      '[a-Z]',
    ];
    for (const other of [
      ...others,
      'a*?',
      'a**',
      '*a',
      '***=a',
      '(?i)a',
      '[]a]',
      '[a|b]',
      'a\\',
      'a^b',
      'a$b',
    ]) {
      expect(readRegex(other), other).to.equal(undefined);
    }
  });

  it('an expression that needs backtracking elsewhere takes little time', () => {
    const regex = readRegex(`^${'a*'.repeat(40)}b$`)!;
    expect(matchesRegex(regex, 'a'.repeat(3000))).to.equal(false);
    expect(matchesRegex(regex, `${'a'.repeat(3000)}b`)).to.equal(true);
  });
});
