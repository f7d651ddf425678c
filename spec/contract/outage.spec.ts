import { expect, use } from 'chai';
import chaiAsPromised from 'chai-as-promised';
import { Redis } from 'ioredis';
import { type CacheopsOptions, getCacheops } from '../../lib/index.js';
import { RedisStore } from '../../lib/store/redis/redis_store.js';
import { type RedisServer, startRedis } from '../support/redis.js';
import { freshDatabase } from '../support/servers.js';
import { type Line, outages } from './outage/outages.js';
import { openSubject, type Subject } from './outage/subject.js';
import { startWire } from './outage/wire.js';
import { createTables } from './processes/schema.js';
import { SteppedStore } from './processes/stepped_store.js';
import { followed, type Step } from './processes/steps.js';

use(chaiAsPromised);

/** Store timeout, in milliseconds: so long that one wait for each query is noticed. */
const WAIT = 300;
/** Time until the next attempt to use the store, in milliseconds. */
const NEVER = 3_600_000;
const SOON = 50;

const READING: readonly Step[] = ['lease', 'database', 'fill'];
const WRITING: readonly Step[] = ['mark', 'commit', 'settle'];

// Mocha turns an unhandled rejection into an error of the test that runs at that moment.
describe('C7, when the store fails', function () {
  this.timeout(120_000);
  let database: string;
  let line: Line;
  let prefix: string;
  let row: number;
  let lastRow = 0;
  const ends: (() => Promise<void>)[] = [];

  before(async () => {
    database = await freshDatabase('outage');
    await createTables(database, 1000);
    // a restarted server must have every invalidation that it had confirmed
    const server = await startRedis(['--appendonly', 'yes', '--appendfsync', 'always']);
    line = { server, wire: await startWire(server.port) };
  });
  after(async () => {
    await line.wire.stop();
    await line.server.stop();
  });

  beforeEach(() => {
    prefix = `spec:${crypto.randomUUID()}:`;
    row = ++lastRow;
  });
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) {
      await end();
    }
  });

  async function open(options: CacheopsOptions): Promise<Subject> {
    const subject = await openSubject(database, options);
    ends.push(() => subject.close());
    return subject;
  }

  /** An ORM that uses the disturbed wire. */
  const behind = (options: Partial<CacheopsOptions> = {}) =>
    open({ redis: line.wire.url, prefix, storeTimeout: WAIT, retryAfter: SOON, ...options });

  /** An ORM that uses the store directly, as in another process. */
  const direct = () => open({ redis: line.server.url, prefix, storeTimeout: 10_000, retryAfter: SOON });

  async function expectOnly(version: number, ...subjects: readonly Subject[]): Promise<void> {
    for (const subject of subjects) {
      expect(new Set(await subject.lookUntilHit(row))).to.deep.equal(new Set([version]));
    }
  }

  for (const [name, { begin, end }] of Object.entries(outages)) {
    const during = async (use: () => Promise<unknown>) => {
      await begin(line);
      try {
        await use();
      } finally {
        await end(line);
      }
    };

    describe(`because it ${name}`, () => {
      it('reads go to the database, and wait only once', async () => {
        const subject = await behind({ retryAfter: NEVER });
        await subject.lookUntilHit(row);
        await during(async () => {
          const began = performance.now();
          const reads = 50;
          for (let i = 0; i < reads; i++) {
            expect(await subject.look(row)).to.deep.equal({ version: 1, hit: false });
          }
          expect(subject.failures()).to.equal(1);
          expect(performance.now() - began).to.be.below((reads * WAIT) / 4);
        });
      });

      it('concurrent reads share the wait', async () => {
        const subject = await behind({ retryAfter: NEVER });
        await subject.lookUntilHit(row);
        await during(async () => {
          const began = performance.now();
          const looks = await Promise.all(Array.from({ length: 50 }, () => subject.look(row)));
          expect(new Set(looks.map(({ version }) => version))).to.deep.equal(new Set([1]));
          expect(performance.now() - began).to.be.below(10 * WAIT);
        });
      });

      it('a write commits, and a store that is trusted again serves no older result', async () => {
        const [subject, other] = await Promise.all([behind(), direct()]);
        await subject.lookUntilHit(row);
        await other.lookUntilHit(row);
        await during(async () => {
          expect(await subject.bump(row)).to.equal(2);
          expect(await subject.look(row)).to.deep.equal({ version: 2, hit: false });
        });
        // in this order: once one ORM trusts the store again, no other may serve old rows
        await expectOnly(2, subject, other);
      });

      it('all of many writes are delivered, after any number of failed attempts', async () => {
        const subject = await behind();
        const rows = Array.from({ length: 10 }, () => ++lastRow);
        for (const each of rows) {
          await subject.lookUntilHit(each);
        }
        await during(async () => {
          for (const each of rows) {
            await subject.bump(each);
            await subject.look(each);
          }
        });
        for (const each of rows) {
          expect(new Set(await subject.lookUntilHit(each))).to.deep.equal(new Set([2]));
        }
      });

      it('with `throw`, a write fails without a commit', async () => {
        const subject = await behind({ onStoreFailure: 'throw' });
        await subject.lookUntilHit(row);
        await during(async () => {
          await expect(subject.bump(row)).to.be.rejectedWith(/store/);
          expect(await subject.look(row)).to.deep.equal({ version: 1, hit: false });
        });
        await expectOnly(1, subject);
        expect(await subject.bump(row)).to.equal(2);
        await expectOnly(2, subject);
      });

      it('the ORM closes', async () => {
        const subject = await openSubject(database, { redis: line.wire.url, prefix, storeTimeout: WAIT });
        await subject.lookUntilHit(row);
        await during(async () => {
          const began = performance.now();
          await subject.bump(row);
          await subject.close();
          expect(performance.now() - began).to.be.below(20 * WAIT);
        });
      });

      for (const step of [...READING, ...WRITING]) {
        it(`no read is stale after a fault before the step '${step}'`, async () => {
          const store = new RedisStore(line.wire.url, { prefix, commandTimeout: WAIT });
          ends.push(() => store.close());
          const [subject, other] = await Promise.all([
            open({ store: new SteppedStore(store), retryAfter: SOON }),
            direct(),
          ]);
          // the store has a registry out of quarantine, with the readers' schemes
          await subject.lookUntilHit(++lastRow);
          if (WRITING.includes(step)) {
            await other.lookUntilHit(row);
          }

          let begun = false;
          const steps = {
            background: [] as Promise<unknown>[],
            async before(next: Step) {
              if (next === step && !begun) {
                begun = true;
                await begin(line);
              }
            },
          };
          try {
            if (WRITING.includes(step)) {
              await followed(steps, () => subject.bump(row));
            } else {
              await followed(steps, () => subject.look(row));
              await subject.bump(row);
            }
            await Promise.allSettled(steps.background);
            expect(begun).to.equal(true);
            expect(await subject.look(row)).to.deep.equal({ version: 2, hit: false });
          } finally {
            await end(line);
          }
          await expectOnly(2, subject, other);
        });
      }
    });
  }

  it('because it restarts with data from before the last write, no read is stale', async () => {
    const server = await startRedis();
    ends.push(() => server.stop());
    const subject = await open({ redis: server.url, prefix, storeTimeout: 10_000, retryAfter: SOON });
    await subject.lookUntilHit(row);
    await saveNow(server);
    expect(await subject.bump(row)).to.equal(2);
    await getCacheops(subject.orm).idle();
    await server.kill9();
    await server.restart();
    await expectOnly(2, subject);
  });

  it('because answers end at any byte, reads and writes go on', async () => {
    const subject = await behind({ retryAfter: 1 });
    await subject.lookUntilHit(row);
    let version = 1;
    // the answers to a read, a lease and a mark have some hundred bytes
    for (let bytes = 0; bytes < 600; bytes += 17) {
      line.wire.cutAfter(bytes);
      expect((await subject.look(row)).version).to.equal(version);
      expect(await subject.bump(row)).to.equal(++version);
      for (let i = 0; i < 3; i++) {
        expect((await subject.look(row)).version).to.equal(version);
      }
    }
    await expectOnly(version, subject);
  });
});

async function saveNow({ url }: RedisServer): Promise<void> {
  const client = new Redis(url);
  try {
    await client.save();
  } finally {
    client.disconnect();
  }
}
