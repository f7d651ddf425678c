import { expect } from 'chai';
import fc from 'fast-check';
import { constantMayReadClock, mayReadClock, mayReadClockIn } from '../../lib/sql/clock.js';
import { embedded } from '../orm/support/embedded.js';

const DAY = 86_400_000;

/** Pieces of texts that PostgreSQL's date/time input may accept. */
const piece = fc.constantFrom(
  ...[
    'now',
    'today',
    'tomorrow',
    'yesterday',
    'NOW',
    'Today',
    'at',
    'on',
    'epoch',
    'infinity',
    'allballs',
    'utc',
  ],
  ...[
    'am',
    'pm',
    'z',
    't',
    '10:00',
    '12:30:01',
    '5',
    '(',
    ')',
    '[',
    ']',
    '{',
    '}',
    '"',
    '\\',
    ',',
    ' ',
    '-',
    '/',
  ],
  ...[':', ';', '_', '+', '!', '.', 'x', 'n', 'ow', 'to', 'day', 'europe/oslo'],
);

const TYPES = [
  'timestamptz',
  'timestamp',
  'date',
  'tstzrange',
  'daterange',
  'timestamptz[]',
  'daterange[]',
  'stamped',
];

describe('text for which PostgreSQL reads the clock', () => {
  it('every text that PostgreSQL reads as a time near the present has such a word', async () => {
    const pglite = await embedded();
    await pglite.exec('drop type if exists stamped; create type stamped as (at timestamptz, n int)');
    let accepted = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(piece, { minLength: 1, maxLength: 7 }),
        fc.constantFrom(...TYPES),
        async (parts, type) => {
          const text = parts.join('');
          const literal = `'${text.replaceAll("'", "''")}'`;
          // each error in PGlite leaks a part of its stack
          const valid = await pglite.query<{ is: boolean }>('select pg_input_is_valid($1, $2) as is', [
            text,
            type,
          ]);
          const { rows } = valid.rows[0]!.is
            ? await pglite.query<{ at: string }>(
                `select regexp_matches((${literal}::${type})::text, '\\d{4}-\\d\\d-\\d\\d', 'g') as at`,
              )
            : { rows: [] };
          const isNear = rows.some(({ at }) => Math.abs(Date.parse(String(at)) - Date.now()) < 3 * DAY);
          accepted += isNear ? 1 : 0;
          expect(!isNear || mayReadClock(text), `${text} as ${type}`).to.equal(true);
        },
      ),
      { numRuns: 3000, endOnFailure: true },
    );
    expect(accepted).to.be.greaterThan(10);
  }).timeout(600_000);

  for (const text of [
    ...[
      'now',
      'NOW',
      'now()',
      'at now',
      '10:00 AM tomorrow',
      '[now,infinity)',
      '(now,infinity]',
      '{now}',
      '(today)',
    ],
    ...[
      '{n\\ow}',
      '[n"o"w,)',
      '("now",1)',
      'yesterday\\am',
      '{n\\ow\\\\am}',
      '{"(\\"now\\",1)"}',
      'now_',
      '1now',
      'now1',
    ],
  ]) {
    it(`${text} may read the clock`, () => {
      expect(mayReadClock(text)).to.equal(true);
      expect(constantMayReadClock(`'${text}'`)).to.equal(true);
      expect(mayReadClockIn({ a: [{ $in: [1, text] }] })).to.equal(true);
    });
  }

  for (const constant of [
    `E'n\\157w'`,
    `e'\\x6eow'`,
    `E'no\\w'`,
    `E'\\\\now'`,
    `U&'\\006eow'`,
    '$$now$$',
    '$x$ now $x$',
    `'no'\n'w'`,
    `'no' -- part\n 'w'`,
    `N'now'`,
    `'at''now'`,
  ]) {
    it(`the constant ${constant} may read the clock`, () =>
      expect(constantMayReadClock(constant)).to.equal(true));
  }

  for (const text of [
    '2024-01-01',
    '2024-01-01T00:00:00.000Z',
    'nowhere',
    'known',
    'todays',
    'it is 10:00',
    '',
  ]) {
    it(`${text} does not read the clock`, () => {
      expect(mayReadClock(text)).to.equal(false);
      expect(constantMayReadClock(`'${text}'`)).to.equal(false);
      expect(mayReadClockIn({ today: text })).to.equal(false);
    });
  }
});
