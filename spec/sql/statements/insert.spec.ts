import { expect } from 'chai';
import { parts } from './parts.js';

const none = { kind: 'none' };
const query = { kind: 'query' };
const one = { kind: 'values', rows: [['1']] };
const t = { kind: 'insert', table: { name: 't' }, target: 't', conflict: none };
const ta = { ...t, columns: ['a'] };

describe('INSERT', () => {
  const understood: [sql: string, expected: object][] = [
    ['insert into t default values', { ...t, source: { kind: 'default values' } }],
    [
      'INSERT INTO "S"."T" AS x VALUES (1)',
      { ...t, table: { schema: 'S', name: 'T' }, alias: 'x', target: '"S"."T" AS x', source: one },
    ],
    ['insert into t (a) values (1)', { ...ta, source: one }],
    [
      `insert into t (a, "B""c") values (1, default), ((select x, y from z where w), f(1, 'a,b)'))`,
      {
        ...t,
        columns: ['a', 'B"c'],
        source: {
          kind: 'values',
          rows: [
            ['1', 'default'],
            ['(select x, y from z where w)', `f(1, 'a,b)')`],
          ],
        },
      },
    ],
    ['insert into t (a) values (/* x */ -1 -- y\n)', { ...ta, source: { kind: 'values', rows: [['-1']] } }],
    ['insert into t (a) overriding system value values (1)', { ...ta, overriding: true, source: one }],
    ['insert into t (a) overriding user value values (1)', { ...ta, overriding: true, source: one }],
    ['insert into t (a) values (1) returning *;', { ...ta, source: one, returning: '*', end: ';' }],
    ['insert into t (a) select b from c where d is distinct from e', { ...ta, source: query }],
    ['insert into t select x.as returning id', { ...t, source: query, returning: 'id' }],
    ['insert into t select a as returning, b as on from c', { ...t, source: query }],
    ['insert into t (select 1)', { ...t, source: query }],
    [
      'insert into t (with x as (select 1) select * from x) returning a',
      { ...t, source: query, returning: 'a' },
    ],
    ['insert into t ((values (1)))', { ...t, source: query }],
    ['insert into t with x as (select 1) select * from x', { ...t, source: query }],
    ['insert into t table u', { ...t, source: query }],
    ['insert into t (a) values (1), (2) order by 1 limit 1', { ...ta, source: query }],
    [
      'insert into t (a) values (1) union select 2 on conflict do nothing',
      { ...ta, source: query, conflict: { kind: 'nothing' } },
    ],
    ['insert into t (a) select 1 for update returning a', { ...ta, source: query, returning: 'a' }],
    [
      'insert into t (a) values (1) on conflict do nothing',
      { ...ta, source: one, conflict: { kind: 'nothing' } },
    ],
    [
      'insert into t (a) values (1) on conflict (a) do nothing',
      { ...ta, source: one, conflict: { kind: 'nothing' } },
    ],
    [
      'insert into t (a) values (1) on conflict (a, "B") do update set b = excluded.b, (c, d) = (1, 2) returning a',
      {
        ...ta,
        source: one,
        conflict: { kind: 'update', columns: ['a', 'B'], set: ['b', 'c', 'd'] },
        returning: 'a',
      },
    ],
    [
      'insert into t (a) values (1) on conflict (a) do update set b = 1 where t.c is distinct from excluded.c returning *',
      { ...ta, source: one, conflict: { kind: 'update', columns: ['a'], set: ['b'] }, returning: '*' },
    ],
    ...[
      '(lower(a))',
      '(a, (b || c))',
      '(a collate "C")',
      '(a text_pattern_ops)',
      '(a) where b > 1',
      'on constraint "t_pkey"',
      '',
    ].map((target): [string, object] => [
      `insert into t (a) values (1) on conflict ${target} do update set b = 1`,
      { ...ta, source: one, conflict: { kind: 'update', set: ['b'] } },
    ]),
    [
      'insert into t (a) select b from c join d on c.e = d.e on conflict (a) do update set a = 1',
      { ...ta, source: query, conflict: { kind: 'update', columns: ['a'], set: ['a'] } },
    ],
    [
      `insert into t (a) values (' on conflict do nothing returning b')`,
      { ...ta, source: { kind: 'values', rows: [[`' on conflict do nothing returning b'`]] } },
    ],
    [
      'insert into t ("values", "select") values (1, 2)',
      { ...t, columns: ['values', 'select'], source: { kind: 'values', rows: [['1', '2']] } },
    ],
  ];
  for (const [sql, expected] of understood) {
    it(`${sql} is parsed`, () => {
      expect(parts(sql)).to.deep.equal(expected);
    });
  }

  const notUnderstood = [
    'insert t values (1)',
    'insert into t',
    'insert into t (a)',
    'insert into t x values (1)',
    'insert into t (a[1]) values (1)',
    'insert into t (a.b) values (1)',
    'insert into t () values (1)',
    'insert into t (a) values ()',
    'insert into t (a) values (1,)',
    'insert into t (a) values (1), ',
    'insert into t (a) values (1) (2',
    'insert into t (a) values (1) on conflict',
    'insert into t (a) values (1) on conflict (a)',
    'insert into t (a) values (1) on conflict (a) do',
    'insert into t (a) values (1) on conflict (a) do select',
    'insert into t (a) values (1) on conflict (a) do update b = 1',
    'insert into t (a) values (1) on conflict (a) do update set b = 1 where',
    'insert into t (a) select b from c join conflict on conflict.d = e',
    'insert into t (a) overriding values (1)',
    'insert into t (a) set a = 1',
    'insert into t (a) with x as (delete from y returning z) select z from x',
    'insert into t (a) values (1); insert into t (a) values (2)',
  ];
  for (const sql of notUnderstood) {
    it(`${sql} is not understood`, () => {
      expect(parts(sql)).to.include({ kind: 'other', writes: true });
    });
  }
});
