import { expect } from 'chai';
import fc from 'fast-check';
import { tokenize } from '../../lib/sql/lexer/tokens.js';
import { haveSkeletons, skeletonOf, skeletonsOf } from '../../lib/sql/skeleton.js';

const SQL = `select "a"."title" from "article" as "a" where "a"."id" = 7 and "a"."x" in ('b', 'it''s') limit 10`;

describe('skeletonOf', () => {
  it('texts that differ only in constants have the same skeleton', () => {
    const others = [
      SQL.replace('7', '4.25').replace('10', '1'),
      SQL.replace(`'b', 'it''s'`, `'from "secret"'`),
      SQL.replace(`'b'`, `'''', 1, '--'`),
    ];
    for (const other of others) {
      expect(skeletonOf(other), other).to.equal(skeletonOf(SQL));
    }
  });

  it('texts with any other difference have different skeletons', () => {
    const others = [
      SQL.replace('"article"', '"author"'),
      SQL.replace('"article"', '"article 2"'),
      SQL.replace('"x"', '"it\'s"'),
      SQL.replace(' = 7', ' = "b"."id"'),
      SQL.replace(' = 7', ' = now()'),
      SQL.replace('limit 10', "limit (select '1' from secret)"),
      `${SQL}; select 1`,
      SQL.replace(' = 7', ' = a7'),
    ];
    for (const other of others) {
      expect(skeletonOf(other), other).not.to.equal(skeletonOf(SQL));
    }
  });

  it('a text has no skeleton if plain quotes are not enough to find its constants', () => {
    for (const constant of [
      `E'\\' from "secret" --'`,
      '$$a$$',
      `$1`,
      `1 -- '`,
      `1 /* ' */`,
      `U&"d!0061"`,
      '\0',
    ]) {
      expect(skeletonOf(SQL.replace('7', constant)), constant).to.equal(undefined);
    }
  });

  it('texts with different tokens have different skeletons', () => {
    const part = fc.constantFrom(
      ...[
        "'",
        '"',
        "''",
        '""',
        'a',
        '1',
        ' ',
        ',',
        ', ',
        '.',
        '-',
        '/',
        '*',
        '(',
        'from',
        'U&',
        '?',
        '$',
        '\\',
        'é',
      ],
      ...["'a'", '"a"', '1.5', '1e5', "E'", ';'],
    );
    const text = fc.array(part, { maxLength: 8 }).map(parts => parts.join(''));
    const known = new Map<string, string>();
    fc.assert(
      fc.property(text, sql => {
        const skeleton = skeletonOf(sql);
        const tokens = tokenize(sql);
        fc.pre(skeleton !== undefined && tokens !== undefined);
        // a list of constants equals one constant
        const kinds = tokens!
          .map(({ kind, text: word }) =>
            kind === 'string' || kind === 'number' ? 'constant' : `${kind} ${word}`,
          )
          .join('\n')
          .replace(/constant(\nmark ,\nconstant)+/g, 'constant');
        expect(known.get(skeleton!) ?? kinds, sql).to.equal(kinds);
        known.set(skeleton!, kinds);
      }),
      { numRuns: 20_000 },
    );
  });
});

describe('haveSkeletons', () => {
  it('skeletons are compared statement by statement', () => {
    const skeletons = skeletonsOf([SQL, 'select 1'])!;
    expect(haveSkeletons([SQL, 'select 2'], skeletons)).to.equal(true);
    expect(haveSkeletons([SQL], skeletons)).to.equal(false);
    expect(haveSkeletons(['select 1', SQL], skeletons)).to.equal(false);
    expect(skeletonsOf([SQL, 'select $1'])).to.equal(undefined);
  });
});
