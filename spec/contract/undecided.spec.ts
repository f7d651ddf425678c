import { randomUUID } from 'node:crypto';
import { expect, use } from 'chai';
import chaiAsPromised from 'chai-as-promised';
import { getCacheops } from '../../lib/index.js';
import { startRedis } from '../support/redis.js';
import { freshDatabase } from '../support/servers.js';
import { until } from '../support/until.js';
import { loseAnswerOfCommit, portOf, startRelay, through } from './chaos/relay.js';
import { type Line, outages } from './outage/outages.js';
import { openSubject, type Subject } from './outage/subject.js';
import { startWire } from './outage/wire.js';
import { Article, createTables } from './processes/schema.js';

use(chaiAsPromised);

/** Store timeout, in milliseconds. */
const WAIT = 300;

describe('C1 and C7, while a transaction is undecided, or its outcome is unknown', function () {
  this.timeout(120_000);
  let database: string;
  let line: Line;
  let prefix: string;
  let row: number;
  let lastRow = 0;
  const ends: (() => Promise<unknown>)[] = [];

  before(async () => {
    database = await freshDatabase('undecided');
    await createTables(database, 200);
    // a restarted server must have every invalidation that it had confirmed
    const server = await startRedis(['--appendonly', 'yes', '--appendfsync', 'always']);
    line = { server, wire: await startWire(server.port) };
  });
  after(async () => {
    await line.wire.stop();
    await line.server.stop();
  });

  beforeEach(() => {
    prefix = `spec:${randomUUID()}:`;
    row = ++lastRow;
  });
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) {
      await end();
    }
  });

  const at = (redis: string) => ({ redis, prefix, storeTimeout: WAIT, retryAfter: 50 });

  async function open(redis: string): Promise<Subject> {
    const subject = await openSubject(database, at(redis));
    ends.push(() => subject.close());
    return subject;
  }

  /** Changes the row in a transaction that another session ends. */
  async function prepare({ orm }: Subject): Promise<string> {
    const name = randomUUID();
    const em = orm.em.fork();
    await em.begin();
    await em.nativeUpdate(Article, row, { version: 2 });
    await em.execute(`prepare transaction '${name}'`);
    await em.commit(); // the connection goes back to the pool
    return name;
  }

  const decide = ({ orm }: Subject, decision: 'commit' | 'rollback', name: string) =>
    orm.em.getConnection().execute(`${decision} prepared '${name}'`);

  async function during(outage: (typeof outages)[string], run: () => Promise<void>): Promise<void> {
    await outage.begin(line);
    try {
      await run();
    } finally {
      await outage.end(line);
    }
  }

  it('rows that a prepared transaction has changed are not cached until it is decided', async () => {
    const [subject, other] = await Promise.all([open(line.server.url), open(line.server.url)]);
    for (const [decision, version] of [
      ['rollback', 1],
      ['commit', 2],
    ] as const) {
      await other.lookUntilHit(row);
      const name = await prepare(subject);
      for (const { look } of [subject, other]) {
        expect(await look(row)).to.deep.equal({ version: 1, hit: false });
      }
      await decide(other, decision, name);
      for (const { lookUntilHit } of [subject, other]) {
        expect(new Set(await lookUntilHit(row))).to.deep.equal(new Set([version]));
      }
    }
  });

  it('the cache is idle while a prepared transaction is undecided', async () => {
    const subject = await open(line.server.url);
    await subject.lookUntilHit(row);
    const name = await prepare(subject);
    await getCacheops(subject.orm).idle();
    await decide(subject, 'commit', name);
    expect(new Set(await subject.lookUntilHit(row))).to.deep.equal(new Set([2]));
  });

  it('the ORM closes while a prepared transaction is undecided', async () => {
    const [subject, other] = await Promise.all([open(line.server.url), open(line.server.url)]);
    await other.lookUntilHit(row);
    const name = await prepare(subject);
    await subject.close();
    expect(await other.look(row)).to.deep.equal({ version: 1, hit: false });
    await decide(other, 'commit', name);
    expect(new Set(await other.lookUntilHit(row))).to.deep.equal(new Set([2]));
  });

  for (const begins of [true, false]) {
    it(`PREPARE TRANSACTION in a text of several statements that ${begins ? 'begins' : 'continues'} it is noticed`, async () => {
      const [subject, other] = await Promise.all([open(line.server.url), open(line.server.url)]);
      await other.lookUntilHit(row);
      const name = randomUUID();
      const em = subject.orm.em.fork();
      const text = `update article set version = 2 where id = ${row}; prepare transaction '${name}'`;
      if (begins) {
        await em.execute(`begin; ${text}`);
      } else {
        await em.begin();
        await em.execute(text);
        await em.commit();
      }
      for (const { look } of [subject, other]) {
        expect(await look(row)).to.deep.equal({ version: 1, hit: false });
      }
      await decide(other, 'commit', name);
      for (const { lookUntilHit } of [subject, other]) {
        expect(new Set(await lookUntilHit(row))).to.deep.equal(new Set([2]));
      }
    });
  }

  it('a statement outside of transactions that loses its connection is undecided while the database executes it', async () => {
    await using relay = await startRelay(portOf(database));
    const other = await open(line.server.url);
    const subject = await openSubject(through(relay, database), at(line.server.url));
    await other.lookUntilHit(row);
    await subject.lookUntilHit(row);
    const blocking = other.orm.em.fork();
    await blocking.begin();
    await blocking.execute(`select pg_advisory_xact_lock(${row})`);
    const text = `begin; select pg_advisory_xact_lock(${row}); update article set version = 2 where id = ${row}; commit`;
    const written = expect(subject.orm.em.fork().execute(text)).to.be.rejected;
    const locks = async () => {
      const sql = `select granted from pg_locks where locktype = 'advisory' and classid = 0 and objid = ${row}`;
      return other.orm.em.fork().execute<{ granted: boolean }[]>(sql);
    };
    await until(async () => (await locks()).some(({ granted }) => !granted));
    relay.closed = true;
    relay.cut();
    await written;
    await getCacheops(subject.orm).close();
    expect(await other.look(row)).to.deep.equal({ version: 1, hit: false });
    await blocking.commit();
    await until(async () => (await locks()).length === 0);
    expect(new Set(await other.lookUntilHit(row))).to.deep.equal(new Set([2]));
  });

  for (const [name, outage] of Object.entries(outages)) {
    describe(`and the store ${name}`, () => {
      for (const decision of ['commit', 'rollback'] as const) {
        it(`a process that is closed before ${decision} delivers the marks of its prepared transaction`, async () => {
          const [subject, other] = await Promise.all([open(line.wire.url), open(line.server.url)]);
          await other.lookUntilHit(row);
          await subject.lookUntilHit(row);
          let prepared = '';
          await during(outage, async () => {
            prepared = await prepare(subject);
          });
          await subject.close();
          await until(async () => (await other.look(++lastRow)).version === 1);
          await decide(other, decision, prepared);
          const version = decision === 'commit' ? 2 : 1;
          expect(new Set(await other.lookUntilHit(row))).to.deep.equal(new Set([version]));
        });
      }

      it('a prepared transaction keeps no process from trusting the recovered store', async () => {
        const [subject, other] = await Promise.all([open(line.wire.url), open(line.server.url)]);
        await other.lookUntilHit(row);
        await subject.lookUntilHit(row);
        let prepared = '';
        await during(outage, async () => {
          prepared = await prepare(subject);
        });
        // the transaction's mark covers everything in the table: results of other transactions are cached
        await until(
          async () => {
            const { orm } = subject;
            const reads = getCacheops(orm).stats().refused;
            await orm.em.fork().findOneOrFail(Article, row);
            return getCacheops(orm).stats().refused > reads && (await other.look(row)).hit === false;
          },
          { timeout: 60_000, interval: 20 },
        );
        await decide(other, 'commit', prepared);
        for (const { lookUntilHit } of [subject, other]) {
          expect(new Set(await lookUntilHit(row))).to.deep.equal(new Set([2]));
        }
      });

      it('a process that is closed after losing the answer to a COMMIT delivers its marks', async () => {
        await using relay = await startRelay(portOf(database));
        const other = await open(line.server.url);
        // a pool cannot be closed after it has lost a connection in a COMMIT
        const subject = await openSubject(through(relay, database), at(line.wire.url));
        await other.lookUntilHit(row);
        await subject.lookUntilHit(row);
        await during(outage, async () => {
          loseAnswerOfCommit(relay);
          await expect(subject.bump(row)).to.be.rejected;
        });
        await getCacheops(subject.orm).close();
        expect(new Set(await other.lookUntilHit(row))).to.deep.equal(new Set([2]));
      });
    });
  }
});
