import type { EntityManager } from '@mikro-orm/pglite';
import { expect } from 'chai';
import fc from 'fast-check';
import { Packr } from 'msgpackr';
import { Article, Tag } from '../../../fixtures/legacy/index.js';
import { type CacheopsOptions, MemoryStore } from '../../../lib/index.js';
import { startBlog } from '../support/blog.js';
import { sourcesOf } from '../support/observe.js';
import type { Started } from '../support/start.js';

type Fill = MemoryStore['fill'];

/** Stores something else than what it is given. */
class ForgingStore extends MemoryStore {
  forge: (() => Uint8Array) | undefined;

  override fill(...[address, seal, payload, ...rest]: Parameters<Fill>): ReturnType<Fill> {
    return super.fill(address, seal, this.forge?.() ?? payload, ...rest);
  }
}

const RUNS = Number(process.env.ODD_PAYLOADS ?? 40);
const packr = new Packr({ moreTypes: true, useBigIntExtension: true, copyBuffers: true });

const isRow = (value: unknown) => Object.prototype.toString.call(value) === '[object Object]';
const areRows = (value: unknown) => Array.isArray(value) && Array.from(value).every(isRow);
const isNumber = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0;
const isRowOrNone = (value: unknown) => value === undefined || value === null || isRow(value);

const odd = fc.oneof(
  fc.constantFrom<unknown>(null, undefined, -1, 1.5, '3', 3n, true, NaN, [1], [null], [[]], { length: 1 }, [
    {},
    1,
  ]),
  fc.constantFrom<unknown>(
    new Date(0),
    new Map(),
    new Set([{}]),
    Buffer.of(1),
    [new Date(0)],
    [Buffer.of(1)],
  ),
  fc.anything({ withBigInt: true, withDate: true, withMap: true, withSet: true, withTypedArray: true }),
);

/** How a serializer of the user's writes: its text, behind the byte that says so. */
const asText = (value: unknown) => {
  const text = JSON.stringify(value, (_, part) => (typeof part === 'bigint' ? String(part) : part));
  return Buffer.concat([Buffer.of(1), Buffer.from(text ?? 'null')]);
};

const FORMATS: Record<
  string,
  { options: CacheopsOptions; pack: (value: unknown) => Uint8Array; unpack: (bytes: Uint8Array) => unknown }
> = {
  'the codec of this package': {
    options: {},
    pack: value => packr.pack(value),
    unpack: bytes => packr.unpack(bytes),
  },
  'a serializer': {
    options: { serializer: { encode: JSON.stringify, decode: text => JSON.parse(String(text)) } },
    pack: asText,
    unpack: bytes => JSON.parse(Buffer.from(bytes.subarray(1)).toString()),
  },
};

const READS: Record<
  string,
  { has: (value: unknown) => boolean; read: (em: EntityManager) => Promise<unknown> }
> = {
  'find()': {
    has: areRows,
    read: async em => (await em.find(Tag, {}, { orderBy: { id: 1 } })).map(({ name }) => name),
  },
  'find() by keys': {
    has: areRows,
    read: async em => (await em.find(Tag, { id: [1, 2] })).map(({ name }) => name).sort(),
  },
  'findOne()': { has: areRows, read: async em => (await em.findOne(Tag, 1))?.name },
  'findOne() of nothing': { has: areRows, read: async em => em.findOne(Tag, 99) },
  'count()': { has: isNumber, read: em => em.count(Tag) },
  'exists()': { has: isNumber, read: em => em.exists(Tag, { id: 1 }) },
  'rows of a query builder': {
    has: areRows,
    read: em => em.createQueryBuilder(Tag).select('name').orderBy({ id: 1 }).cacheops().execute('all'),
  },
  'one row of a query builder': {
    has: isRowOrNone,
    read: em => em.createQueryBuilder(Tag).select('name').where({ id: 1 }).cacheops().execute('get'),
  },
  'a count of a query builder': {
    has: isRowOrNone,
    read: em => em.createQueryBuilder(Article).cacheops().getCount(),
  },
};

describe('entries that are no results', () => {
  for (const [label, { options, pack, unpack }] of Object.entries(FORMATS)) {
    describe(`encoded by ${label}`, () => {
      let started: Started;
      let store: ForgingStore;
      let errors: unknown[];

      before(async () => {
        store = new ForgingStore();
        const profiles = { '*': { ops: 'all' as const } };
        started = await startBlog({ cacheops: { store, defaults: { ops: 'all' }, profiles, ...options } });
        started.cache.events.on('error', ({ error }) => errors.push(error));
      });

      beforeEach(() => {
        errors = [];
      });

      after(() => started.orm.close());

      for (const [name, { has, read }] of Object.entries(READS)) {
        it(`such an entry is a miss of ${name}, and announces an error event`, async () => {
          const fork = () => started.orm.em.fork();
          const truth = await read(fork());
          await fc.assert(
            fc.asyncProperty(odd, async value => {
              const forged = pack(value);
              fc.pre(!has(unpack(forged)));
              await started.cache.invalidateAll();
              store.forge = () => forged;
              try {
                await sourcesOf(started.cache, () => read(fork()));
              } finally {
                store.forge = undefined;
              }
              errors.length = 0;
              let found: unknown;
              const sources = await sourcesOf(started.cache, async () => {
                found = await read(fork());
              });
              expect(found).to.deep.equal(truth);
              expect(sources).to.deep.equal(['miss']);
              expect(errors).to.have.lengthOf(1);
              expect(await sourcesOf(started.cache, () => read(fork()))).to.deep.equal(['cache']);
            }),
            { numRuns: RUNS },
          );
        });
      }
    });
  }
});
