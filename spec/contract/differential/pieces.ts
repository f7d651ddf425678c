import fc from 'fast-check';
import { type Names, ROUTINE_NAMES } from './names.js';

/** What a user defines in a catalog, how a read may evaluate it, and statements that may fire it. */
export interface Definition {
  readonly sql: string;
  /** expressions on `{t}`, a row of `thing` */
  readonly expressions?: readonly string[];
  readonly statements?: readonly string[];
}

/** How a function is written. */
interface Body {
  readonly language: 'sql' | 'plpgsql' | 'standard' | 'other';
  readonly volatility: 'immutable' | 'stable' | 'volatile';
  /** index of what it reads */
  readonly source: number;
}

const bodiesIn = (...languages: Body['language'][]): fc.Arbitrary<Body> =>
  fc.record({
    language: fc.constantFrom(...languages),
    volatility: fc.constantFrom('stable', 'immutable', 'volatile'),
    source: fc.nat(8),
  });

const anyBody = bodiesIn('sql', 'plpgsql', 'standard', 'other');

/** A number that changes with the rows of other tables than `thing`. */
function sourceOf(index: number, names: Names): string {
  const { ledger, totals, log, part } = names;
  const sources = [
    `(select coalesce(sum(amount), 0)::int from ${ledger})`,
    `(select total from ${totals})`,
    `(select total from totals_again)`,
    `ledger_sum()`,
    `(select coalesce(sum(l.doubled), 0)::int from ${ledger} as l)`,
    `(1 @+ 1)`,
    `(select count(*)::int from ${log})`,
    `(select coalesce(max(p.n), 0)::int from ${part} as p)`,
    `(with l as (select amount from ${ledger}) select count(*)::int from l where amount > 2)`,
  ];
  return sources[index]!;
}

/** What {@link sourceOf} gives before anything is written. */
const AT_FIRST = [5, 5, 6, 5, 10, 7, 0, 7, 1];

function functionOf(signature: string, result: string, body: Body, expression: string): string {
  const head = `create or replace function ${signature} returns ${result}`;
  switch (body.language) {
    case 'standard':
      return `${head} language sql ${body.volatility} return ${expression};`;
    case 'sql':
      return `${head} language sql ${body.volatility} as $f$ select ${expression} $f$;`;
    default:
      return `${head} language ${body.language} ${body.volatility} as $f$ begin return ${expression}; end $f$;`;
  }
}

/** Makes a definition, which names what it creates by its number in the catalog. */
export type Piece = (names: Names, i: number) => Definition;

const functionsOf = (body: fc.Arbitrary<Body>) =>
  fc
    .record({
      body,
      name: fc.constantFrom(...ROUTINE_NAMES),
      own: fc.integer({ max: 3, min: 0 }),
      of: fc.nat(4),
    })
    .map(
      ({ body, name: given, own, of }): Piece =>
        (names, i) => {
          const name = own === 0 ? `f${i}` : given;
          const { n, label, thing } = names;
          const source = sourceOf(body.source, names);
          switch (of) {
            case 0:
              return {
                sql: functionOf(`${name}(int)`, 'int', body, `$1 + ${source}`),
                expressions: [`${name}({t}.${n})`, `app.${name}({t}.${n})`],
              };
            case 1:
              return {
                sql: functionOf(`${name}(int, text)`, 'int', body, `$1 + ${source}`),
                expressions: [`${name}({t}.${n}, {t}.${label})`],
              };
            case 2:
              return {
                sql: functionOf(`${name}(app.pair)`, 'int', body, `$1.x + ${source}`),
                expressions: [`({t}.pair).${name}`, `${name}({t}.pair)`],
              };
            case 3:
              return {
                sql: functionOf(`${name}(record)`, 'int', { ...body, language: 'plpgsql' }, source),
                expressions: [`(select q.${name} from (select {t}.id as id) as q)`, `${name}({t})`],
              };
            default:
              return {
                sql: functionOf(`${name}(${thing})`, 'int', body, `$1.id + ${source}`),
                expressions: [`{t}.${name}`, `({t}).${name}`, `${name}({t})`],
              };
          }
        },
    );

const OPERANDS = [
  ['int', 'text', '{t}.{n}', '{t}.{label}'],
  ['text', 'int', '{t}.{label}', '{t}.{n}'],
  ['int', 'int', '{t}.{n}', '{t}.id'],
  ['app.pair', 'int', '{t}.pair', '{t}.{n}'],
  ['app.mood', 'text', '{t}.mood', '{t}.{label}'],
  ['app.mood', 'app.mood', '{t}.mood', `'low'::app.mood`],
  ['app.small', 'app.small', '{t}.num', '{t}.num'],
] as const;

const SYMBOLS = ['@#', '+', '||', '->>', '@@', '%'];
/** Of operators that keywords use: LIKE, IN, CASE … */
const OF_KEYWORDS = ['=', '~~', '<', '<>', '>'];

/** The first are of built-in types. */
const BUILT_IN_OPERANDS = OPERANDS.slice(0, 3);

const operatorsOf = (
  body: fc.Arbitrary<Body>,
  symbols: readonly string[],
  operands: readonly (typeof OPERANDS)[number][],
) =>
  fc
    .record({
      body,
      symbol: fc.constantFrom(...symbols),
      operands: fc.constantFrom(...operands),
    })
    .map(
      ({ body, symbol, operands: [left, right, a, b] }): Piece =>
        (names, i) => {
          const fill = (text: string) => text.replaceAll('{n}', names.n).replaceAll('{label}', names.label);
          const isComparison = /^[=<>~]+$/.test(symbol);
          const source = sourceOf(body.source, names);
          const [l, r] = [fill(a), fill(b)];
          return {
            sql: `${functionOf(`o${i}(${left}, ${right})`, isComparison ? 'boolean' : 'int', body, isComparison ? `${source} % 2 = 0` : source)}
        create operator app.${symbol} (leftarg = ${left}, rightarg = ${right}, function = app.o${i});`,
            expressions: [
              `(${l} ${symbol} ${r})`,
              ...(symbol === '='
                ? [`(${l} in (${r}))`, `(case ${l} when ${r} then 1 else 2 end)`, `nullif(${l}, ${r})`]
                : []),
              ...(symbol === '~~' ? [`(${l} like ${r})`] : []),
            ],
          };
        },
    );

const CASTS = [
  ['int', 'text', '::text', ['{t}.{n}::text', 'cast({t}.{n} as text)', 'lower({t}.{n})']],
  ['app.pair', 'text', '::text', ['{t}.pair::text', `concat({t}.pair::text, 'x')`]],
  ['app.mood', 'json', '::text::json', ['to_json({t}.mood)', '{t}.mood::json']],
  ['app.mood', 'int', '', ['{t}.mood::int', '({t}.mood::int + 1)', 'abs({t}.mood)']],
] as const;

const castsOf = (
  body: fc.Arbitrary<Body>,
  contexts: readonly string[],
  casts: readonly (typeof CASTS)[number][],
) =>
  fc
    .record({
      body,
      cast: fc.constantFrom(...casts),
      context: fc.constantFrom(...contexts),
    })
    .map(
      ({ body, cast: [from, to, as, expressions], context }): Piece =>
        (names, i) => ({
          sql: `${functionOf(`c${i}(${from})`, to, body, `(${sourceOf(body.source, names)}::numeric::int)${as && `::numeric${as}`}`)}
      create cast (${from} as ${to}) with function app.c${i}(${from}) ${context};`,
          expressions: expressions.map(text =>
            text.replaceAll('{n}', names.n).replaceAll('{label}', names.label),
          ),
        }),
    );

const domainsOf = (body: fc.Arbitrary<Body>) =>
  fc.record({ body, name: fc.constantFrom('d', '"integer"', 'double', 'small') }).map(
    ({ body, name: given }): Piece =>
      (names, i) => {
        const name = given === 'd' ? `d${i}` : `other.${given}`;
        return {
          sql: `${functionOf(`allowed${i}(int)`, 'boolean', body, `$1 > 0 and ${sourceOf(body.source, names)} = ${AT_FIRST[body.source]}`)}
        create domain ${name} as int check (app.allowed${i}(value));`,
          expressions: [
            `{t}.${names.n}::${name}`,
            `${name} '5'`,
            `cast({t}.${names.n} as ${name})`,
            `array[{t}.${names.n}]::${name}[]`,
          ],
        };
      },
  );

const aggregatesOf = (body: fc.Arbitrary<Body>) =>
  fc.record({ body, name: fc.constantFrom(...ROUTINE_NAMES), own: fc.boolean() }).map(
    ({ body, name: given, own }): Piece =>
      (names, i) => {
        const name = own ? `a${i}` : given;
        const { n, label, thing } = names;
        return {
          sql: `${functionOf(`s${i}(int, text)`, 'int', body, `coalesce($1, 0) + octet_length($2) + ${sourceOf(body.source, names)}`)}
        create aggregate ${name}(text) (sfunc = s${i}, stype = int);`,
          expressions: [
            `(select ${name}(u.${label}) from ${thing} as u where u.${n} <= {t}.${n})`,
            `${name}({t}.${label}) over (partition by {t}.id)`,
          ],
        };
      },
  );

const viewsOf = (body: fc.Arbitrary<Body>) =>
  fc.record({ body, materialized: fc.boolean(), over: fc.boolean() }).map(
    ({ body, materialized, over }): Piece =>
      (names, i) => {
        const of = (v: string) => `(select v.total from ${v} as v)`;
        const kind = materialized ? 'materialized view' : 'view';
        return {
          sql: `create ${kind} v${i} as select ${sourceOf(body.source, names)} as total;
        ${over ? `create view w${i} as select total + 1 as total from v${i};` : ''}`,
          expressions: [of(over ? `w${i}` : `v${i}`)],
          statements: materialized ? [`refresh materialized view v${i}`] : [],
        };
      },
  );

/** A function that writes to other tables, and a name by which it is called. */
interface Writer {
  readonly through: number;
  readonly target: number;
}

const writers: fc.Arbitrary<Writer> = fc.record({ through: fc.nat(6), target: fc.nat(4) });

/** The tables to which {@link targetOf} writes. */
const TARGETS = ['log', 'ledger', 'part', 'thing', 'part'];

function targetOf(target: number, { log, ledger, part, thing, n }: Names): string {
  return [
    `insert into app.${log} (what) values (1)`,
    `update app.${ledger} set amount = amount + 1`,
    `delete from app.${part} where id = (select min(id) from app.${part})`,
    `update app.${thing} set ${n} = ${n} + 1 where id = 2`,
    `update app.${part} set n = coalesce(n, 0) + 1`,
  ][target]!;
}

/** Defines `enter{i}(int)`, which returns true. */
function writerOf({ through, target }: Writer, names: Names, i: number): string {
  const statement = targetOf(target, names);
  const symbol = `@!${'!'.repeat(i)}`;
  const direct = (name: string) =>
    `create or replace function ${name}(int) returns boolean language plpgsql as $f$ begin ${statement}; return true; end $f$;`;
  const wrapper = (body: string, language = 'sql') =>
    `${direct(`inner${i}`)} create or replace function enter${i}(int) returns boolean language ${language} immutable as $f$ ${body} $f$;`;
  return [
    direct(`enter${i}`),
    `create or replace function enter${i}(int) returns boolean language sql as $f$ ${statement}; select true $f$;`,
    wrapper(`select app.inner${i}($1)`),
    wrapper(`begin return app.inner${i}($1); end`, 'plpgsql'),
    wrapper(`begin return app.inner${i}($1); end`, 'other'),
    `create or replace function enter${i}(int) returns boolean language plpgsql as $f$ begin execute '${statement.slice(0, 8)}' || '${statement.slice(8)}'; return true; end $f$;`,
    `${direct(`inner${i}`)} create operator app.${symbol} (rightarg = int, function = inner${i});
     create or replace function enter${i}(int) returns boolean language sql as $f$ select operator(app.${symbol}) $1 $f$;`,
  ][through]!;
}

/** Statements that call a function which writes. */
const callers = fc.record({ writer: writers, by: fc.nat(17) }).map(
  ({ writer, by }): Piece =>
    (names, i) => {
      const { thing, n, log } = names;
      const f = `enter${i}`;
      const made = writerOf(writer, names, i);
      const forms: readonly (readonly [string, string])[] = [
        ['', `select ${f}(1)`],
        ['', `select u&"ent\\0065r${i}"(1)`],
        ['', `select id from ${thing} order by ${f}(id)`],
        [`create view w${i} as select ${f}(1) as done;`, `select * from w${i}`],
        [
          `create function r${i}(${thing}) returns boolean language sql as 'select app.${f}(1)';`,
          `select t.r${i} from ${thing} as t`,
        ],
        [
          `create operator @* (leftarg = int, rightarg = text, function = app.h${i});`.replace(
            /^/,
            `create function h${i}(int, text) returns boolean language sql as 'select app.${f}(1)';`,
          ),
          `select 1 @* 'x'`,
        ],
        [
          `create function k${i}(app.mood) returns boolean language sql as 'select app.${f}(1)'; create cast (app.mood as boolean) with function app.k${i}(app.mood);`,
          `select 'low'::app.mood::boolean`,
        ],
        [
          `create function g${i}(boolean, int) returns boolean language sql as 'select app.${f}(1)'; create aggregate ag${i}(int) (sfunc = g${i}, stype = boolean);`,
          `select ag${i}(${n}) from ${thing}`,
        ],
        [`create domain e${i} as int check (app.${f}(value));`, `select 1::e${i}`],
        [
          `create function p${i}(boolean default app.${f}(1)) returns boolean language sql as 'select $1';`,
          `select p${i}()`,
        ],
        ['', `select query_to_xml('select ent' || 'er${i}(1)', true, false, '')`],
        ['', `select * from public.crosstab('select 1, 2, ent' || 'er${i}(1)::int') as c (a int, b int)`],
        ['', `do $d$ begin perform ${f}(1); end $d$`],
        [`create procedure q${i}() language plpgsql as 'begin perform app.${f}(1); end';`, `call q${i}()`],
        ['', `create table t${i} as select ${f}(1) as done`],
        ['', `explain analyze select ${f}(1)`],
        ['', `with x as (select ${f}(1) as done) select * from x`],
        ['', `insert into ${log} (what) select 7 where ${f}(1) is null`],
      ];
      const [sql, statement] = forms[by]!;
      return { sql: `${made} ${sql}`, statements: [statement] };
    },
);

/** What writes to tables besides a statement's own: rules, triggers, defaults and other expressions of tables. */
const effects = fc
  .record({
    writer: writers,
    by: fc.nat(16),
    on: fc.constantFrom('ledger', 'thing', 'part'),
    event: fc.constantFrom('insert', 'update', 'delete'),
  })
  .map(
    ({ writer: given, by, on, event }): Piece =>
      (names, i) => {
        const table = names[on as 'ledger'];
        const f = `enter${i}`;
        // a trigger that writes to its own table calls itself
        const writer = { ...given, target: TARGETS[given.target] === on ? 0 : given.target };
        const statement = targetOf(writer.target, names);
        const made = writerOf(writer, names, i);
        const trigger = (how: string, each: string) =>
          `${made} create function tr${i}() returns trigger language plpgsql as $f$ begin perform app.${f}(1); return coalesce(new, old); end $f$;
       create trigger tg${i} ${how} on ${table} for each ${each} execute function tr${i}();`;
        const set =
          event === 'insert' ? `(id) values (9${i})` : event === 'update' ? 'set id = id' : 'where id < 0';
        const through = { insert: 'insert into', update: 'update', delete: 'delete from' }[event as 'insert'];
        const view = `create view x${i} as select id from ${table};`;
        const forms: readonly Definition[] = [
          { sql: `create rule ru${i} as on ${event} to ${table} do also ${statement};` },
          { sql: `create rule ru${i} as on ${event} to ${table} do instead ${statement};` },
          { sql: `${made} create rule ru${i} as on ${event} to ${table} do also select app.${f}(1);` },
          { sql: trigger(`before ${event}`, 'row') },
          { sql: trigger(`after ${event}`, 'row') },
          { sql: trigger(`after ${event}`, 'statement') },
          {
            sql: trigger('after truncate', 'statement'),
            statements: [`truncate ${table} cascade`],
          },
          { sql: `${made} alter table ${table} add x${i} boolean default app.${f}(1);` },
          { sql: `${made} alter table ${table} add check (app.${f}(id));` },
          {
            sql: `${made} alter function ${f}(int) immutable; create index ix${i} on ${table} (app.${f}(id));`,
            statements: [`reindex table ${table}`],
          },
          {
            sql: `${made} alter function ${f}(int) immutable; alter table ${table} add x${i} boolean generated always as (app.${f}(id)) stored;`,
          },
          {
            sql: `${made} create domain dd${i} as boolean default app.${f}(1); alter table ${table} add x${i} dd${i};`,
          },
          {
            sql: `${made} create domain dd${i} as boolean; alter table ${table} add x${i} dd${i}; alter domain dd${i} set default app.${f}(1);`,
          },
          {
            sql: `${view} create rule ru${i} as on ${event} to x${i} do instead ${statement};`,
            statements: [`${through} x${i} ${set}`],
          },
          {
            sql: `${made} ${view} create function tr${i}() returns trigger language plpgsql as $f$ begin perform app.${f}(1); return coalesce(new, old); end $f$;
          create trigger tg${i} instead of ${event} on x${i} for each row execute function tr${i}();`,
            statements: [`${through} x${i} ${set.replace('id < 0', 'true')}`],
          },
          {
            sql: `create trigger tg${i} after delete on ${names.thing} for each row
          execute function public.check_foreign_key(1, 'cascade', 'id', ${literal(names.part)}, 'thing');`,
          },
          {
            sql: `${made} create function tr${i}() returns trigger language other as $f$ begin perform app.${f}(1); return coalesce(new, old); end $f$;
          create trigger tg${i} before ${event} on ${table} for each row execute function tr${i}();`,
          },
        ];
        return forms[by]!;
      },
  );

function literal(name: string): string {
  return `'${name.replaceAll("'", "''")}'`;
}

/** Definitions that change nothing about the reads of others. */
const harmless = fc.constant<Piece>((_, i) => ({
  sql: `create function idle${i}(int) returns int language sql immutable as 'select $1';
    create table idle${i} (id int); create view idle_view${i} as select id from idle${i};`,
}));

const CONTEXTS = ['', 'as assignment', 'as implicit'];
const understood = bodiesIn('sql', 'plpgsql', 'standard');

/** What expressions may evaluate, by kind; without languages that are not known, whose functions hide all else. */
export const EVALUATED: Readonly<Record<string, fc.Arbitrary<Piece>>> = {
  functions: functionsOf(understood),
  'operators on built-in types': operatorsOf(understood, SYMBOLS, BUILT_IN_OPERANDS),
  'operators on own types': operatorsOf(understood, SYMBOLS, OPERANDS.slice(3)),
  'casts of a built-in type': castsOf(understood, CONTEXTS.slice(0, 2), CASTS.slice(0, 1)),
  'casts of own types': castsOf(understood, CONTEXTS.slice(0, 2), CASTS.slice(1)),
  domains: domainsOf(understood),
  aggregates: aggregatesOf(understood),
  views: viewsOf(understood),
};

/** The same for what may change any query, so that nothing is cached. */
export const EVALUATED_ANYWHERE: Readonly<Record<string, fc.Arbitrary<Piece>>> = {
  'operators of keywords': operatorsOf(understood, OF_KEYWORDS, BUILT_IN_OPERANDS),
  'implicit casts of a built-in type': castsOf(understood, CONTEXTS.slice(2), CASTS.slice(0, 1)),
};

export const pieces: fc.Arbitrary<Piece> = fc.oneof(
  { weight: 8, arbitrary: functionsOf(anyBody) },
  { weight: 5, arbitrary: operatorsOf(anyBody, [...SYMBOLS, ...OF_KEYWORDS], OPERANDS) },
  { weight: 2, arbitrary: castsOf(anyBody, CONTEXTS, CASTS) },
  { weight: 2, arbitrary: domainsOf(anyBody) },
  { weight: 2, arbitrary: aggregatesOf(anyBody) },
  { weight: 2, arbitrary: viewsOf(anyBody) },
  { weight: 4, arbitrary: callers },
  { weight: 6, arbitrary: effects },
  { weight: 1, arbitrary: harmless },
);
