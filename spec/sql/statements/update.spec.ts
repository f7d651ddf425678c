import { expect } from 'chai';
import { parts } from './parts.js';

const t = { kind: 'update', table: { name: 't' }, target: 't', set: ['a'] };

describe('UPDATE', () => {
  const understood: [sql: string, expected: object][] = [
    ['update t set a = 1', t],
    ['UPDATE T SET A = 1 WHERE B = 2', { ...t, target: 'T', where: 'B = 2' }],
    [
      'update "S"."T" set "A""b" = 1',
      { ...t, table: { schema: 'S', name: 'T' }, target: '"S"."T"', set: ['A"b'] },
    ],
    ['update s . t /* x */ set a = 1', { ...t, table: { schema: 's', name: 't' }, target: 's . t' }],
    ['update t as x set a = 1', { ...t, alias: 'x', target: 't as x' }],
    ['update t x set a = 1', { ...t, alias: 'x', target: 't x' }],
    ['update t "set" set a = 1', { ...t, alias: 'set', target: 't "set"' }],
    ['update t as set set a = 1', { ...t, alias: 'set', target: 't as set' }],
    ['update "only" set a = 1', { ...t, table: { name: 'only' }, target: '"only"' }],
    ['update t set a = 1, b = default, "c" = (select 1 from x where y)', { ...t, set: ['a', 'b', 'c'] }],
    ['update t set (a, b) = (select 1, 2 returning), c = row(1, 2)', { ...t, set: ['a', 'b', 'c'] }],
    ['update t set a[1] = 2, b[1:2] = c[(select 3)], d.e.f = 4', { ...t, set: ['a', 'b', 'd'] }],
    ['update t set (a[1], b.c) = (1, 2)', { ...t, set: ['a', 'b'] }],
    ['update t set a = case when x = 1 then 2 else a end where c', { ...t, where: 'c' }],
    ['update t set a = b is distinct from c where d', { ...t, where: 'd' }],
    ['update t set a = b is not distinct from c from d', { ...t, from: true }],
    ['update t set a = b is not distinct from c where d', { ...t, where: 'd' }],
    ['update t set a = "distinct" from b', { ...t, from: true }],
    ['update t set a = x.distinct from b', { ...t, from: true }],
    [
      'update t set a = b.c from b where t.d = b.d returning t.a',
      { ...t, from: true, where: 't.d = b.d', returning: 't.a' },
    ],
    ['update t set a = b from lateral (select 1 where x returning y) z', { ...t, from: true }],
    ['update t set a = extract(year from b) where c', { ...t, where: 'c' }],
    [
      'update t set a = 1 where b in (select c from d where e) and f returning *',
      { ...t, where: 'b in (select c from d where e) and f', returning: '*' },
    ],
    [
      `update t set a = 'where b returning c' where d = $$ returning $$`,
      { ...t, where: 'd = $$ returning $$' },
    ],
    [
      'update t set "returning" = 1 where "returning" = "where"',
      { ...t, set: ['returning'], where: '"returning" = "where"' },
    ],
    [
      'update t set a = x.where where x.returning = (y).from returning x.as',
      { ...t, where: 'x.returning = (y).from', returning: 'x.as' },
    ],
    ['update t set a = x.as returning id', { ...t, returning: 'id' }],
    [
      'update t set a = 1 returning b as returning, c as "where"',
      { ...t, returning: 'b as returning, c as "where"' },
    ],
    ['update t set a=-1 where b=@c', { ...t, where: 'b=@c' }],
    ['update t set a = 1 where current = 2', { ...t, where: 'current = 2' }],
    ['update t set a = $1 where b = $2', { ...t, where: 'b = $2' }],
    ['/* a; b */ update /*+ hint */ t set a = 1 -- where x; y', { ...t, end: ' -- where x; y' }],
    [
      'update t set a = 1 where b = 2 -- c\n ; /* d */ ;',
      { ...t, where: 'b = 2', end: ' -- c\n ; /* d */ ;' },
    ],
    ['update t set a = (with x as (select 1) select * from x)', t],
    [
      `update t set a = '2020-01-01'::timestamp with time zone where "update" = 1`,
      { ...t, where: '"update" = 1' },
    ],
    ['update größe set ä = 1', { ...t, table: { name: 'größe' }, target: 'größe', set: ['ä'] }],
    ['update update set update = 1', { ...t, table: { name: 'update' }, target: 'update', set: ['update'] }],
  ];
  for (const [sql, expected] of understood) {
    it(`${sql} is parsed`, () => {
      expect(parts(sql)).to.deep.equal(expected);
    });
  }

  const notUnderstood = [
    'update only t set a = 1',
    'update t * set a = 1',
    'update c.s.t set a = 1',
    'update t set a = 1 where current of c',
    'update t for portion of p from 1 to 2 set a = 1',
    'update t join s on true set a = 1',
    'update t, s set a = 1',
    'update t set a = 1; select 1',
    'update t set a := 1',
    'update t set a =@ 1',
    'update t set a',
    'update t set a = ',
    'update t set a = , b = 1',
    'update t set a = 1,',
    'update t set * = row(1)',
    'update t set (a, b = 1',
    'update t set a = (1 where b',
    'update t set a = 1)',
    'update t set a = [1) where b',
    'update t set a = 1 where',
    'update t set a = 1 from where b',
    'update t set a = 1 returning',
    'update t set a = 1 returning a returning b',
    'update t set a = 1 returning with (old as o) o.a',
    'update t set a = 1 where b returning c where d',
    'update Größe set a = 1'.replace('ö', 'Ö'),
    `update t set a = set_config('role', 'x', true)`,
    'update t set a = (with x as (delete from y returning z) select z from x)',
    'update t set a = (with x as (merge into y using z on true when matched then do nothing) select 1)',
    'update',
    'update t',
  ];
  for (const sql of notUnderstood) {
    it(`${sql} is not understood`, () => {
      expect(parts(sql)).to.include({ kind: 'other', writes: true });
    });
  }
});
