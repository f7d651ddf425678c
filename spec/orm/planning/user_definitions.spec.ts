import { defineEntity, p } from '@mikro-orm/core';
import { expect } from 'chai';
import fc from 'fast-check';
import { embedded, emptyEmbedded } from '../support/embedded.js';
import { sourcesOf } from '../support/observe.js';
import { join, joinUncached, type Started } from '../support/start.js';

/** Every function reads this table, so that a result that does not depend on it is wrong after a write to it. */
const LEDGER = '(select coalesce(sum(amount), 0)::int from ledger)';

const TABLES = `
  create table ledger (id int primary key, amount int not null);
  insert into ledger values (1, 1);
  create table ledger_like (id int primary key);
  insert into ledger_like values (1);
  create type pair as (x int, y int);
  create type mood as enum ('low', 'high');
  create domain plain_number as int check (value > 0);
  create table thing (id int primary key, n int not null, name text not null, pair pair, mood mood, tail text,
    at timestamptz not null, many int[] not null, number plain_number not null);
  insert into thing values (1, 1, 'one', '(1,1)', 'low', 'x', '2024-01-01', '{1}', 1),
    (2, 2, 'two', '(1,2)', 'high', null, '2024-01-02', '{2,1}', 2);`;

const sqlFunction = (signature: string, result: string, body: string, how = 'stable') =>
  `create function ${signature} returns ${result} language sql ${how} as $f$ ${body} $f$;`;

/** What a user defines, and an expression on `t`, a row of `thing`, that comes to evaluate it. */
const UNSETTLED: Record<string, readonly [definitions: string, expression: string]> = {
  'a function of a row, written like a column': [
    sqlFunction('total_of(thing)', 'int', `select $1.n + ${LEDGER}`),
    't.total_of',
  ],
  'a function of a row, behind parentheses': [
    sqlFunction('total_of(thing)', 'int', `select $1.n + ${LEDGER}`),
    '(t).total_of',
  ],
  'a function of a row that calls itself immutable': [
    sqlFunction('total_of(thing)', 'int', `select $1.n + ${LEDGER}`, 'immutable'),
    't.total_of',
  ],
  'a function of a composite, written like a field': [
    sqlFunction('area(pair)', 'int', `select $1.x + ${LEDGER}`),
    '(t.pair).area',
  ],
  'a function of a derived row, written like a column': [
    `create function derived(record) returns int language plpgsql stable as $f$ begin return ${LEDGER}; end $f$;`,
    '(select q.derived from (select t.n as n) as q)',
  ],
  'an overload of a function of PostgreSQL': [
    sqlFunction('power(int, text)', 'int', `select $1 + ${LEDGER}`),
    'power(t.n, t.name)',
  ],
  'an overload of an aggregate, qualified': [
    sqlFunction('sum(int)', 'int', `select $1 + ${LEDGER}`),
    'public.sum(t.n)',
  ],
  'an aggregate of a name of PostgreSQL': [
    `${sqlFunction('add_up(int, text)', 'int', `select coalesce($1, 0) + length($2) + ${LEDGER}`)}
     create aggregate avg(text) (sfunc = add_up, stype = int);`,
    '(select avg(u.name) from thing as u)',
  ],
  'an aggregate as a window function': [
    `${sqlFunction('add_up(int, text)', 'int', `select coalesce($1, 0) + length($2) + ${LEDGER}`)}
     create aggregate avg(text) (sfunc = add_up, stype = int);`,
    'avg(t.name) over (partition by t.id)',
  ],
  'a function whose name is a keyword': [
    sqlFunction('"over"(int)', 'int', `select $1 + ${LEDGER}`),
    'over(t.n)',
  ],
  'a function whose name is that of a comparison': [
    sqlFunction('"like"(int, int)', 'boolean', `select $1 < ${LEDGER}`),
    'public.like(t.n, 1)',
  ],
  'an operator': [
    `${sqlFunction('beyond(int, int)', 'boolean', `select $1 + $2 < ${LEDGER}`)}
     create operator @# (leftarg = int, rightarg = int, function = beyond);`,
    't.n @# 1',
  ],
  'an operator of a name of PostgreSQL': [
    `${sqlFunction('beyond(int, text)', 'int', `select $1 + ${LEDGER}`)}
     create operator + (leftarg = int, rightarg = text, function = beyond);`,
    't.n + t.name',
  ],
  'an operator of a function of PostgreSQL that is not immutable': [
    'create operator @# (rightarg = xid, function = age);',
    `(@# '3')`,
  ],
  'an operator before its operand': [
    `${sqlFunction('beyond(text)', 'int', `select ${LEDGER}`)}
     create operator @ (rightarg = text, function = beyond);`,
    '@ t.name',
  ],
  'an operator that a keyword stands for': [
    `${sqlFunction('same(int, text)', 'boolean', `select $1 + length($2) < ${LEDGER}`)}
     create operator = (leftarg = int, rightarg = text, function = same);`,
    't.n in (t.name)',
  ],
  'an operator by which CASE compares': [
    `${sqlFunction('same(int, text)', 'boolean', `select $1 + length($2) < ${LEDGER}`)}
     create operator = (leftarg = int, rightarg = text, function = same);`,
    'case t.n when t.name then 1 else 2 end',
  ],
  'an operator of a composite type': [
    `${sqlFunction('same(pair, pair)', 'boolean', `select $1.x < ${LEDGER}`)}
     create operator = (leftarg = pair, rightarg = pair, function = same);`,
    't.pair = t.pair',
  ],
  'an operator of rows of the table': [
    `${sqlFunction('same(thing, thing)', 'boolean', `select $1.n < ${LEDGER}`)}
     create operator = (leftarg = thing, rightarg = thing, function = same);`,
    '(t = t)',
  ],
  'an operator of an enum': [
    `${sqlFunction('above(mood, int)', 'boolean', `select $2 < ${LEDGER}`)}
     create operator > (leftarg = mood, rightarg = int, function = above);`,
    't.mood > 1',
  ],
  'an operator of a domain': [
    `${sqlFunction('same(plain_number, plain_number)', 'boolean', `select $1::int < ${LEDGER}`)}
     create operator = (leftarg = plain_number, rightarg = plain_number, function = same);`,
    't.number = t.number',
  ],
  'an explicit cast': [
    `${sqlFunction('told(int)', 'text', `select ($1 + ${LEDGER})::numeric::text`)}
     create cast (int as text) with function told(int);`,
    't.n::text',
  ],
  'an explicit cast by CAST()': [
    `${sqlFunction('told(int)', 'text', `select ($1 + ${LEDGER})::numeric::text`)}
     create cast (int as text) with function told(int);`,
    'cast(t.n as text)',
  ],
  'an implicit cast': [
    `${sqlFunction('told(int)', 'text', `select ($1 + ${LEDGER})::numeric::text`)}
     create cast (int as text) with function told(int) as implicit;`,
    'lower(t.n)',
  ],
  'a cast of a composite type': [
    `${sqlFunction('told(pair)', 'text', `select ($1.x + ${LEDGER})::text`)}
     create cast (pair as text) with function told(pair);`,
    't.pair::text',
  ],
  'a cast by which JSON is made': [
    `${sqlFunction('told(mood)', 'json', `select to_json(${LEDGER})`)}
     create cast (mood as json) with function told(mood);`,
    'to_json(t.mood)',
  ],
  'a domain with a check': [
    `${sqlFunction('allowed(int)', 'boolean', `select $1 < 10 * ${LEDGER}`)}
     create domain small as int check (allowed(value));`,
    't.n::small',
  ],
  'a domain with a check, by a constant': [
    `${sqlFunction('allowed(int)', 'boolean', `select $1 < 10 * ${LEDGER}`)}
     create domain small as int check (allowed(value));`,
    `small '1'`,
  ],
  'a function in another schema': [
    `create schema app; ${sqlFunction('app.lower(text)', 'text', `select $1 || ${LEDGER}`)}`,
    'app.lower(t.name)',
  ],
  'a function by its quoted name': [
    sqlFunction('"Sum of all"(int)', 'int', `select $1 + ${LEDGER}`),
    '"Sum of all"(t.n)',
  ],
  'a cast of an enum that no column is of': [
    `create type other_mood as enum ('low', 'high');
     ${sqlFunction('told(other_mood)', 'text', `select ${LEDGER}::text`)}
     create cast (other_mood as text) with function told(other_mood) as implicit;`,
    `lower('low'::other_mood)`,
  ],
  'an operator of an enum that no column is of': [
    `create type other_mood as enum ('low', 'high');
     ${sqlFunction('same(other_mood, other_mood)', 'boolean', `select 3 < ${LEDGER}`)}
     create operator = (leftarg = other_mood, rightarg = other_mood, function = same);`,
    `'low'::other_mood = 'high'::other_mood`,
  ],
  'a domain of a name that is a keyword': [
    `${sqlFunction('allowed(int)', 'boolean', `select $1 < 10 * ${LEDGER}`)}
     create domain "integer" as int check (allowed(value));`,
    't.n::"integer"',
  ],
  'a domain of a name that is the first word of a type': [
    `${sqlFunction('allowed(float)', 'boolean', `select $1 < 10 * ${LEDGER}`)}
     create domain double as float check (allowed(value));`,
    't.n::double',
  ],
  'a domain of a name that is the first word of a type, by a constant': [
    `${sqlFunction('allowed(float)', 'boolean', `select $1 < 10 * ${LEDGER}`)}
     create domain double as float check (allowed(value));`,
    `double '1'`,
  ],
  'an array of a domain with a check': [
    `${sqlFunction('allowed(int)', 'boolean', `select $1 < 10 * ${LEDGER}`)}
     create domain small as int check (allowed(value)); alter table thing add smalls small[];`,
    `t.smalls = '{1}'`,
  ],
  'a field of a domain with a check': [
    `${sqlFunction('allowed(int)', 'boolean', `select $1 < 10 * ${LEDGER}`)}
     create domain small as int check (allowed(value)); create type slot as (x small, y int);
     alter table thing add slots slot[];`,
    `t.slots = '{"(1,2)"}'`,
  ],
  'an operator class for a type of PostgreSQL': [
    `${sqlFunction('below(point, point)', 'boolean', `select ($1[0] - $2[0]) * (${LEDGER} - 6) < 0`)}
     ${sqlFunction('same(point, point)', 'boolean', 'select $1[0] = $2[0]', 'immutable')}
     create function compared(point, point) returns int language plpgsql stable as $f$ begin
       return sign(($1[0] - $2[0]) * (${LEDGER} - 6)); end $f$;
     create operator <# (leftarg = point, rightarg = point, function = below);
     create operator =# (leftarg = point, rightarg = point, function = same);
     create operator class points default for type point using btree as
       operator 1 <# (point, point), operator 3 =# (point, point), function 1 compared(point, point);
     alter table thing add pt point; update thing set pt = point(n, 0);`,
    '(select u.n from thing as u order by u.pt limit 1)',
  ],
  'a function of a row of renamed columns': [
    sqlFunction('n(thing)', 'int', `select ${LEDGER}`),
    '(select max("u"."n") from thing as "u" ("id", "other"))',
  ],
  'a function of a row of WITH that is called like a table': [
    `create function n(record) returns int language plpgsql stable as $f$ begin return ${LEDGER}; end $f$;`,
    '(with thing as (select q.id from ledger_like as q) select max(thing.n) from thing)',
  ],
  'a type of PostgreSQL that is found behind one of the same name': [
    `${sqlFunction('allowed(int)', 'boolean', `select $1 < 10 * ${LEDGER}`)}
     create domain int4 as int check (allowed(value)); set search_path = public, pg_catalog;`,
    `int4 '1'`,
  ],
};

/** What a user defines, and an expression on `t` by which it may read the clock. */
const CLOCKED: Record<string, readonly [definitions: string, expression: string]> = {
  'an aggregate': [
    `${sqlFunction('tick(float, int)', 'float', 'select extract(epoch from clock_timestamp())', 'volatile')}
     create aggregate latest(int) (sfunc = tick, stype = float, initcond = '0');`,
    '(select latest(u.n) from thing as u)',
  ],
  'an aggregate that is used as a window function': [
    `${sqlFunction('tick(float, int)', 'float', 'select extract(epoch from clock_timestamp())', 'volatile')}
     create aggregate latest(int) (sfunc = tick, stype = float, initcond = '0');`,
    'latest(t.n) over (order by t.id)',
  ],
  'the last step of an aggregate': [
    `${sqlFunction('tick(float)', 'float', 'select extract(epoch from clock_timestamp())', 'volatile')}
     create aggregate latest(float) (sfunc = float8pl, stype = float, initcond = '0', finalfunc = tick);`,
    '(select latest(u.n) from thing as u)',
  ],
  'an operator': [
    `${sqlFunction('tick(int, int)', 'float', 'select extract(epoch from clock_timestamp())', 'volatile')}
     create operator @# (leftarg = int, rightarg = int, function = tick);`,
    't.n @# 1',
  ],
  'an operator in a function': [
    `${sqlFunction('tick(int, int)', 'float', 'select extract(epoch from clock_timestamp())', 'volatile')}
     create operator @# (leftarg = int, rightarg = int, function = tick);
     ${sqlFunction('told(int)', 'float', 'select $1 @# 1')}`,
    'told(t.n)',
  ],
  'an operator in a view': [
    `${sqlFunction('tick(int, int)', 'float', 'select extract(epoch from clock_timestamp())', 'volatile')}
     create operator @# (leftarg = int, rightarg = int, function = tick);
     create view ticking as select 1 @# 1 as value;`,
    '(select ticking.value from ticking)',
  ],
  'an operator of a function of PostgreSQL': [
    'create operator @# (rightarg = timestamp, function = age);',
    `(@# '2024-01-01')::text`,
  ],
  'a cast': [
    `${sqlFunction('told(int)', 'text', 'select clock_timestamp()::text', 'volatile')}
     create cast (int as text) with function told(int);`,
    't.n::text',
  ],
  'an implicit cast': [
    `${sqlFunction('told(int)', 'text', 'select clock_timestamp()::text', 'volatile')}
     create cast (int as text) with function told(int) as implicit;`,
    'lower(t.n)',
  ],
  'a cast by the text of a value': [
    `create cast (text as timestamptz) with inout as implicit; update thing set name = 'now';`,
    't.name < t.at',
  ],
  'the check of a domain': [
    `${sqlFunction('allowed(int)', 'boolean', 'select clock_timestamp() is not null', 'volatile')}
     create domain small as int check (allowed(value));`,
    't.n::small',
  ],
  'a comparison in an operator class': [
    `create function compared(point, point) returns int language plpgsql as $f$ begin
       return case when clock_timestamp() is null then 0 else sign($1[0] - $2[0]) end; end $f$;
     ${sqlFunction('below(point, point)', 'boolean', 'select $1[0] < $2[0]', 'immutable')}
     ${sqlFunction('same(point, point)', 'boolean', 'select $1[0] = $2[0]', 'immutable')}
     create operator <# (leftarg = point, rightarg = point, function = below);
     create operator =# (leftarg = point, rightarg = point, function = same);
     create operator class points default for type point using btree as
       operator 1 <# (point, point), operator 3 =# (point, point), function 1 compared(point, point);
     alter table thing add pt point; update thing set pt = point(n, 0);`,
    '(select u.n from thing as u order by u.pt limit 1)',
  ],
  'a function whose parameter has a default': [
    sqlFunction('told(timestamptz default clock_timestamp())', 'text', 'select $1::text'),
    'told()',
  ],
  'a function whose parameter has a default of its own': [
    `${sqlFunction('tick()', 'timestamptz', 'select clock_timestamp()', 'volatile')}
     ${sqlFunction('told(timestamptz default tick())', 'text', 'select $1::text')}`,
    'told()',
  ],
  'a function that is another name of one of PostgreSQL': [
    `create function dice() returns float language internal immutable as 'drandom';`,
    'dice()',
  ],
  'a volatile function of PostgreSQL': ['select 1;', 'array_shuffle(array[t.n, 2, 3])::text'],
};

/** Of {@link UNSETTLED}, samples of each kind. */
const VOUCHED = [
  'an aggregate of a name of PostgreSQL',
  'an aggregate as a window function',
  'an operator',
  'an explicit cast',
  'an implicit cast',
  'a domain with a check',
  'an operator class for a type of PostgreSQL',
];

/** Expressions that are nothing but PostgreSQL's own: results stay in the cache while another table is written to. */
const SETTLED = [
  't.n + 1',
  'lower(t.name)',
  't.n::text',
  'cast(t.n as numeric(10, 2))::text',
  't.at::date::text',
  `date_trunc('day', t.at)::date::text`,
  `(t.at at time zone 'Europe/Oslo')::date::text`,
  't.mood::text',
  `'low'::mood::text`,
  't.pair::text',
  '(select max(u.n) from thing as u where u.n <= t.n)',
  '(select q.n from (select t.n as n) as q)',
  `case when t.name like 'o%' then 1 else 2 end`,
  't.n in (1, 3)',
  't.n between 1 and 2',
  't.many[1]',
  't.n % 2',
  `coalesce(t.tail, 'none')`,
  'row_number() over (order by t.id)',
  't.number + 1',
  `date '2024-01-01'`,
  `((t.at + interval '1 day') at time zone 'Europe/Oslo')::text`,
  't.n::double precision',
  't.n::float8 / 2',
];

interface Case {
  readonly definitions: string;
  readonly expression: string;
  /** named as those on which the entity depends besides */
  readonly tables?: readonly string[];
}

/** The same expression where it may be hidden. */
const PLACES: Record<string, (expression: string) => string> = {
  itself: expression => expression,
  'in CASE': expression => `case when true then (${expression})::text end`,
  'in a subquery': expression => `(select ${expression} from thing as u where u.id = t.id limit 1)`,
  'in an array': expression => `array[(${expression})]::text`,
  'in a row': expression => `row((${expression}), 1)::text`,
};

describe('a query that evaluates user-defined functions, operators, casts or types', () => {
  async function inDatabase(given: Case, body: (each: Started) => Promise<void>) {
    const pglite = await emptyEmbedded();
    await pglite.exec(`${TABLES} ${given.definitions}`);
    const started = await join({ entities: [thing(given)] });
    try {
      await body(started);
    } finally {
      await started.orm.close();
      await pglite.exec('drop cast if exists (text as timestamptz)'); // it is in no schema
    }
  }

  function thing({ expression, tables }: Case) {
    return defineEntity({
      name: 'Thing',
      tableName: 'thing',
      cacheops: { ops: 'all', timeout: 60, ...(tables && { tables }) },
      properties: {
        id: p.integer().primary(),
        n: p.integer(),
        value: p
          .type('any' as never)
          .persist(false)
          .formula(table => expression.replaceAll(/\bt(?=[.)\s])/g, String(table))),
      },
    });
  }

  async function answers(orm: Started['orm']): Promise<unknown> {
    const em = orm.em.fork();
    try {
      const found = await em.find('Thing' as never, {}, { orderBy: { id: 1 } as never });
      return found.map(row => (row as { value?: unknown }).value);
    } catch (error) {
      return (error as { code?: string }).code; // a check that fails
    }
  }

  /** How many different answers the database gave. */
  async function expectFresh(given: Case): Promise<number> {
    const truths = new Set<string>();
    await inDatabase(given, async ({ orm, cache }) => {
      const plain = await joinUncached({ entities: [thing(given)] });
      try {
        for (const amount of [0, 5, 0, 40, 7]) {
          await orm.em.fork().execute('update ledger set amount = ?', [amount]);
          await cache.idle();
          const truth = await answers(plain);
          truths.add(JSON.stringify(truth));
          for (let i = 0; i < 2; i++) {
            expect(await answers(orm), `${given.expression} at ${amount}`).to.deep.equal(truth);
            await cache.idle();
          }
        }
      } finally {
        await plain.close();
      }
    });
    return truths.size;
  }

  for (const [what, [definitions, expression]] of Object.entries(UNSETTLED)) {
    it(`a read after each write gives what the database gives: ${what}`, async () => {
      expect(await expectFresh({ definitions, expression })).to.be.greaterThan(1);
    });
  }

  it('a read after each write gives what the database gives, in whatever clause the expression is', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...Object.values(UNSETTLED)),
        fc.constantFrom(...Object.values(PLACES)),
        async ([definitions, expression], place) => {
          expect(await expectFresh({ definitions, expression: place(expression) })).to.be.greaterThan(0);
        },
      ),
      { numRuns: 25 },
    );
  });

  for (const [what, [definitions, expression]] of Object.entries(CLOCKED)) {
    it(`a query is not cached, whatever tables are declared, if the clock may be read by ${what}`, async () => {
      const tables = ['ledger'];
      await inDatabase({ definitions, expression, tables }, async ({ orm, cache }) => {
        expect(await answers(orm)).to.be.an('array');
        await cache.idle();
        expect(await sourcesOf(cache, () => answers(orm))).not.to.include('cache');
      });
    });
  }

  it('a read after each write gives what the database gives: an aggregate of an extension with functions that are not immutable', async () => {
    const definitions = `
      ${sqlFunction('add_up(int, text)', 'int', `select coalesce($1, 0) + length($2) + ${LEDGER}`)}
      create aggregate avg(text) (sfunc = add_up, stype = int); alter extension plpgsql add aggregate avg(text);`;
    try {
      const expression = '(select avg(u.name) from thing as u)';
      expect(await expectFresh({ definitions, expression })).to.be.greaterThan(1);
    } finally {
      await (await embedded()).exec('alter extension plpgsql drop aggregate avg(text)');
    }
  });

  for (const what of VOUCHED) {
    it(`a query is cached, and each write invalidates it, if the table is declared that is read by ${what}`, async () => {
      const [definitions, expression] = UNSETTLED[what]!;
      const given = { definitions, expression, tables: ['ledger'] };
      expect(await expectFresh(given)).to.be.greaterThan(1);
      await inDatabase(given, async ({ orm, cache }) => {
        await answers(orm);
        await cache.idle();
        expect(await sourcesOf(cache, () => answers(orm))).to.deep.equal(['cache']);
      });
    });
  }

  it('a query is not cached if a user-defined function hides a built-in one', async () => {
    const definitions = `create schema app; ${sqlFunction('app.lower(text)', 'text', `select $1 || ${LEDGER}`)}
      set search_path = app, public, pg_catalog;`;
    expect(await expectFresh({ definitions, expression: 'lower(t.name)' })).to.be.greaterThan(1);
    await (await emptyEmbedded()).exec('reset search_path');
  });

  for (const expression of SETTLED) {
    it(`a query of built-in functions is cached: ${expression}`, async () => {
      const definitions = `${sqlFunction('unrelated(int)', 'int', `select $1 + ${LEDGER}`)}
        ${sqlFunction('name(int)', 'int', `select $1 + ${LEDGER}`)}`;
      await inDatabase({ definitions, expression }, async ({ orm, cache }) => {
        await answers(orm);
        await cache.idle();
        await orm.em.fork().execute('update ledger set amount = 2');
        expect(await sourcesOf(cache, () => answers(orm))).to.deep.equal(['cache']);
      });
    });
  }
});
