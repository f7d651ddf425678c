import { defineEntity, p } from '@mikro-orm/core';
import { MikroORM } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import fc from 'fast-check';
import { CompiledQuery } from 'kysely';
import { Journal } from '../../../lib/changes/journal.js';
import { type Cacheops, cacheops, getCacheops, MemoryStore } from '../../../lib/index.js';
import { loadCatalog } from '../../../lib/orm/catalog/catalog.js';
import { writeRows } from '../../../lib/orm/writes/row_capture.js';
import { parseStatement } from '../../../lib/sql/parse_statement.js';
import type { Delete, Update } from '../../../lib/sql/statement.js';
import { encodeValues, schemeOf } from '../../../lib/values/encode.js';
import { connect, type Server } from '../../changes/server.js';
import { freshDatabase } from '../../support/servers.js';
import { until } from '../../support/until.js';
import { emptyEmbedded } from '../support/embedded.js';
import { join, type Started } from '../support/start.js';
import { expectNoticed, type Step, type WritePath } from '../support/write_path.js';

const cached = { ops: 'all', timeout: 60 } as const;
const id = () => p.integer().primary();

const Author = defineEntity({
  name: 'Author',
  cacheops: cached,
  properties: { id: id(), name: p.string(), code: p.integer() },
});
const Book = defineEntity({
  name: 'Book',
  cacheops: cached,
  properties: {
    id: id(),
    genre: p.string(),
    author: p.integer(),
    editor: p.integer().nullable(),
    sequelOf: p.integer().nullable(),
  },
});
const Review = defineEntity({
  name: 'Review',
  cacheops: cached,
  properties: { book: p.integer().primary(), number: p.integer().primary(), text: p.string() },
});
/** References a column that is no primary key. */
const Account = defineEntity({
  name: 'Account',
  cacheops: cached,
  properties: { id: id(), code: p.integer().nullable(), late: p.integer().nullable() },
});
const Animal = defineEntity({
  name: 'Animal',
  cacheops: cached,
  inheritance: 'tpt',
  properties: { id: id(), name: p.string(), owner: p.integer().nullable() },
});
const Dog = defineEntity({
  name: 'Dog',
  extends: Animal,
  cacheops: cached,
  properties: { tricks: p.integer() },
});
const entities = [Author, Book, Review, Account, Animal, Dog];

const DDL = `
  create table author (id int primary key, name text, code int unique);
  create table book (id int primary key, genre text, author int not null references author on delete cascade,
    editor int references author on delete set null, sequel_of int references book on delete cascade);
  create table review (book int references book on delete cascade, number int, text text, primary key (book, number));
  create table account (id int primary key,
    code int default 33 references author (code) on delete set default on update cascade, late int);
  create table animal (id int primary key, name text, owner int references author on delete cascade);
  create table dog (id int primary key references animal on delete cascade, tricks int);
  insert into author values (1, 'Ann', 11), (2, 'Bob', 22), (3, 'Cid', 33);
  insert into book values (1, 'crime', 1, 2, null), (2, 'crime', 2, 3, null), (3, 'essay', 3, 1, null),
    (4, 'poems', 2, null, 1), (5, 'drama', 3, 3, null);
  insert into review values (1, 1, 'good'), (2, 1, 'fair'), (4, 1, 'odd'), (5, 1, 'long');
  insert into account values (1, 11, null), (2, 22, null), (3, 33, null);
  insert into animal values (1, 'Rex', 1), (2, 'Pip', 2); insert into dog values (1, 5), (2, 7)`;

const books =
  (where: object): Step =>
  em =>
    em.find(Book, where, { orderBy: { id: 1 } });
const reviews =
  (where: object): Step =>
  em =>
    em.find(Review, where);
const accounts =
  (where: object): Step =>
  em =>
    em.find(Account, where);

const deletion: Omit<WritePath, 'write'> = {
  changes: [
    books({ author: 1 }),
    books({ genre: 'poems' }), // a sequel, of another author
    books({ editor: 1 }),
    books({ editor: null }),
    books({ genre: 'essay' }),
    reviews({ book: 1 }),
    reviews({ text: 'odd' }),
    accounts({ code: 11 }),
    accounts({ code: 33 }),
    em => em.find(Animal, { name: 'Rex' }),
    em => em.find(Dog, { tricks: 5 }),
  ],
  keeps: [
    books({ author: 3, genre: 'drama' }),
    books({ genre: 'drama' }),
    books({ editor: 3 }),
    books({ sequelOf: 9 }),
    em => em.find(Book, { id: 3 }, { fields: ['genre'] }),
    reviews({ book: 2 }),
    reviews({ text: 'long' }),
    accounts({ code: 22 }),
    em => em.find(Author, { name: 'Bob' }),
  ],
};

const PATHS: Record<string, WritePath> = {
  'a row is removed': {
    write: async em => {
      await em.remove(await em.findOneOrFail(Author, 1)).flush();
    },
    ...deletion,
  },
  'rows are deleted natively': { write: em => em.nativeDelete(Author, { name: 'Ann' }), ...deletion },
  'rows are deleted in SQL': {
    write: em => em.execute('delete from author as a where a.code = ?', [11]),
    ...deletion,
  },
  'a key is changed that others follow': {
    write: em => em.nativeUpdate(Author, { id: 1 }, { code: 12 }),
    changes: [accounts({ code: 11 }), accounts({ code: 12 }), accounts({ id: 1 })],
    keeps: [accounts({ code: 22 }), books({ author: 1 }), accounts({ late: 4 })],
  },
  'an update that changes no key': {
    write: em => em.execute('update author set code = code, name = name'),
    changes: [],
    keeps: [accounts({ code: 11 }), books({ author: 1 })],
  },
  'a savepoint is rolled back': {
    write: async em => {
      await em.transactional(async outer => {
        await outer
          .transactional(async inner => {
            await inner.nativeDelete(Author, { id: 1 });
            throw new Error('no');
          })
          .catch(() => undefined);
        await outer.nativeDelete(Review, { book: 2 });
      });
    },
    changes: [reviews({ book: 2 })],
    keeps: [books({ author: 1 }), reviews({ book: 1 }), accounts({ code: 11 })],
  },
};

/** Writes that are not captured exactly: all of the tables is dropped. */
const WIDE: Record<string, readonly [ddl: string, write: Step, changes?: Step]> = {
  'a trigger': [
    `create function redate() returns trigger language plpgsql as 'begin new.genre = ''orphan''; return new; end';
     create trigger redate before update on book for each row execute function redate()`,
    em => em.nativeDelete(Author, { id: 1 }),
    books({ genre: 'essay' }),
  ],
  'a foreign key that is deferrable': [
    'alter table account add foreign key (late) references author on delete set null deferrable; update account set late = 1',
    em => em.nativeDelete(Author, { id: 1 }),
    accounts({ late: 1 }),
  ],
  'REPEATABLE READ': [
    '',
    em =>
      em.transactional(inner => inner.nativeDelete(Author, { id: 1 }), {
        isolationLevel: 'repeatable read' as never,
      }),
    books({ author: 1 }),
  ],
  'a key that is changed by an action': [
    'alter table review drop constraint review_book_fkey; alter table review add foreign key (book) references book on update cascade on delete cascade',
    em => em.nativeUpdate(Book, { id: 5 }, { id: 50 } as never),
    reviews({ book: 50 }),
  ],
  'a key of a type whose values are not compared here': [
    `alter table author alter name type name, add unique (name); update book set genre = 'Ann';
     alter table book alter genre type name, add foreign key (genre) references author (name) on update cascade`,
    em => em.nativeUpdate(Author, { id: 1 }, { name: 'Eve' }),
    books({ id: 1 }),
  ],
  'a key that is written in another way, and is equal': [
    `alter table author alter code type numeric; alter table account alter code type numeric`,
    em => em.execute('update author set code = 11.00 where id = 1'),
    accounts({ id: 1 }),
  ],
  'a statement that joins others': [
    '',
    em => em.execute('delete from author using animal where animal.owner = author.id and animal.id = 1'),
    books({ author: 1 }),
  ],
};

describe('An action of a foreign key', () => {
  let started: Started;

  beforeEach(async () => {
    await (await emptyEmbedded()).exec(DDL);
    started = await join({ entities });
  });

  afterEach(() => started.orm.close());

  for (const [what, path] of Object.entries(PATHS)) {
    it(`drops only results of the changed rows when ${what}`, () => expectNoticed(started, path));
  }

  for (const [what, [ddl, write, changes = []]] of Object.entries(WIDE)) {
    it(`drops all of the table where rows cannot be captured: ${what}`, async () => {
      await started.orm.em.getConnection().executeDump(ddl || 'select 1');
      await expectNoticed(started, { write, changes });
    });
  }

  it('drops all of the table if it reaches too many rows', async () => {
    await started.orm.close();
    started = await join({ entities, cacheops: { maxRows: 3 } });
    await expectNoticed(started, {
      write: em => em.nativeDelete(Author, { id: 1 }),
      changes: [books({ author: 1 }), reviews({ book: 1 }), accounts({ code: 11 })],
    });
  });
});

describe('Rows that an action of a foreign key changes are captured exactly while another transaction', () => {
  let orm: MikroORM;
  let cache: Cacheops;

  before(async () => {
    orm = await MikroORM.init({
      clientUrl: await freshDatabase('cascades'),
      entities,
      extensions: [cacheops({ store: new MemoryStore() })],
    });
    cache = getCacheops(orm);
  });

  after(() => orm.close());

  beforeEach(async () => {
    await orm.em.getConnection().executeDump(`drop schema public cascade; create schema public; ${DDL}`);
    // readers of all columns, so that old rows are read
    for (const read of [books({ genre: 'none' }), books({ author: 9 }), books({ id: 9 })]) {
      await read(orm.em.fork() as never);
    }
    await cache.idle();
  });

  /** Resolves when a session waits for a lock. */
  const waiting = () =>
    until(
      async () =>
        (await orm.em.fork().execute(`select from pg_locks where not granted and pid <> pg_backend_pid()`))
          .length > 0,
    );

  /**
   * @param other statements of another transaction, which commits when the deletion waits for it
   * @param read a query with another result after both
   */
  async function race(other: string, deletion: string, read: Step, meanwhile?: string): Promise<void> {
    const answer = async () => JSON.stringify(await read(orm.em.fork() as never));
    const [first, second] = [orm.em.fork(), orm.em.fork()];
    await first.begin();
    await first.execute(other);
    await second.begin();
    const deleted = second.execute(deletion);
    await waiting();
    if (meanwhile) {
      await orm.em.fork().execute(meanwhile);
    }
    await first.commit();
    await deleted;
    const before = await answer();
    await cache.idle();
    expect(await answer()).to.equal(before);
    await second.commit();
    const truth = await cache.disabled(answer);
    expect(truth, 'what the writes were to change').not.to.equal(before);
    expect(await answer()).to.equal(truth);
  }

  it('inserts a reference to a deleted row', () =>
    race(
      `insert into book values (9, 'late', 1)`,
      'delete from author where id = 1',
      books({ genre: 'late' }),
    ));

  it('changes a reference to a deleted row', () =>
    race(
      'update book set author = 1 where id = 5',
      'delete from author where id = 1',
      books({ genre: 'drama' }),
    ));

  it('changes a referencing row', () =>
    race(
      `update book set genre = 'late' where id = 1`,
      'delete from author where id = 1',
      books({ genre: 'late' }),
    ));

  it('moves a reference from a deleted row to another', () =>
    race(
      `update book set author = 2, genre = 'late' where id = 1`,
      'delete from author where id in (1, 2)',
      books({ genre: 'late' }),
    ));

  it('inserts a reference to a row that an action deletes', () =>
    race(
      `insert into book values (9, 'late', 3, null, 1)`,
      'delete from author where id = 1',
      books({ genre: 'late' }),
    ));

  it('makes a row match after others were locked', () =>
    race(
      `update book set genre = 'late' where id = 1`,
      `delete from author where name = 'Ann'`,
      books({ id: 2 }),
      `update author set name = 'Ann' where id = 2`,
    ));

  it('tries to reference a locked row', async () => {
    const [first, second] = [orm.em.fork(), orm.em.fork()];
    await first.begin();
    await first.execute('delete from author where id = 1');
    const inserted = second.execute(`insert into book values (9, 'late', 1)`).catch(error => error.name);
    await waiting();
    await first.commit();
    expect(await inserted).to.equal('ForeignKeyConstraintViolationException');
  });
});

/** A foreign key of a generated graph. */
interface Key {
  readonly from: number;
  readonly to: number;
  readonly on: 'id' | 'k';
  readonly onDelete: string;
  readonly onUpdate: string;
}

const TABLES = 3;
const ROWS = 6;
const action = fc.constantFrom(
  'cascade',
  'cascade',
  'cascade',
  'set null',
  'set null',
  'set default',
  'no action',
);
const anyKey: fc.Arbitrary<Key> = fc.record({
  from: fc.nat(TABLES - 1),
  to: fc.nat(TABLES - 1),
  on: fc.constantFrom('id', 'id', 'k'),
  onDelete: action,
  onUpdate: action,
});
const anyGraph = fc.record({
  keys: fc.array(anyKey, { minLength: 1, maxLength: 5 }),
  values: fc.array(fc.nat(ROWS), { minLength: 40, maxLength: 40 }),
  table: fc.nat(TABLES - 1),
  rows: fc.uniqueArray(fc.integer({ min: 1, max: ROWS }), { minLength: 1, maxLength: 2 }),
  write: fc.constantFrom('delete', 'delete', 'id', 'k'),
  returnsOld: fc.boolean(),
});
type Graph = typeof anyGraph extends fc.Arbitrary<infer T> ? T : never;

describe('Actions of foreign keys in any graph of tables', () => {
  let server: Server;

  before(async () => {
    server = await connect();
  });

  after(() => server.close());

  function definition({ keys, values }: Graph): string {
    const tables = Array.from({ length: TABLES }, (_, t) => {
      const columns = keys.flatMap((key, i) => (key.from === t ? [`f${i} int default 1`] : []));
      return `create table t${t} (${['rid serial', 'id int primary key', 'k int unique', 'v int', ...columns].join(', ')})`;
    });
    let next = 0;
    const rows = Array.from({ length: TABLES * ROWS }, (_, n) => {
      const [t, row] = [n % TABLES, Math.floor(n / TABLES) + 1];
      const own = keys.flatMap(key => {
        const to = values[next++ % values.length]!;
        return key.from === t ? [to === 0 ? 'null' : to] : [];
      });
      return `insert into t${t} values (default, ${[row, row, row % 2, ...own].join(', ')})`;
    });
    const constraints = keys.map(
      ({ from, to, on, onDelete, onUpdate }, i) =>
        `alter table t${from} add foreign key (f${i}) references t${to} (${on}) on delete ${onDelete} on update ${onUpdate}`,
    );
    return [...tables, ...rows, ...constraints].join('; ');
  }

  const columnsOf = ({ keys }: Graph, t: number) => [
    ...['id', 'k', 'v'],
    ...keys.flatMap((key, i) => (key.from === t ? [`f${i}`] : [])),
  ];

  /** All rows by a column that never changes. */
  async function state(
    graph: Graph,
    t: number,
  ): Promise<Map<string, { at: string; row: Record<string, string | null> }>> {
    const columns = columnsOf(graph, t).map(column => `${column}::text`);
    const { rows } = await server.query(
      `select rid::text, ctid::text as at, ${columns.join(', ')} from t${t}`,
    );
    return new Map(rows.map(({ rid, at, ...row }: any) => [rid, { at, row }]));
  }

  const all = (graph: Graph) => Promise.all(Array.from({ length: TABLES }, (_, t) => state(graph, t)));

  it('are captured as the database carries them out', async () => {
    const done = { exact: 0, wide: 0, cascaded: 0, statements: 0 };
    await fc.assert(
      fc.asyncProperty(anyGraph, async graph => {
        await server.query('begin');
        try {
          for (const statement of definition(graph).split('; ')) {
            await server.query(statement);
          }
          const loaded = await loadCatalog(async sql => [...(await server.query(sql)).rows], 'here');
          const catalog = { ...loaded, returnsOld: loaded.returnsOld && graph.returnsOld };
          const where = `where id in (${graph.rows.join(', ')})`;
          const sql =
            graph.write === 'delete'
              ? `delete from t${graph.table} ${where}`
              : `update t${graph.table} set ${graph.write} = ${graph.write} + 100 ${where}`;
          const before = await all(graph);
          const journal = new Journal();
          let statements = 0;
          const schemes = (t: number) => {
            const columns = columnsOf(graph, t);
            return [...columns.map(column => [column]), columns.slice(2), ['id', 'v']].map(list =>
              schemeOf(list),
            );
          };
          const failed = await writeRows({
            statement: parseStatement(sql) as Update | Delete,
            table: catalog.named(`t${graph.table}`)[0]!,
            catalog,
            journal,
            query: CompiledQuery.raw(sql),
            ask: async (text, values) => {
              statements++;
              const { rows, affected } = await server.query(text, values);
              return { rows: [...rows], numAffectedRows: affected! };
            },
            schemes: async name => schemes(Number(name.at(-1))),
            maxRows: 1000,
            isExact: true,
          }).then(
            () => undefined,
            error => error as Error & { code: string },
          );
          if (failed) {
            // such as a reference without a default
            expect(['23502', '23503', '23505'], failed.message).to.include(failed.code);
            return;
          }
          const after = await all(graph);
          const changes = new Map(journal.changes().map(change => [Number(change.table.at(-1)), change]));
          for (let t = 0; t < TABLES; t++) {
            const touched = [...before[t]!].filter(([rid, { at }]) => after[t]!.get(rid)?.at !== at);
            for (const scheme of touched.length > 0 || changes.has(t) ? schemes(t) : []) {
              const valuesIn = (row: Record<string, string | null> | undefined) =>
                row ? [encodeValues(scheme.columns.map(column => row[column]!))] : [];
              const expected = new Set(
                touched.flatMap(([rid, { row }]) => [...valuesIn(row), ...valuesIn(after[t]!.get(rid)?.row)]),
              );
              expect(changes.has(t), `t${t} is marked`).to.equal(true);
              const keys = changes.get(t)!.touched(scheme);
              done[keys ? 'exact' : 'wide']++;
              done.cascaded += keys && t !== graph.table ? expected.size : 0;
              expect(keys ? new Set(keys.keys()) : expected, `t${t} ${scheme.id}: ${sql}`).to.deep.equal(
                expected,
              );
            }
          }
          done.statements = Math.max(done.statements, statements);
        } finally {
          await server.query('rollback');
        }
      }),
      { numRuns: 300 },
    );
    expect(done.cascaded, JSON.stringify(done)).to.be.above(100);
    expect(done.exact, JSON.stringify(done)).to.be.above(2 * done.wide);
    expect(done.statements).to.be.below(40);
  });

  it('are not captured without cached results, and only to a limited depth', async () => {
    await server.query('begin');
    await server.query('create table node (id int primary key, up int references node on delete cascade)');
    await server.query('insert into node select i, nullif(i - 1, 0) from generate_series(1, 100) as i');
    const catalog = await loadCatalog(async sql => [...(await server.query(sql)).rows], 'here');
    const [table] = catalog.named('node');
    for (const [first, cached, most, wide] of [
      [1, true, 40, true],
      [90, true, 15, false],
      [80, false, 1, true],
    ] as const) {
      const sql = `delete from node where id = ${first}`;
      const journal = new Journal();
      let statements = 0;
      await server.query('savepoint s');
      await writeRows({
        statement: parseStatement(sql) as Delete,
        table: table!,
        catalog,
        journal,
        query: CompiledQuery.raw(sql),
        ask: async (text, values) => {
          statements++;
          const { rows, affected } = await server.query(text, values);
          return { rows: [...rows], numAffectedRows: affected! };
        },
        schemes: async () => (cached ? [schemeOf(['id'])] : []),
        maxRows: 1000,
        isExact: true,
      });
      await server.query('rollback to s');
      expect(statements).to.be.at.most(most);
      expect(journal.changes()[0]!.touched(schemeOf(['id'])) === undefined).to.equal(wide);
    }
    await server.query('rollback');
  });
});
