import { expect } from 'chai';
import { parts } from './parts.js';

const t = { kind: 'truncate', tables: [{ name: 't' }] };

describe('TRUNCATE', () => {
  const understood: [sql: string, expected: object][] = [
    ['truncate t', t],
    ['TRUNCATE TABLE T;', t],
    ['truncate table "t" restart identity cascade', { ...t, cascade: true }],
    ['truncate only t * continue identity restrict', t],
    [
      'truncate "A"."b c", only d *, e',
      { kind: 'truncate', tables: [{ schema: 'A', name: 'b c' }, { name: 'd' }, { name: 'e' }] },
    ],
  ];
  for (const [sql, expected] of understood) {
    it(`${sql} is parsed`, () => {
      expect(parts(sql)).to.deep.equal(expected);
    });
  }

  for (const sql of [
    'truncate',
    'truncate t u',
    'truncate t,',
    'truncate t restart',
    'truncate a.b.c',
    'truncate t; truncate u',
  ]) {
    it(`${sql} is not understood`, () => {
      expect(parts(sql)).to.include({ kind: 'other', writes: true });
    });
  }
});
