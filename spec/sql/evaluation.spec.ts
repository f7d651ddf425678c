import { expect } from 'chai';
import { tokenize } from '../../lib/sql/lexer/tokens.js';
import { CLOCK, evaluationOf } from '../../lib/sql/select/evaluation.js';
import type { ColumnName } from '../../lib/sql/select/select_result.js';

/** SQL, and what it evaluates. Each row is the only one that shows some rule. */
const ROWS: readonly (readonly [sql: string, evaluation: string])[] = [
  ['a.b::bpchar(3)', 'keywords: bpchar; casts; composed: a.b'],
  ['cast(a.b as bpchar(3))', 'calls: cast; keywords: bpchar; casts; composed: a.b; given: bpchar'],
  ['bpchar(a.b)', 'calls: bpchar; composed: a.b'],
  ['select a.b, a.c as d, a.e from a', 'bare: a; given: d'],
  ['(a.b).c', 'composed: a.b ).c; obstacle: a field of an expression, which may be a function'],
  ['time.b = 1', 'operators: =; composed: time.b'],
  ['"time" \'12:00\'', 'ofDay; obstacle: a constant of a type that is not known'],
  ['a.b at local', 'inZone: a.b; composed: a.b; given: at'],
  ["5 at time zone 'y'", 'given: at'],
  [
    "x.date_trunc('day', a.b) at time zone 'x'",
    'calls: date_trunc; inZone: any; composed: x.date_trunc a.b; given: at; derived: at',
  ],
  ['("b") at time zone \'x\'', 'inZone: any; given: at; derived: at'],
  ["timestamp with time zone '2024-01-01'", ''],
  ["timestamp without time zone '2024-01-01'", ''],
  ["time with time zone '12:00'", 'ofDay; obstacle: a constant of a type that is not known'],
  ["timestamptz '2024-01-01'", 'casts'],
  ['with x as (select 1) select 1', 'keywords: as; bare: x; given: select; derived: select; hasWith'],
  ['select * from f() with ordinality', 'calls: f; operators: *; given: with; derived: with'],
  ['fetch first 1 rows with ties', 'bare: fetch'],
  ['"a".b::date', 'casts; timed: a.b; composed: a.b'],
  ['"lower"(a.b)::date', 'calls: lower; casts; composed: a.b; obstacle: clock'],
  [
    'case when a.b = 1 then (a.c)::date end',
    'keywords: then; operators: =; casts; timed: a.c; composed: a.b a.c',
  ],
  ["(a.b is time zone 'x')::date", 'casts; ofDay; composed: a.b; obstacle: clock'],
  ["(a.b at time 'x' 'y')::date", 'casts; ofDay; composed: a.b; given: at; obstacle: clock'],
  ["((a.b) at time zone 'x')::date", 'casts; inZone: a.b; composed: a.b; given: at; derived: at'],
  [
    "(date_trunc('day', a.b) at time zone 'x')::date",
    'calls: date_trunc; casts; composed: a.b; given: at; derived: at',
  ],
  [
    "(lower(a.b) at time zone 'x')::date",
    'calls: lower; casts; inZone: any; composed: a.b; given: at; derived: at; obstacle: clock',
  ],
  ["(a.b at time zone 'x' at time zone 'y')::date", 'casts; inZone: a.b; composed: a.b; given: at'],
  [
    "(a + b at time zone 'x')::date",
    'operators: +; casts; inZone: any; bare: a b; given: at; obstacle: clock',
  ],
  ['a.b::x.date', 'casts; types: date; composed: a.b x.date'],
  ['a.b::"date"', 'casts; types: date; composed: a.b'],
  ['a.b::double precision', 'casts; composed: a.b'],
  ['a.b::"double" precision', 'casts; types: double; composed: a.b'],
  ['a.b::double', 'casts; types: double; composed: a.b'],
  ['a.b::5', 'casts; composed: a.b; obstacle: a cast that is not understood'],
  ['a.b::time', 'casts; timed: a.b; ofDay; composed: a.b'],
  ['a.b::time with time zone', 'casts; ofDay; composed: a.b; obstacle: clock'],
  [
    'a.b::time(3) with time zone',
    'keywords: time; casts; ofDay; composed: a.b; given: with; derived: with; obstacle: clock',
  ],
  ['a.b::timestamp with time zone', 'casts; timed: a.b; composed: a.b'],
  ["cast('2024-01-01' as date)", 'calls: cast; casts; given: date'],
  [
    'cast(a.b date)',
    'calls: cast; casts; composed: a.b; given: date; obstacle: a cast that is not understood',
  ],
  [
    'cast((select b as c from a) as date)',
    'calls: cast; casts; bare: b a; given: c as date; derived: as date; obstacle: clock',
  ],
  ['"cast"(a.b)', 'calls: cast; composed: a.b'],
  ['cast = 1', 'operators: ='],
  ['select a."b" "c" from a', 'composed: a.b; bare: a; given: c'],
  ["a.b ilike 'today'", 'clocked: a.b; composed: a.b'],
  ["a.b not like 'today'", 'clocked: a.b; composed: a.b'],
  ["a.b in ('x', 'today')", 'keywords: in; clocked: a.b; composed: a.b'],
  ["a.b in ('today', 'x')", 'keywords: in; clocked: a.b; composed: a.b'],
  ["a.b in (1, 'today')", 'keywords: in; composed: a.b; obstacle: clock'],
  ["a.b any ('today')", 'keywords: any; composed: a.b; obstacle: clock'],
  ['a."b" = \'today\'', 'operators: =; clocked: a.b; composed: a.b'],
  ["a.b = 'today' and a.c = 1", 'operators: =; clocked: a.b; composed: a.b a.c'],
  ["a.b = 'today' order by a.c", 'operators: =; clocked: a.b; composed: a.b a.c'],
  ["a.b = 'today' b", 'operators: =; composed: a.b; given: b; obstacle: clock'],
  ["b = 'today'", 'operators: =; bare: b; obstacle: clock'],
  ["mood '1'", 'bare: mood; obstacle: a constant of a type that is not known'],
  ["numeric(3) '1'", 'keywords: numeric; obstacle: a constant of a type that is not known'],
  ["x.date '1'", 'casts; composed: x.date; obstacle: a constant of a type that is not known'],
  ['cast(a.b', 'calls: cast; casts; composed: a.b; obstacle: a cast that is not understood'],
  ["'a' 'b'", 'obstacle: a constant of a type that is not known'],
  ['"in"(a.b)', 'calls: in; composed: a.b'],
  ['a.b::mood(3)', 'calls: mood; casts; types: mood; composed: a.b'],
  ['select * from a as "g"(h)', 'keywords: g; operators: *; bare: a h; given: g; derived: g'],
  ["a.b at mood zone 'x'", 'composed: a.b; given: at mood'],
  ['a.b = \'today\' "and"', 'operators: =; composed: a.b; given: and; obstacle: clock'],
  ["a.b in ('x' and 'today')", 'keywords: in; composed: a.b; obstacle: clock'],
  ["a.b in x 'today'", 'composed: a.b; bare: x; obstacle: clock'],
  ['a.*::date', 'operators: *; casts; obstacle: clock'],
  ['(a.b at time zone b)::date', 'casts; inZone: a.b; composed: a.b; bare: b; given: at; obstacle: clock'],
  [
    "(date_trunc('day', a.b) || (a.c) at time zone 'x')::date",
    'calls: date_trunc; operators: ||; casts; inZone: a.c; composed: a.b a.c; given: at; derived: at; obstacle: clock',
  ],
  ["(a.b + interval '1 day')::date", 'operators: +; casts; timed: a.b; composed: a.b'],
  [
    "cast(a.b - '1 day'::interval as date)",
    'calls: cast; operators: -; casts; timed: a.b; composed: a.b; given: date',
  ],
  ["((a.b) + interval '1 day')::date", 'operators: +; casts; timed: a.b; composed: a.b'],
  [
    "(date_trunc('day', a.b) + interval '1 day')::date",
    'calls: date_trunc; operators: +; casts; composed: a.b',
  ],
  [
    "(lower(a.b) + interval '1 day')::date",
    'calls: lower; operators: +; casts; composed: a.b; obstacle: clock',
  ],
  [
    "(f(a.c) + (a.b) + interval '1 day')::date",
    'calls: f; operators: +; casts; composed: a.c a.b; obstacle: clock',
  ],
  ["(a.b || interval '1 day')::date", 'operators: ||; casts; composed: a.b; obstacle: clock'],
  ["(a.b + text '1 day')::date", 'operators: +; casts; composed: a.b; obstacle: clock'],
  ["(a.b + '1 day'::text)::date", 'operators: +; casts; composed: a.b; obstacle: clock'],
  ["a.b similar to 'x'", 'composed: a.b'],
  ['a.b::"char"', 'casts; composed: a.b'],
  ['a.b::x."char"', 'casts; types: char; composed: a.b x.char'],
  ['a.b::mood precision', 'casts; types: mood; composed: a.b'],
  [
    'cast(a.b) + cast(a.c as date)',
    'calls: cast; operators: +; casts; timed: a.c; composed: a.b a.c; given: date; obstacle: a cast that is not understood',
  ],
];

describe('What the text of a query evaluates', () => {
  for (const [sql, evaluation] of ROWS) {
    it(`${sql} has ${evaluation || 'nothing to check'}`, () => {
      expect(describeEvaluation(sql)).to.equal(evaluation);
    });
  }
});

function describeEvaluation(sql: string): string {
  const parts = Object.entries(evaluationOf(sql, tokenize(sql)!)).map(([name, value]) => {
    if (value === true || value === false || value === undefined) {
      return value ? name : '';
    }
    const text = typeof value === 'string' ? value.replace(CLOCK, 'clock') : [...value].map(nameOf).join(' ');
    return text && `${name}: ${text}`;
  });
  return parts.filter(part => part !== '').join('; ');
}

function nameOf(item: string | ColumnName): string {
  return typeof item === 'string' ? item : `${item.alias}.${item.column}`;
}
