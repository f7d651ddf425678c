import { defineEntity, p, raw, Type } from '@mikro-orm/core';
import type { EntityManager } from '@mikro-orm/pglite';
import { expect } from 'chai';
import { emptyEmbedded } from '../support/embedded.js';
import { sourcesOf } from '../support/observe.js';
import { join, type Started } from '../support/start.js';

/** Sends what it is given, whatever that is. */
class AsItIs extends Type<string, string> {
  override getColumnType() {
    return 'timestamptz';
  }
}

/** Sends a word for another value. */
class Spoken extends AsItIs {
  override convertToDatabaseValue(value: string) {
    return value === 'current' ? 'now' : value;
  }
}

/** Casts in SQL what it is given. */
class CastInSql extends Type<string, string> {
  override convertToDatabaseValueSQL(key: string) {
    return `(${key})::timestamptz`;
  }

  override getColumnType() {
    return 'timestamptz';
  }
}

const Meeting = defineEntity({
  name: 'Meeting',
  tableName: 'meeting',
  cacheops: { ops: 'all', timeout: 60 },
  properties: {
    id: p.integer().primary(),
    at: p.datetime(),
    custom: p.type(AsItIs).fieldName('at').persist(false),
    spoken: p.type(Spoken).fieldName('at').persist(false),
    cast: p.type(CastInSql).fieldName('at').persist(false),
    day: p.date(),
    clock: p.string().columnType('time'),
    span: p.string().columnType('tstzrange'),
    days: p.string().columnType('date[]'),
    slot: p.string().columnType('slot'),
    note: p.text(),
    data: p.json<Record<string, string>>(),
  },
});

const Zoned = defineEntity({
  name: 'Zoned',
  tableName: 'zoned',
  cacheops: { ops: 'all', timeout: 60 },
  properties: { id: p.integer().primary(), note: p.text(), hour: p.string().columnType('timetz') },
});

type Read = (em: EntityManager) => Promise<unknown>;

const found =
  (where: object): Read =>
  em =>
    em.find(Meeting, where as never);
const ofSql = (condition: string): Read => found({ [raw(`(${condition})`)]: true });
const selected =
  (expression: string): Read =>
  em =>
    em
      .createQueryBuilder(Meeting, 'm')
      .select(raw(`${expression} as x`))
      .execute();

const READS_CLOCK: Record<string, Read> = {
  'a word in a condition on a time': found({ at: { $gt: 'now()' } }),
  'a word behind others': found({ at: { $gt: 'at now' } }),
  'a word behind a time': found({ at: { $lt: '10:00 AM tomorrow' } }),
  'a word in a range': found({ span: '[now,infinity)' }),
  'a word in an array': found({ days: '{now}' }),
  'a word in a row': ofSql(`m0.slot = '(now,1)'::slot`),
  'a word for a time of the day': found({ clock: { $lt: 'now' } }),
  'a word in a value of a custom type': found({ custom: { $lt: 'at now' } }),
  'a word that a custom type makes of another value': async em => {
    await em.find(Meeting, { spoken: { $lt: '2024-01-01' } } as never);
    return em.find(Meeting, { spoken: { $lt: 'current' } } as never);
  },
  'a word in a value that is cast in SQL': found({ cast: { $lt: 'at now' } }),
  'a word among others': found({ at: { $in: ['2024-01-01', 'today'] } }),
  'a constant with escapes': ofSql(`m0.at < E'n\\157w'`),
  'a constant in parts': ofSql(`m0.at < 'no'\n'w'`),
  'a typed constant': ofSql(`m0.at < timestamptz 'at now'`),
  'a constant that is cast': ofSql(`m0.at < cast('now()' as timestamptz)`),
  'a text that is cast': ofSql('m0.at < m0.note::timestamptz'),
  'a text in parentheses that is cast': ofSql('m0.at < (m0.note)::timestamptz'),
  'an expression that is cast': ofSql(`m0.at < ('n' || 'ow')::timestamptz`),
  'a text that is cast in words': ofSql('m0.at < cast(m0.note as timestamptz)'),
  'a text of JSON that is cast': ofSql(`m0.at < (m0.data->>'at')::timestamptz`),
  'texts in an array that is cast': ofSql('m0.at = any(array[m0.note]::timestamptz[])'),
  'a row that is cast': ofSql(`((('(' || m0.note || ',1)')::slot).at) is null`),
  'a time with the offset of today': selected(`('10:00'::timetz)::text`),
  'a time that becomes one with an offset': selected('m.clock::time with time zone::text'),
  'a constant of a time with an offset': selected(`(time with time zone '10:00')::text`),
  'a time of the day in a zone': selected(`(m.clock at time zone 'Europe/Oslo')::text`),
  'a time of the day that is cast, in a zone': selected(`(m.at::time at time zone 'Europe/Oslo')::text`),
  'a time of the day that is cast in words, in a zone': selected(
    `(cast(m.at as time) at time zone 'Europe/Oslo')::text`,
  ),
  'a constant behind a text column that is cast': selected(`m.note = 'now'::timestamptz::text`),
  'a constant behind a text column that is cast, in a list': selected(`m.note in ('x', 'today'::date::text)`),
  'a constant behind a text column from which something is subtracted': selected(`m.note || 'now' - m.at`),
  'a constant behind a text column, in a zone': selected(`m.note || 'now' at time zone 'UTC'`),
  'a text of a subquery that ends in a zone': selected(
    `(select u.note from meeting as u where u.at = m.at at time zone 'UTC')::date`,
  ),
  'a text of a derived table that is called like a time': selected(
    `(select max(m.at::date)::text from (select u.note as at from meeting as u) as m)`,
  ),
  'a text of a renamed column that is called like a time': selected(
    `(select max("m"."at"::date)::text from other as "m" ("id", "at"))`,
  ),
  'a time of a derived table that is called like a text': selected(
    `(select count(*) from (select u.at as note from meeting as u) as m where m.note < 'now')`,
  ),
  'a time of WITH that is called like a text': selected(
    `(with other as (select u.at as note from meeting as u) select count(*) from other where other.note < 'now')`,
  ),
  'a comparison with a time with an offset that is shown': em =>
    em.createQueryBuilder(Zoned, 'z').select(raw(`z.hour > '10:00' as x`)).execute(),
  'a choice of a time with an offset that is shown': em =>
    em.createQueryBuilder(Zoned, 'z').select(raw(`coalesce(z.hour, '10:00') as x`)).execute(),
  'a condition on a time with an offset': em => em.find(Zoned, { hour: { $gt: '10:00' } } as never),
  'an order by a time with an offset': em => em.find(Zoned, {}, { orderBy: { hour: 1 } }),
};

const PLAIN: Record<string, Read> = {
  'a plain time': found({ at: { $gt: '2024-01-01 10:00' } }),
  'a Date': found({ at: { $gt: new Date(0) } }),
  'a range': found({ span: '[2024-01-01,infinity)' }),
  'a word in a text column': found({ note: 'live now, and today' }),
  'words in a list for a text column': found({ note: { $in: ['today', 'now'] } }),
  'a pattern for a text column': found({ note: { $like: '%today%' } }),
  'a time that is cast to a day': ofSql(`m0.at::date = '2024-01-01'`),
  'a day of a time in a zone': ofSql(`(m0.at at time zone 'Europe/Oslo')::date = '2024-01-01'`),
  'a day after a time': ofSql(`(m0.at + interval '1 day')::date = '2024-01-02'`),
  'a day after a day': ofSql(`(date_trunc('day', m0.at) - '1 day'::interval)::date = '2023-12-31'`),
  'the year of a time': ofSql('extract(year from m0.at) = 2024'),
  'a pattern in words': ofSql(`m0.note similar to '2024%' and m0.note not similar to 'a|b' escape '#'`),
  'a character': ofSql(`m0.note::"char" = '2'`),
  'groups of days': em =>
    em
      .createQueryBuilder(Meeting, 'm')
      .select(raw(`date_trunc('day', m.at)::date as day, count(*) as n`))
      .groupBy(raw(`date_trunc('day', m.at)::date`) as never)
      .execute(),
  'a time in a zone': selected(`(m.at at time zone 'Europe/Oslo')::text`),
  'a part of a time in a zone': selected(`date_part('hour', m.at at time zone 'Europe/Oslo')`),
  'a day of a time in parentheses': selected(`((m.at) at time zone 'Europe/Oslo')::date`),
  'a time with an offset that is only shown': em => em.find(Zoned, { note: 'x' }),
};

describe('a query for which PostgreSQL may read the clock', () => {
  let started: Started;

  before(async () => {
    const pglite = await emptyEmbedded();
    await pglite.exec(`create type slot as (at timestamptz, n int);
      create table meeting (id int primary key, at timestamptz not null, day date not null, clock time not null,
        span tstzrange not null, days date[] not null, slot slot not null, note text not null, data jsonb not null);
      create table zoned (id int primary key, note text not null, hour timetz not null);
      create table other (id int primary key, note text not null);
      insert into meeting values (1, '2024-01-01 10:00', '2024-01-01', '10:00', '[2024-01-01,2024-01-02)', '{2024-01-01}',
        '(2024-01-01,1)', '2024-01-01', '{"at": "2024-01-01"}');
      insert into zoned values (1, 'x', '10:00+01')`);
    started = await join({ entities: [Meeting, Zoned], discovery: { checkDuplicateFieldNames: false } });
  });

  after(() => started.orm.close());

  const twice = async (read: Read) => {
    await read(started.orm.em.fork());
    await started.cache.idle();
    return sourcesOf(started.cache, () => read(started.orm.em.fork()));
  };

  for (const [what, read] of Object.entries(READS_CLOCK)) {
    it(`a query that may depend on the time is not cached: ${what}`, async () => {
      expect((await twice(read)).at(-1))
        .to.be.a('string')
        .and.not.equal('cache');
    });
  }

  for (const [what, read] of Object.entries(PLAIN)) {
    it(`a query that cannot depend on the time is cached: ${what}`, async () => {
      expect(await twice(read)).to.deep.equal(['cache']);
    });
  }
});
