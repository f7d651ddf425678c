import { randomUUID } from 'node:crypto';
import { expect } from 'chai';
import fc from 'fast-check';
import type { Redis } from 'ioredis';
import { getCacheops } from '../../lib/index.js';
import { quietClient } from '../store/redis/support.js';
import { startRedis } from '../support/redis.js';
import { freshDatabase } from '../support/servers.js';
import { openSubject, type Subject } from './outage/subject.js';
import { Article, createTables } from './processes/schema.js';

const ROWS = 3;

/** What another program does to a key. */
type Tampering = (client: Redis, key: string) => Promise<unknown>;

const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 40 }).map(array => Buffer.from(array)),
  fc
    .constantFrom(
      '',
      '0',
      '7',
      '-1',
      '1e999',
      'nan',
      '{}',
      '[1,2]',
      'null',
      '\x80',
      '\x90',
      '\xc1',
      '\x81\xa1a\xa1b',
    )
    .map(text => Buffer.from(text, 'latin1')),
  fc.constant(Buffer.alloc(2 ** 20, 'x')),
);

const field = fc.oneof(
  bytes,
  fc
    .constantFrom('epoch', 'quarantine', 'version', 'clock', 'schemes', 'everything', 's:', 'u:')
    .map(name => Buffer.from(name)),
);

/** Replaces a key's value by another, of any type. */
const replacing: fc.Arbitrary<Tampering> = fc.oneof(
  bytes.map(
    (value): Tampering =>
      (client, key) =>
        client.set(key, value),
  ),
  fc.tuple(fc.constantFrom('rpush', 'sadd'), fc.array(bytes, { minLength: 1, maxLength: 4 })).map(
    ([command, values]): Tampering =>
      async (client, key) => {
        await client.del(key);
        await client.call(command, key, ...values);
      },
  ),
  fc.array(fc.tuple(field, bytes), { minLength: 1, maxLength: 4 }).map(
    (fields): Tampering =>
      async (client, key) => {
        await client.del(key);
        await client.call('HSET', key, ...fields.flat());
      },
  ),
  bytes.map(
    (value): Tampering =>
      async (client, key) => {
        await client.del(key);
        await client.call('ZADD', key, '1', value);
      },
  ),
  bytes.map(
    (value): Tampering =>
      async (client, key) => {
        await client.del(key);
        await client.call('XADD', key, '*', 'field', value);
      },
  ),
);

/** Damages the value. */
const damaging: fc.Arbitrary<Tampering> = fc.tuple(fc.nat(), fc.option(bytes), fc.nat()).map(
  ([which, value, at]): Tampering =>
    async (client, key) => {
      switch (await client.type(key)) {
        case 'hash': {
          const names = (await client.hkeysBuffer(key)).sort(Buffer.compare);
          const name = names[which % names.length]!;
          await (value ? client.hset(key, name, value) : client.hdel(key, name));
          break;
        }
        case 'string': {
          const old = (await client.getBuffer(key))!;
          const end = at % (old.length + 1);
          await client.set(key, Buffer.concat([old.subarray(0, end), value ?? Buffer.of()]), 'KEEPTTL');
          break;
        }
        case 'list':
          await (value ? client.lset(key, 0, value) : client.lpop(key));
      }
    },
);

describe('C3 and C7, when another program writes to the keys of the cache', function () {
  this.timeout(300_000);

  for (const onStoreFailure of ['throw', 'degrade'] as const) {
    it(`reads are correct, writes commit, and results are cached again (${onStoreFailure})`, async () => {
      const database = await freshDatabase('odd');
      await createTables(database, ROWS);
      await using server = await startRedis();
      const client = quietClient(server.url);
      const subjects: Subject[] = [];
      const open = async () => {
        const subject = await openSubject(database, {
          redis: server.url,
          prefix: `spec:${randomUUID()}:`,
          storeTimeout: 10_000,
          onStoreFailure,
          // an error would keep the store out of use for this long
          retryAfter: 3_600_000,
        });
        subjects.push(subject);
        return subject;
      };
      const subject = await open();
      const versions = new Map(Array.from({ length: ROWS }, (_, i) => [i + 1, 1]));
      const errors: unknown[] = [];
      getCacheops(subject.orm).events.on('error', ({ error }) => errors.push(error));

      async function check(): Promise<void> {
        for (const [row, version] of versions) {
          expect((await subject.look(row)).version, `row ${row}`).to.equal(version);
        }
        // the stamp is versioned, and has a delta log
        const later = [...versions.values()].filter(version => version > 3).length;
        expect(await subject.orm.em.fork().count(Article, { version: { $gt: 3 } })).to.equal(later);
      }

      async function write(row: number): Promise<void> {
        versions.set(row, versions.get(row)! + 1);
        expect(await subject.bump(row)).to.equal(versions.get(row));
      }

      try {
        await fc.assert(
          fc.asyncProperty(
            fc.array(fc.tuple(fc.nat(), fc.oneof(replacing, damaging)), { minLength: 1, maxLength: 3 }),
            fc.array(fc.integer({ min: 1, max: ROWS }), { maxLength: 2 }),
            fc.boolean(),
            async (tamperings, written, looksFirst) => {
              for (const row of versions.keys()) {
                await subject.lookUntilHit(row);
              }
              await check();
              await getCacheops(subject.orm).idle();
              const keys = (await client.keys('*')).sort();
              for (const [which, tamper] of tamperings) {
                await tamper(client, keys[which % keys.length]!).catch(() => {}); // the key no longer exists
              }
              if (looksFirst) {
                await check();
              }
              for (const row of written) {
                await write(row);
                await check();
              }
              await check();
              expect(errors).to.deep.equal([]);
            },
          ),
          { numRuns: 150 },
        );
      } finally {
        await Promise.all(subjects.map(({ close }) => close()));
        client.disconnect();
      }
    });
  }
});
