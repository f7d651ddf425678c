import { expect } from 'chai';
import fc from 'fast-check';
import { isPattern, matchesPattern } from '../../lib/query/like.js';
import { embedded } from '../orm/support/embedded.js';

const character = fc.constantFrom(
  'a',
  'b',
  'A',
  '%',
  '_',
  '\\',
  '😀',
  'e\u0301',
  ' ',
  '\n',
  '.',
  '*',
  '\uffee',
);
const text = fc.array(character, { maxLength: 6 }).map(parts => parts.join(''));
const pattern = fc
  .array(fc.oneof(character, fc.constantFrom('%', '_', '\\%', '\\_', '\\\\', '\\a', '%%')), { maxLength: 6 })
  .map(parts => parts.join(''));

describe('matchesPattern', () => {
  it("a pattern matches exactly if PostgreSQL's LIKE does", async () => {
    const database = await embedded();
    let matching = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(text, { minLength: 20, maxLength: 20 }),
        fc.array(pattern.filter(isPattern), { minLength: 20, maxLength: 20 }),
        async (texts, patterns) => {
          const { rows } = await database.query<{ text: string; pattern: string; is: boolean }>(
            `select t as text, p as pattern, t like p as is
             from unnest($1::text[]) as t, unnest($2::text[]) as p`,
            [texts, patterns],
          );
          for (const row of rows) {
            matching += row.is ? 1 : 0;
            expect(matchesPattern(row.pattern, row.text), `${row.text} like ${row.pattern}`).to.equal(row.is);
          }
        },
      ),
      { numRuns: 20 },
    );
    expect(matching).to.be.above(200);
  });

  it('a pattern that the database may reject is not evaluated', () => {
    for (const [given, expected] of [
      ['a\\', false],
      ['\\', false],
      ['a\\\\', true],
      ['\\\\\\', false],
      ['a\\\n', true],
      ['', true],
    ] as const) {
      expect(isPattern(given), given).to.equal(expected);
    }
  });

  it('a pattern with many wildcards takes little time', () => {
    expect(matchesPattern('%a'.repeat(30), 'b'.repeat(2000))).to.equal(false);
    expect(matchesPattern(`${'%a'.repeat(30)}%`, 'ab'.repeat(1000))).to.equal(true);
  });
});
