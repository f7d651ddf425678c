import { defineEntity, p, Type } from '@mikro-orm/core';
import type { EntityManager, MikroORM } from '@mikro-orm/pglite';
import { MikroORM as PostgresORM } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import { type Cacheops, cacheops, getCacheops } from '../../../lib/index.js';
import { freshDatabase } from '../../support/servers.js';
import { sourcesOf } from '../support/observe.js';
import { partsOf, snapshotOf } from '../support/snapshot.js';
import { joinUncached, start } from '../support/start.js';

class Point {
  constructor(
    readonly x: number,
    readonly y: number,
  ) {}
}

class PointType extends Type<Point | null, string | null> {
  override convertToDatabaseValue(point: Point | null): string | null {
    return point && `(${point.x},${point.y})`;
  }

  override convertToJSValue(value: string | Point | null): Point | null {
    if (typeof value !== 'string') {
      return value && new Point(value.x, value.y);
    }
    const [x, y] = value.slice(1, -1).split(',').map(Number);
    return new Point(x!, y!);
  }

  override getColumnType(): string {
    return 'point';
  }
}

const Part = defineEntity({
  name: 'Part',
  embeddable: true,
  properties: { name: p.string(), at: p.datetime().nullable(), inner: p.json().nullable() },
});

const Sample = defineEntity({
  name: 'Sample',
  cacheops: { timeout: 60 },
  properties: {
    id: p.integer().primary(),
    big: p.bigint('bigint').nullable(),
    bigText: p.bigint('string').nullable(),
    decimal: p.decimal('string').precision(20).scale(4).nullable(),
    decimalNumber: p.decimal('number').nullable(),
    double: p.double().nullable(),
    real: p.float().columnType('real').nullable(),
    flag: p.boolean().nullable(),
    char: p.character().length(6).nullable(),
    text: p.text().nullable(),
    lazy: p.text().nullable().lazy().ref(),
    uuid: p.uuid().nullable(),
    json: p.json().nullable(),
    plainJson: p.json().columnType('json').nullable(),
    date: p.date().nullable(),
    time: p.time().nullable(),
    instant: p.datetime().columnType('timestamptz(6)').nullable(),
    local: p.datetime().columnType('timestamp(3)').nullable(),
    duration: p.string().columnType('interval').nullable(),
    words: p.array().nullable(),
    numbers: p
      .array<number>(text => Number(text))
      .columnType('integer[]')
      .nullable(),
    point: p.type(PointType).nullable(),
    part: p.embedded(Part).nullable(),
    objectPart: p.embedded(Part).object().nullable(),
    parts: p.embedded(Part).array().nullable(),
  },
});

const Bytes = defineEntity({
  name: 'Bytes',
  cacheops: { timeout: 60 },
  properties: { id: p.integer().primary(), bytes: p.blob() },
});

const entities = [Sample, Bytes, Part];

const ROWS: Record<string, Record<string, string>> = {
  'nothing but NULL': {},
  integers: { big: '9223372036854775807', big_text: '-9223372036854775808' },
  decimals: { decimal: '1234567890123456.5000', decimal_number: '0.1', real: '0.1' },
  'negative zero': { double: `'-0'`, real: `'-0'` },
  'what is no number': { double: `'NaN'`, real: `'Infinity'` },
  'extreme numbers': { double: '5e-324', real: '1e38', decimal: '-0.0001' },
  strings: {
    flag: 'false',
    char: `'ab'`,
    text: `'€ 😀 '' \\ ' || chr(1)`,
    uuid: `'00000000-0000-4000-8000-00000000ABCD'`,
  },
  'empty strings': { char: `''`, text: `''` },
  json: {
    json: `'{"a": [1, {"b": null}], "": 1.5, "__proto__": {"x": 1}}'`,
    plain_json: `'{"b": 1, "a": 2, "a": 3}'`,
  },
  'json that is no object': { json: `'"text"'`, plain_json: '\'[1, "2", -0, 1e2]\'' },
  'json with keys that objects have': {
    json: `'{"toJSON": 1, "constructor": {"name": "x"}, "then": 1, "length": 1}'`,
  },
  'json null': { json: `'null'`, plain_json: `'null'` },
  'json with half a character': { plain_json: `'{"text": "\\ud800"}'` },
  dates: {
    date: `'0001-02-03'`,
    time: `'23:59:59'`,
    instant: `'2024-10-27T01:30:00.123456+02'`,
    local: `'1969-12-31 23:59:59.999'`,
  },
  'early dates': { instant: `'0099-01-01T00:00Z'`, local: `'1800-06-01'`, date: `'9999-12-31'` },
  durations: { duration: `'1 year 2 days 03:04:05.006'` },
  arrays: { words: `array['a', 'b,c', '"d"', '', null]`, numbers: 'array[1, -2, null]' },
  'empty arrays': { words: `'{}'`, numbers: `'{}'` },
  'custom types': { point: `'(1.5,-2)'` },
  embeddables: {
    part_name: `'n'`,
    part_at: `'2024-01-01Z'`,
    part_inner: `'{"a": [1]}'`,
    object_part: `'{"name": "o", "at": "2024-01-01T00:00:00.000Z", "inner": {"b": 2}}'`,
    parts: `'[{"name": "p"}, {"name": "q", "inner": [null]}]'`,
  },
};

describe('the values of a hit', () => {
  for (const [where, connect] of [
    ['PGlite', connectEmbedded],
    ['PostgreSQL', connectPostgres],
  ] as const) {
    describe(`on ${where}`, () => {
      let orm: MikroORM;
      let uncached: MikroORM;
      let cache: Cacheops;
      const names = Object.keys(ROWS);

      before(async () => {
        ({ orm, uncached, cache } = await connect());
        for (const [i, columns] of Object.values(ROWS).entries()) {
          const fields = ['id', ...Object.keys(columns)].join(', ');
          const values = [i + 1, ...Object.values(columns)].join(', ');
          await uncached.em.execute(`insert into sample (${fields}) values (${values})`);
        }
        await uncached.em.execute(`insert into bytes (id, bytes) values (1, '\\x00ff61'), (2, '')`);
      });

      after(async () => {
        await uncached.close();
        await orm.close();
      });

      for (const [i, name] of names.entries()) {
        it(`are equal to those of the database: ${name}`, async () => {
          const read = (em: EntityManager) => em.findOneOrFail(Sample, i + 1);
          const expected = await snapshot(uncached, read);
          // NaN is not equal to itself, so that the ORM writes it at every flush
          expect(JSON.parse(expected).changes).to.have.length(name === 'what is no number' ? 1 : 0);
          expect(await snapshot(orm, read)).to.equal(expected);
          await cache.idle();
          expect(await snapshot(orm, read)).to.equal(expected);
        });
      }

      it('are read from the cache in nearly all of these cases', async () => {
        const sources: string[] = [];
        for (const [i] of names.entries()) {
          await orm.em.fork().findOneOrFail(Sample, i + 1);
          await cache.idle();
          sources.push(...(await sourcesOf(cache, () => orm.em.fork().findOneOrFail(Sample, i + 1))));
        }
        const uncachedRows = names.filter((_, i) => sources[i] !== 'cache');
        // they would come back as another value
        expect(uncachedRows).to.have.members([
          'negative zero',
          'json',
          'json that is no object',
          'json with keys that objects have',
          'json with half a character',
        ]);
      });

      it('are other objects in each hit', async () => {
        const ems = [orm.em.fork(), orm.em.fork()];
        for (const em of [orm.em.fork(), ...ems]) {
          await em.find(Sample, {}, { populate: ['lazy'] });
          await em.find(Bytes, {});
          await cache.idle();
        }
        const [first, second] = ems.map(em => partsOf(em));
        expect([...first!].filter(part => second!.has(part))).to.deep.equal([]);
      });

      it('include lazy scalars that the read populates', async () => {
        const reads: ((em: EntityManager) => Promise<unknown>)[] = [
          em => em.find(Sample, {}, { populate: ['lazy'] }),
          em => em.find(Sample, {}, { fields: ['lazy'] }),
          em => em.find(Sample, {}, { exclude: ['text'] }),
          async em => (await em.findOneOrFail(Sample, 1)).lazy?.load(),
        ];
        for (const read of reads) {
          const expected = await snapshot(uncached, read);
          for (let i = 0; i < 3; i++) {
            expect(await snapshot(orm, read)).to.equal(expected);
            await cache.idle();
          }
        }
      });

      it('stay bytes', async () => {
        const read = (em: EntityManager) => em.find(Bytes, {});
        const expected = await snapshot(uncached, read);
        for (let i = 0; i < 3; i++) {
          expect(await snapshot(orm, read)).to.equal(expected);
          await cache.idle();
        }
      });
    });
  }
});

async function snapshot(orm: MikroORM, read: (em: EntityManager) => Promise<unknown>): Promise<string> {
  const em = orm.em.fork();
  return snapshotOf(em, await read(em));
}

interface Connected {
  readonly orm: MikroORM;
  readonly uncached: MikroORM;
  readonly cache: Cacheops;
}

async function connectEmbedded(): Promise<Connected> {
  const { orm, cache } = await start({ entities });
  return { orm, cache, uncached: await joinUncached({ entities }) };
}

async function connectPostgres(): Promise<Connected> {
  const options = { entities, clientUrl: await freshDatabase('values') };
  const orm = (await PostgresORM.init({ ...options, extensions: [cacheops()] })) as unknown as MikroORM;
  await orm.schema.create();
  return { orm, cache: getCacheops(orm), uncached: (await PostgresORM.init(options)) as unknown as MikroORM };
}
