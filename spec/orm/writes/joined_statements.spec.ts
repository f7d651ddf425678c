import { defineEntity, type EntityManager, p } from '@mikro-orm/core';
import { MikroORM, type Options } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import { CompiledQuery, type DatabaseConnection, type Kysely } from 'kysely';
import { statementsIn, Wire } from '../../../bench/exchanges/wire.js';
import { cacheops, getCacheops, MemoryStore } from '../../../lib/index.js';
import { freshDatabase } from '../../support/servers.js';
import { sourcesOf } from '../support/observe.js';

const Item = defineEntity({
  name: 'Item',
  cacheops: { ops: 'all', timeout: 60 },
  properties: { id: p.integer().primary(), name: p.string(), n: p.integer() },
});
const Log = defineEntity({
  name: 'Log',
  cacheops: { ops: 'all', timeout: 60 },
  properties: { id: p.integer().primary() },
});

const Quoted = defineEntity({
  name: 'Quoted',
  cacheops: { ops: 'all', timeout: 60 },
  properties: { id: p.integer().primary(), it: p.string().fieldName("it's") },
});
const Slashed = defineEntity({
  name: 'Slashed',
  cacheops: { ops: 'all', timeout: 60 },
  properties: { id: p.integer().primary(), it: p.string().fieldName('a\\b') },
});

/** The part of a client of node-postgres that is used. */
interface Client {
  processID: number;
  query(sql: string): Promise<{ readonly rows: { readonly n: number }[] }>;
}

/** Clients that are told the number of another process, as behind a pooler. */
const POOLER = {
  onPoolCreated(pool: NodeJS.EventEmitter) {
    pool.on('connect', (client: Client) => {
      client.processID++;
    });
  },
};

describe('Statements in one message:', () => {
  let url: string;
  let orm: MikroORM;
  let wire: Wire;
  const opened: MikroORM[] = [];

  async function open(options: Options = {}): Promise<MikroORM> {
    const store = new MemoryStore();
    const one = await MikroORM.init({
      clientUrl: url,
      entities: [Item, Log, Quoted, Slashed],
      pool: { max: 1 },
      extensions: [cacheops({ store })],
      ...options,
    });
    opened.push(one);
    return one;
  }

  beforeEach(async () => {
    url = await freshDatabase('joined');
    orm = await open();
    await orm.schema.create();
    await orm.em.insertMany(
      Item,
      [1, 2, 3].map(id => ({ id, name: `n${id}`, n: id })),
    );
    wire = new Wire(Number(new URL(url).port), statementsIn);
  });

  afterEach(async () => {
    wire[Symbol.dispose]();
    for (const one of opened.splice(0)) {
      await one.close();
    }
  });

  /** The first words of the first two statements of each message. */
  const commands = () =>
    wire.take().messages.map(text =>
      text
        .split(';', 2)
        .map(part => part.trim().split(' ')[0]!.toLowerCase())
        .join(';'),
    );
  const rename = (em: EntityManager, name: string) => em.nativeUpdate(Item, { id: 1 }, { name });

  async function sentBy(work: () => Promise<unknown>): Promise<string[]> {
    wire.take();
    await work();
    return commands();
  }

  it('BEGIN is sent with the first statement of the transaction, and COMMIT with the check of the definitions', async () => {
    expect(
      await sentBy(() => orm.em.fork().transactional(em => em.find(Log, {}, { cacheops: false }))),
    ).to.deep.equal(['begin;select', 'commit']);
    const em = orm.em.fork();
    const item = await em.findOneOrFail(Item, 1, { cacheops: false });
    item.name = 'with; semicolon';
    expect(await sentBy(() => em.flush())).to.deep.equal(['begin;update', 'savepoint;execute']);
  });

  it('nothing is sent for a transaction that the cache answers', async () => {
    const read = (em: EntityManager) => em.find(Item, { n: 2 });
    await read(orm.em.fork());
    await getCacheops(orm).idle();
    expect(await sentBy(() => orm.em.fork().transactional(read))).to.deep.equal([]);
    expect(
      await sentBy(() =>
        orm.em
          .fork()
          .transactional(() => Promise.reject(new Error('rolled back')))
          .catch(() => undefined),
      ),
    ).to.deep.equal([]);
  });

  it('BEGIN with an isolation level, before a savepoint and before several statements has a message of its own', async () => {
    expect(
      await sentBy(() =>
        orm.em.fork().transactional(em => em.count(Log), { isolationLevel: 'repeatable read' as never }),
      ),
    ).to.deep.equal(['start', 'select', 'commit']);
    expect(
      await sentBy(() => orm.em.fork().transactional(em => em.transactional(inner => rename(inner, 'x')))),
    ).to.include.members(['begin', 'savepoint', 'update']);
    const several = 'select 1; select 2';
    expect(await sentBy(() => orm.em.fork().transactional(em => em.execute(several)))).to.include('begin');
  });

  it('an error has the position that it has in the statement alone', async () => {
    const sql = 'select 1 from nowhere';
    const positionOf = (em: EntityManager) =>
      em
        .getConnection()
        .execute(sql, [], 'all', em.getTransactionContext())
        .then(
          () => expect.fail('no error'),
          error => error.position,
        );
    const alone = await positionOf(orm.em.fork());
    expect(alone).to.equal('15');
    const em = orm.em.fork();
    await em.begin();
    expect(await positionOf(em)).to.equal(alone);
    await em.rollback();
  });

  it('after an error, the transaction has failed, and its connection is free after the rollback', async () => {
    const em = orm.em.fork();
    await em.begin();
    const execute = (sql: string) => em.execute(sql);
    await execute('select 1 / 0').catch(error => expect(error.message).to.include('zero'));
    await execute('delete from item').then(
      () => expect.fail('no error'),
      error => expect(error.code).to.equal('25P02'),
    );
    await em.rollback();
    expect(await orm.em.fork().count(Item, {}, { cacheops: false })).to.equal(3);
  });

  it('after a syntax error in the first statement, the transaction has failed, as after any other error', async () => {
    for (const end of ['commit', 'rollback'] as const) {
      const em = orm.em.fork();
      await em.begin();
      const codeOf = (sql: string) =>
        em.execute(sql).then(
          () => expect.fail('no error'),
          error => error.code,
        );
      expect(await codeOf('selec 1')).to.equal('42601');
      expect(await codeOf('select 2')).to.equal('25P02');
      expect(await codeOf('delete from item')).to.equal('25P02');
      await em[end]();
      expect(await orm.em.fork().count(Item, {}, { cacheops: false })).to.equal(3);
    }
    const em = orm.em.fork();
    await em.begin();
    await em.execute('select 1 +').catch(error => expect(error.code).to.equal('42601'));
    await em.execute('delete from item').catch(error => expect(error.code).to.equal('25P02'));
    await em.execute('rollback');
    await em.execute('delete from item where id = 3');
    await em.commit();
    expect(await orm.em.fork().count(Item, {}, { cacheops: false })).to.equal(2);
  });

  it('a statement that fails after the rollback was sent begins no transaction later', async () => {
    const failing = (trx: Kysely<any>) => trx.executeQuery(CompiledQuery.raw('select 1 / 0'));
    const work = (trx: Kysely<any>) => Promise.all([failing(trx), failing(trx), failing(trx)]);
    await orm.em
      .getKysely()
      .transaction()
      .execute(work)
      .catch(error => expect(error.message).to.include('zero'));
    await getCacheops(orm).idle();
    expect(await sentBy(() => orm.em.fork().count(Log, {}, { cacheops: false }))).to.deep.equal(['select']);
  });

  it('a statement is rolled back with its transaction even if the rollback is requested before it is sent', async () => {
    const rename = (trx: Kysely<any>) =>
      trx.executeQuery(CompiledQuery.raw("update item set name = 'lost' where id = 1"));
    const refused = Promise.reject(new Error('refused'));
    await orm.em
      .getKysely()
      .transaction()
      .execute(trx => Promise.all([rename(trx), refused]))
      .catch(error => expect(error.message).to.equal('refused'));
    const { name } = await orm.em.fork().findOneOrFail(Item, 1, { cacheops: false });
    expect(name).to.equal('n1');
  });

  it('a client whose query method was replaced gets each statement in a message of its own', async () => {
    const replaced = await open({
      driverOptions: {
        onPoolCreated: (pool: NodeJS.EventEmitter) => {
          pool.on('connect', (client: { query(...args: unknown[]): Promise<{ rows: unknown[] }> }) => {
            const { query } = client;
            client.query = async (...args) => {
              const result = await query.apply(client, args);
              expect(result.rows).to.be.an('array');
              return result;
            };
          });
        },
      },
    });
    await replaced.em.fork().count(Item);
    expect(await replaced.em.fork().transactional(em => em.count(Item, {}, { cacheops: false }))).to.equal(3);
  });

  it('comments in front, DDL and texts without a statement have a message of their own', async () => {
    for (const [sql, sent] of [
      ['/*+ SeqScan(item) */ select 1', '/*+'],
      ['create table made (id int)', 'create'],
      ['-- nothing', '--'],
      ['', ''],
    ]) {
      const messages = await sentBy(() => orm.em.fork().transactional(em => em.execute(sql!)));
      expect(messages).to.include(sent);
    }
  });

  it('after a first message that the server has not got, the next statement still is in the transaction', async () => {
    let lost = false;
    const sent: string[] = [];
    const other = await open({
      onCreateConnection: (async (connection: DatabaseConnection) => {
        const { executeQuery } = connection;
        connection.executeQuery = (query, ...rest) => {
          sent.push(query.sql);
          if (lost) {
            lost = false;
            return Promise.reject(new Error('not sent'));
          }
          return executeQuery.call(connection, query, ...rest) as never;
        };
      }) as never,
    });
    await other.em.fork().count(Item);
    const em = other.em.fork();
    await em.begin();
    lost = true;
    await em
      .execute('delete from item where id = 1')
      .catch(error => expect(error.message).to.include('not sent'));
    await em.execute('delete from item where id = 2');
    await em.rollback();
    expect(sent).to.include('begin');
    expect(await orm.em.fork().count(Item, {}, { cacheops: false })).to.equal(3);
  });

  it('a text without a statement may come first', async () => {
    const em = orm.em.fork();
    await em.begin();
    expect(await em.execute('-- nothing')).to.deep.equal([]);
    await rename(em, 'x');
    await em.rollback();
    expect(await orm.em.fork().count(Item, { name: 'x' }, { cacheops: false })).to.equal(0);
  });

  it('an error of COMMIT arrives, and nothing is committed', async () => {
    await orm.em.execute(`alter table log add column item int references item deferrable initially deferred`);
    const em = orm.em.fork();
    await em.begin();
    await em.execute('insert into log values (1, 77)');
    await em.commit().then(
      () => expect.fail('no error'),
      error => expect(error.code).to.equal('23503'),
    );
    await em.rollback();
    expect(await orm.em.fork().count(Log)).to.equal(0);
    await getCacheops(orm).idle();
    const logs = () => orm.em.fork().count(Log);
    await logs();
    await getCacheops(orm).idle();
    expect(await sourcesOf(getCacheops(orm), logs), 'the mark is settled').to.deep.equal(['cache']);
  });

  it('columns with a quote in their names are checked, and with a backslash asked for', async () => {
    expect(await sentBy(() => orm.em.fork().insert(Quoted, { id: 1, it: 'x' }))).to.deep.equal([
      'begin;insert',
      'savepoint;execute',
    ]);
    expect(await sentBy(() => orm.em.fork().insert(Slashed, { id: 1, it: 'x' }))).to.deep.equal([
      'begin;insert',
      'select',
      'commit',
    ]);
  });

  it('behind a pooler, each statement has a message of its own', async () => {
    const pooled = await open({ driverOptions: POOLER });
    await rename(pooled.em.fork(), 'a');
    expect(await sentBy(() => rename(pooled.em.fork(), 'b'))).to.deep.equal([
      'begin',
      'update',
      'select',
      'commit',
    ]);
  });

  it('the check before COMMIT is a question of its own if its prepared statement was removed', async () => {
    const pool: { client?: Client } = {};
    const other = await open({
      driverOptions: {
        onPoolCreated: (created: NodeJS.EventEmitter) => {
          created.on('connect', (client: Client) => {
            pool.client = client;
          });
        },
      },
    });
    await rename(other.em.fork(), 'a');
    for (let i = 0; i < 5; i++) {
      await pool.client!.query('deallocate all');
      await rename(other.em.fork(), `b${i}`);
      expect(
        (await pool.client!.query(`select count(*)::int as n from item where name = 'b${i}'`)).rows[0]!.n,
      ).to.equal(1);
    }
    // after some failures it is not prepared again
    expect(await sentBy(() => rename(other.em.fork(), 'c'))).to.deep.equal([
      'begin;update',
      'select',
      'commit',
    ]);
  });

  for (const [where, options] of Object.entries({
    directly: {},
    'through a pooler': { driverOptions: POOLER },
  })) {
    it(`a migration by another program between a write and its COMMIT is noticed, ${where}`, async () => {
      const writer = await open({ ...options, extensions: orm.config.get('extensions') });
      const migrator = await open();
      const logs = () => writer.em.fork().count(Log);
      await logs();
      await rename(writer.em.fork(), 'first');
      await getCacheops(writer).idle();
      expect(await sourcesOf(getCacheops(writer), logs)).to.deep.equal(['cache']);
      const em = writer.em.fork();
      await em.begin();
      await em.execute('select 1');
      const { em: migrating } = migrator;
      await migrating.execute(`create function log() returns trigger language plpgsql as
        $$ begin insert into log select coalesce(max(id), 0) + 1 from log; return new; end $$`);
      await migrating.execute('create trigger log after update on item for each row execute function log()');
      await rename(em, 'second');
      await em.commit();
      expect(await logs()).to.equal(await getCacheops(writer).disabled(logs));
      expect(await logs()).to.equal(1);
    });
  }

  it('a failed transaction commits nothing, and drops nothing', async () => {
    const read = () => orm.em.fork().find(Item, {}, { orderBy: { id: 1 } });
    await read();
    await getCacheops(orm).idle();
    const em = orm.em.fork();
    await em.begin();
    await rename(em, 'x');
    await em.execute('select 1 / 0').catch(error => expect(error.message).to.include('zero'));
    await em.commit();
    await getCacheops(orm).idle();
    expect((await read()).map(({ name }) => name)).to.deep.equal(['n1', 'n2', 'n3']);
  });
});
