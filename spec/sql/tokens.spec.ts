import { expect } from 'chai';
import fc from 'fast-check';
import { tokenize } from '../../lib/sql/lexer/tokens.js';
import { anyConstant, anyGap, anySql } from '../changes/generated.js';

/** Each token as `kind:text`, constants with their text in the SQL. */
function read(sql: string): string[] | undefined {
  return tokenize(sql)?.map(({ kind, start, end, text }) => `${kind}:${text || sql.slice(start, end)}`);
}

describe('the tokens of SQL', () => {
  const understood: [sql: string, tokens: string[]][] = [
    ['', []],
    [' \t\n\r\f', []],
    ['select a', ['word:select', 'word:a']],
    ['SeLeCt Größe, ÄB', ['word:select', 'word:größe', 'mark:,', 'word:Äb']],
    ['a$1 _b1$', ['word:a$1', 'word:_b1$']],
    ['"A""b" "from"', ['name:A"b', 'name:from']],
    ["'it''s' x", ["string:'it''s'", 'word:x']],
    ["'a\\' x", ["string:'a\\'", 'word:x']],
    ["E'a\\'b' x", ["string:E'a\\'b'", 'word:x']],
    ["e'a''b\\\\' x", ["string:e'a''b\\\\'", 'word:x']],
    ["foo_e'a\\' x", ['word:foo_e', "string:'a\\'", 'word:x']],
    ["U&'d\\0061' u & 'x'", ["string:U&'d\\0061'", 'word:u', 'operator:&', "string:'x'"]],
    ["B'01' x'1F' N'n' b", ["string:B'01'", "string:x'1F'", 'word:n', "string:'n'", 'word:b']],
    ["'a'\n'b' x", ["string:'a'\n'b'", 'word:x']],
    ["E'a' -- it's\n\t'\\'b' x", ["string:E'a' -- it's\n\t'\\'b'", 'word:x']],
    ["E'a' \n -- it's\n'\\'b' x", ["string:E'a' \n -- it's\n'\\'b'", 'word:x']],
    ["E'a' '\\' x", ["string:E'a'", "string:'\\'", 'word:x']],
    ["E'a'/*\n*/'\\' x", ["string:E'a'", "string:'\\'", 'word:x']],
    ['$$it\'s$$ $a$ $$ " $b$ $a$', ["string:$$it's$$", 'string:$a$ $$ " $b$ $a$']],
    ['$é1$ $é$ $é1$', ['string:$é1$ $é$ $é1$']],
    ['x$a$ y$a$', ['word:x$a$', 'word:y$a$']],
    ['$1 $23', ['parameter:$1', 'parameter:$23']],
    ['$1$$x$$', ['parameter:$1', 'string:$$x$$']],
    [
      '1 1.5 .5 1. 1e5 1.5E-3 0x1F 1_000',
      ['1', '1.5', '.5', '1.', '1e5', '1.5E-3', '0x1F', '1_000'].map(n => `number:${n}`),
    ],
    ['1..2', ['number:1', 'mark:.', 'number:.2']],
    ['a.b.*', ['word:a', 'mark:.', 'word:b', 'mark:.', 'operator:*']],
    ['a=-1', ['word:a', 'operator:=', 'operator:-', 'number:1']],
    ['a=*-1', ['word:a', 'operator:=*', 'operator:-', 'number:1']],
    ['a @- b', ['word:a', 'operator:@-', 'word:b']],
    ['a <@ b ->> c', ['word:a', 'operator:<@', 'word:b', 'operator:->>', 'word:c']],
    ["a+/* it's */b", ['word:a', 'operator:+', 'word:b']],
    ['a+--b\nc', ['word:a', 'operator:+', 'word:c']],
    ['a/*/* */"*/b', ['word:a', 'word:b']],
    ['a -- "', ['word:a']],
    ['a--\rb', ['word:a', 'word:b']],
    ['a::int[1:2]', ['word:a', 'mark:::', 'word:int', 'mark:[', 'number:1', 'mark::', 'number:2', 'mark:]']],
    ['f(a := 1);', ['word:f', 'mark:(', 'word:a', 'mark::=', 'number:1', 'mark:)', 'mark:;']],
  ];
  for (const [sql, tokens] of understood) {
    it(`${JSON.stringify(sql)} is tokenized`, () => {
      expect(read(sql)).to.deep.equal(tokens);
    });
  }

  const notUnderstood: [why: string, ...sqls: string[]][] = [
    ['a string without an end', "'a", "'a''", "E'a\\'", "'a'\n'b", "U&'a", "x'"],
    ['a dollar string without an end', '$$a', '$a$ $$', '$a$ $A$'],
    ['a name without an end', '"a', '"a""', 'U&"a'],
    ['a comment without an end', '/* /* */', 'a /*'],
    ['an empty name', '""', 'U&""'],
    ['a name with escapes', 'U&"d\\0061ta"', `u&"d!0061ta" uescape '!'`],
    ['a text that versions of PostgreSQL read differently', '1returning x', '$1returning', '0xg', '1e'],
    ['a character outside SQL', 'a \\ b', '{', 'a\u0001', '$', 'a $ b'],
    [
      'a text with a NUL character, which ends it for the server,',
      'select 1 \0; delete from a',
      `select '\0'`,
    ],
    ['an operator longer than the maximum', '+'.repeat(64)],
  ];
  for (const [why, ...sqls] of notUnderstood) {
    it(`${why} is not understood`, () => {
      expect(sqls.map(sql => [sql, tokenize(sql)])).to.deep.equal(sqls.map(sql => [sql, undefined]));
    });
  }

  it('a long name is truncated as in PostgreSQL', () => {
    expect(read('x'.repeat(70))).to.deep.equal([`word:${'x'.repeat(63)}`]);
    expect(read(`"${'é'.repeat(40)}"`)).to.deep.equal([`name:${'é'.repeat(31)}`]);
    expect(read(`"${'x'.repeat(61)}€"`)).to.deep.equal([`name:${'x'.repeat(61)}`]);
  });

  it('the text between tokens is white space and comments', () => {
    fc.assert(
      fc.property(anySql, sql => {
        const tokens = tokenize(sql);
        let at = 0;
        let gaps = '';
        for (const { start, end } of tokens ?? []) {
          expect(start).to.be.within(at, end - 1);
          gaps += `${sql.slice(at, start)}\n`;
          at = end;
        }
        gaps += sql.slice(tokens ? at : sql.length);
        expect(tokenize(gaps)).to.deep.equal([]);
      }),
      { numRuns: 5000 },
    );
  });

  it('the tokenizer never throws', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), anySql), sql => {
        tokenize(sql);
      }),
      { numRuns: 5000 },
    );
  });

  it('a constant is one token with any content and in any context', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(anyConstant, anyGap)), pairs => {
        const sql = pairs.map(([constant, gap]) => `${constant.sql}${gap},${gap}`).join('');
        expect(read(sql)).to.deep.equal(
          pairs.flatMap(([constant]) => [`${constant.kind}:${constant.text}`, 'mark:,']),
        );
      }),
      { numRuns: 5000 },
    );
  });

  it('the tokenizer takes linear time for the worst texts', () => {
    const pieces = [
      "'",
      '"',
      '/*',
      '(',
      '-',
      '+',
      '+-',
      '@',
      '$a',
      '$a$',
      "E'\\",
      "''\n",
      "' '\n--",
      '1',
      '1e',
      '.5',
      'x',
      '\n',
    ];
    for (const piece of pieces) {
      const start = performance.now();
      tokenize(piece.repeat(300_000));
      // quadratic time would be minutes
      expect(performance.now() - start, piece).to.be.below(5000);
    }
  });
});
