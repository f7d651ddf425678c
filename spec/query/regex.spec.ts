import { expect } from 'chai';
import fc from 'fast-check';
import { matchesRegex, readRegex } from '../../lib/query/regex.js';
import { embedded } from '../orm/support/embedded.js';

const character = fc.constantFrom(
  'a',
  'b',
  'A',
  'z',
  'é',
  '5',
  '-',
  ' ',
  '\n',
  '😀',
  '.',
  '^',
  '$',
  '\\',
  ']',
  ',',
);
const text = fc.array(character, { maxLength: 6 }).map(parts => parts.join(''));

const atom = fc.constantFrom(
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
const item = fc
  .tuple(atom, fc.constantFrom('', '', '', '*', '+', '?', '*?', '{2}'))
  .map(parts => parts.join(''));
const alternative = fc
  .tuple(fc.constantFrom('', '^'), fc.array(item, { maxLength: 4 }), fc.constantFrom('', '$'))
  .map(([start, items, end]) => start + items.join('') + end);
const pattern = fc.array(alternative, { minLength: 1, maxLength: 2 }).map(parts => parts.join('|'));

describe('matchesRegex', () => {
  it('is what the database makes of it', async () => {
    const database = await embedded();
    const told = { matching: 0, not: 0 };
    await fc.assert(
      fc.asyncProperty(
        fc.array(text, { minLength: 20, maxLength: 20 }),
        fc.array(
          pattern.filter(each => readRegex(each) !== undefined),
          { minLength: 20, maxLength: 20 },
        ),
        async (texts, patterns) => {
          const { rows } = await database.query<{ text: string; pattern: string; is: boolean }>(
            'select t as text, p as pattern, t ~ p as is from unnest($1::text[]) as t, unnest($2::text[]) as p',
            [texts, patterns],
          );
          for (const row of rows) {
            told[row.is ? 'matching' : 'not']++;
            const regex = readRegex(row.pattern)!;
            expect(matchesRegex(regex, row.text), `${JSON.stringify(row.text)} ~ ${row.pattern}`).to.equal(
              row.is,
            );
          }
        },
      ),
      { numRuns: Number(process.env.REGEX_RUNS ?? 20) },
    );
    expect(Math.min(told.matching, told.not), JSON.stringify(told)).to.be.above(500);
  });

  it('is not asked of what depends on a locale, or is more than a list of characters', () => {
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

  it('does not take long over what would send others back and forth', () => {
    const regex = readRegex(`^${'a*'.repeat(40)}b$`)!;
    expect(matchesRegex(regex, 'a'.repeat(3000))).to.equal(false);
    expect(matchesRegex(regex, `${'a'.repeat(3000)}b`)).to.equal(true);
  });
});
