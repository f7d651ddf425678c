import { expect } from 'chai';
import { parts } from './parts.js';

const t = { kind: 'delete', table: { name: 't' }, target: 't' };

describe('DELETE', () => {
  const understood: [sql: string, expected: object][] = [
    ['delete from t', t],
    [
      'DELETE FROM "S".t AS "X" WHERE a',
      { ...t, table: { schema: 'S', name: 't' }, alias: 'X', target: '"S".t AS "X"', where: 'a' },
    ],
    ['delete from t x where x.using', { ...t, alias: 'x', target: 't x', where: 'x.using' }],
    [
      'delete from t using s where t.a = s.a returning *',
      { ...t, from: true, where: 't.a = s.a', returning: '*' },
    ],
    ['delete from t using s', { ...t, from: true }],
    [
      'delete from t returning a, (select b from c where d)',
      { ...t, returning: 'a, (select b from c where d)' },
    ],
    [
      `delete from t where a in (1, 2) and "returning" = ' returning '; -- x`,
      { ...t, where: `a in (1, 2) and "returning" = ' returning '`, end: '; -- x' },
    ],
    ['delete from t as using using s', { ...t, alias: 'using', target: 't as using', from: true }],
  ];
  for (const [sql, expected] of understood) {
    it(`${sql} is parsed`, () => {
      expect(parts(sql)).to.deep.equal(expected);
    });
  }

  const notUnderstood = [
    'delete t',
    'delete from only t',
    'delete from t *',
    'delete from t where current of c',
    'delete from t for portion of p from 1 to 2 where a',
    'delete from t x y where a',
    'delete from t using where a',
    'delete from t where (a',
    'delete from t where a in (with x as (insert into y select 1 returning z) select z from x)',
    'delete from t; commit',
    'delete from',
  ];
  for (const sql of notUnderstood) {
    it(`${sql} is not understood`, () => {
      expect(parts(sql)).to.include({ kind: 'other', writes: true });
    });
  }
});
