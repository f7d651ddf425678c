import { IsolationLevel, LockMode, MikroORM, raw, type SqlEntityManager, sql } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import type { DatabaseConnection, Kysely } from 'kysely';
import type { Statement } from '../../lib/sql/statement.js';
import { freshDatabase } from '../support/servers.js';
import { Author, Book, Pair, ROWS, Section, Stamped, Tag, UUID } from './orm_entities.js';
import { watch } from './watched.js';

const TABLES = ['author', 'book', 'book_tags', 'section', 'tag', 'order', 'stamped'];

describe('writes that the ORM sends', () => {
  let orm: MikroORM;
  let seen: string[];

  const look = (statement: Statement) => {
    if (statement.kind === 'insert' || statement.kind === 'update' || statement.kind === 'delete') {
      const { schema, name } = statement.table;
      seen.push(`${statement.kind} ${schema ? `${schema}.` : ''}${name}`);
    } else if (statement.kind === 'truncate') {
      seen.push(
        `truncate ${statement.tables.map(table => table.name).join()}${statement.cascade ? ' cascade' : ''}`,
      );
    } else if (statement.kind === 'transaction') {
      seen.push([statement.command, statement.name ?? statement.isolation].filter(Boolean).join(' '));
    } else if (statement.kind === 'other') {
      seen.push(`other ${TABLES.filter(table => statement.names.has(table)).join()}`);
    }
  };

  before(async () => {
    seen = [];
    orm = await MikroORM.init({
      clientUrl: await freshDatabase('changes'),
      entities: [Author, Book, Section, Tag, Pair, Stamped],
      onCreateConnection: async connection => watch(connection as DatabaseConnection, look),
    });
    await orm.schema.create();
  });
  after(() => orm.close());
  beforeEach(async () => {
    await orm.em.fork().execute(ROWS);
    seen = [];
  });

  it('a flush of new entities with special values is captured', async () => {
    const em = orm.em.fork();
    em.create(Author, {
      name: `O'Neil \\ back "x"`,
      age: 3,
      meta: { a: "x'y", returning: 1 },
      photo: Buffer.from('a\0b'),
      bornAt: new Date(0),
      price: '1.505',
      tags: ['a', "b'"],
    });
    em.create(Author, { name: 'B; delete from author --', email: 'c' });
    em.create(Author, { name: '' });
    await em.flush();
    expect(seen).to.deep.equal(['begin', 'insert author', 'commit']);
  });

  it('a flush of entities with relations, pivot tables, defaults and generated columns is captured', async () => {
    const em = orm.em.fork();
    const tags = [em.create(Tag, { id: UUID.replace('9', '8'), name: 't2' })];
    em.create(Book, { title: 'b1', author: 1, tags });
    em.create(Book, { title: 'b2', author: 1, tags });
    await em.flush();
    expect(seen).to.deep.equal(['begin', 'insert book', 'insert other.tag', 'insert book_tags', 'commit']);
    seen = [];
    em.create(Pair, { a: 3, b: 'x' });
    em.create(Pair, { a: 4, b: "y'", returning: 'r' });
    em.create(Stamped, {});
    em.create(Stamped, { n: 1 });
    await em.flush();
    expect(seen.sort()).to.deep.equal(['begin', 'commit', 'insert order', 'insert stamped']);
  });

  it('a flush of one changed entity is captured', async () => {
    const em = orm.em.fork();
    const author = await em.findOneOrFail(Author, 1);
    author.name = `where "id" = 2 returning`;
    author.meta = { z: [1] };
    await em.flush();
    const book = await em.findOneOrFail(Book, 1);
    book.title = 'versioned';
    await em.flush();
    expect(seen).to.deep.equal(['begin', 'update author', 'commit', 'begin', 'update book', 'commit']);
  });

  it('a flush of several changed entities is captured', async () => {
    const em = orm.em.fork();
    const [one, two] = await em.find(Author, {}, { orderBy: { id: 1 } });
    Object.assign(one!, { age: 50, name: "q'" });
    Object.assign(two!, { email: null, price: '2' });
    for (const pair of await em.find(Pair, {})) {
      pair.set++;
    }
    for (const book of await em.find(Book, {})) {
      book.title += '!';
    }
    for (const stamped of await em.find(Stamped, {})) {
      stamped.n = 5;
    }
    await em.flush();
    expect(seen.sort()).to.deep.equal([
      ...['begin', 'commit', 'update author', 'update book', 'update order', 'update stamped'],
    ]);
  });

  it('a flush of SQL expressions is captured', async () => {
    const em = orm.em.fork();
    const author = await em.findOneOrFail(Author, 1);
    author.age = raw('age + 1');
    await em.flush();
    author.age = sql`age * ${2}`;
    await em.flush();
    expect(author.age).to.equal(8);
    expect(seen.filter(line => line === 'update author')).to.have.length(2);
  });

  it('changes of pivot tables are captured', async () => {
    const em = orm.em.fork();
    const book = await em.findOneOrFail(Book, 1);
    const tag = await em.findOneOrFail(Tag, { name: 't1' });
    book.tags.add(tag); // not initialised: it inserts rows that may exist
    await em.flush();
    await book.tags.init();
    book.tags.remove(tag);
    await em.flush();
    book.tags.add(tag);
    await em.flush();
    book.tags.removeAll();
    await em.flush();
    expect(seen.filter(line => /book_tags/.test(line))).to.deep.equal([
      ...['insert book_tags', 'delete book_tags', 'insert book_tags', 'delete book_tags'],
    ]);
  });

  it('setting collections that are not initialised is captured', async () => {
    await set(Book, 1, 'sections', { name: 's1' });
    await set(Author, 1, 'books', { title: 'only' });
    expect(seen).to.deep.equal([
      ...['begin', 'insert section', 'update section', 'commit'],
      ...['begin', 'insert book', 'delete book', 'commit'],
    ]);
  });

  async function set(
    entity: typeof Book | typeof Author,
    id: number,
    collection: string,
    data: object,
  ): Promise<void> {
    const em = orm.em.fork();
    const owner: any = await em.findOneOrFail(entity as any, id);
    owner[collection].set([em.create(collection === 'books' ? Book : (Section as any), data)]);
    await em.flush();
  }

  it('native updates and deletes are captured, also with conditions on relations', async () => {
    const em = orm.em.fork();
    await em.nativeUpdate(Author, { id: 1 }, { name: 'x' });
    await em.nativeUpdate(
      Author,
      { age: { $gt: 3 }, $or: [{ name: 'a' }, { name: { $like: "%'%" } }] },
      { age: raw('age + 1') },
    );
    await em.nativeUpdate(Book, { author: { name: 'x' } }, { title: 'rel' });
    await em.nativeUpdate(Author, { books: { title: 'rel' } }, { age: 4 });
    await em.nativeDelete(Book, { author: { name: 'nobody' } });
    await em.nativeDelete(Pair, [{ a: 2, b: "y'" }]);
    await em.nativeDelete(Stamped, {});
    expect(seen).to.deep.equal([
      ...[
        'update author',
        'update author',
        'update book',
        'update author',
        'delete book',
        'delete order',
        'delete stamped',
      ],
    ]);
  });

  it('native inserts are captured', async () => {
    const em = orm.em.fork();
    await em.insert(Author, { name: 'ins' });
    await em.insertMany(Author, [{ name: 'i1' }, { name: 'i2', email: 'e' }]);
    expect(seen).to.deep.equal(['insert author', 'insert author']);
  });

  it('writes by query builders are captured', async () => {
    const em = orm.em.fork();
    await em.qb(Author).update({ name: 'qb' }).where({ id: 1 }).execute();
    await em.qb(Author, 'x').update({ name: 'qb' }).where({ 'x.id': 1 }).execute();
    await em.qb(Author).update({ name: 'qb' }).where({ id: 1 }).returning(['id', 'name']).execute();
    await em
      .qb(Author)
      .update({ age: 3 })
      .where({ id: 2 })
      .comment('hello; world')
      .hintComment('hint')
      .execute();
    await em.qb(Author).delete({ name: 'three' }).returning('*').execute();
    await em.qb(Author).insert({ name: 'qb', age: 4 }).execute();
    await em
      .qb(Author)
      .insert([
        { name: 'qb', email: 'z3' },
        { name: 'qb2', email: 'z4' },
      ])
      .returning('id')
      .execute();
    const old = em
      .qb(Author)
      .select(['name', 'age'])
      .where({ age: { $gt: 1 } });
    await em.qb(Author).insertFrom(old).execute();
    expect(seen).to.deep.equal([
      ...['update author', 'update author', 'update author', 'update author', 'delete author'],
      ...['insert author', 'insert author', 'insert author'],
    ]);
  });

  it('INSERT … ON CONFLICT by query builders is captured', async () => {
    const em = orm.em.fork();
    const insert = () => em.qb(Author).insert({ name: 'on conflict', email: 'z1' });
    await insert().onConflict('email').merge().execute();
    await insert()
      .onConflict('email')
      .merge({ name: raw("author.name || 'x'") })
      .execute();
    await insert()
      .onConflict('email')
      .merge(['name'])
      .where({ age: { $gt: 1 } })
      .execute();
    await insert().onConflict('email').ignore().execute();
    await insert().onConflict().ignore().execute();
    await insert().onConflict(raw('(email)')).merge(['name']).execute();
    expect(seen).to.deep.equal(Array(6).fill('insert author'));
  });

  it('upserts are captured with every option', async () => {
    const author = (data: object, options?: object) =>
      orm.em.fork().upsert(Author, data as any, options as any);
    await author({ email: 'u1', name: 'n' });
    await author({ email: 'u1', name: 'n2', age: 4 });
    await author({ email: 'u1', name: 'n2' }, { onConflictFields: ['email'], onConflictAction: 'ignore' });
    await author(
      { email: 'u1', name: 'n3', age: 5 },
      { onConflictFields: ['email'], onConflictMergeFields: ['age'] },
    );
    await author(
      { email: 'u1', name: 'n4', age: 6 },
      { onConflictFields: ['email'], onConflictExcludeFields: ['age'] },
    );
    await author(
      { email: 'u1', name: 'n5', age: 7 },
      { onConflictFields: ['email'], onConflictWhere: { age: { $lt: 3 } } },
    );
    await author({ email: 'u1', name: 'n6' }, { onConflictFields: raw('(email)') });
    const many = () => [
      { email: 'u1', name: 'n7', age: 8 },
      { email: 'u9', name: 'n9', age: 9 },
    ];
    await orm.em.fork().upsertMany(Author, many());
    await orm.em.fork().upsertMany(Author, many(), { onConflictAction: 'ignore' });
    await orm.em.fork().upsertMany(Pair, [
      { a: 7, b: "k'" },
      { a: 1, b: 'x', returning: 'z' },
    ]);
    await orm.em.fork().upsert(Tag, { id: UUID, name: 't2' });
    expect(seen).to.deep.equal([...Array(9).fill('insert author'), 'insert order', 'insert other.tag']);
  });

  it('removed entities are captured', async () => {
    const em = orm.em.fork();
    em.remove(await em.findOneOrFail(Author, 2));
    em.remove(await em.findOneOrFail(Pair, { a: 1, b: 'x' }));
    await em.flush();
    expect(seen.sort()).to.deep.equal(['begin', 'commit', 'delete author', 'delete order']);
  });

  it('transactions are understood when they begin, nest and end', async () => {
    const em = orm.em.fork();
    const isolationLevel = IsolationLevel.REPEATABLE_READ;
    const create = async (em: SqlEntityManager) => {
      await em.findOne(Author, { id: 1 }, { lockMode: LockMode.PESSIMISTIC_WRITE });
      em.create(Section, { name: 'in' });
    };
    await em.transactional(em => em.transactional(create), { isolationLevel });
    const fail = () => Promise.reject(new Error('on purpose'));
    await em.transactional(em => em.transactional(fail).catch(() => undefined));
    expect(seen).to.deep.equal([
      ...['begin repeatable read', 'savepoint trx1', 'insert section', 'release trx1', 'commit'],
      ...['begin', 'savepoint trx1', 'rollback to trx1', 'commit'],
    ]);
  });

  it('TRUNCATE is understood', async () => {
    await orm.em.fork().qb(Section).truncate().execute();
    expect(seen).to.deep.equal(['truncate section cascade']);
  });

  it('writes by kysely with parameters are captured', async () => {
    const k = orm.em.fork().getKysely() as unknown as Kysely<any>;
    await k.insertInto('author').values({ name: 'k', email: 'k1' }).returning('id').execute();
    const values = [
      { name: 'k', email: 'k1' },
      { name: 'k2', email: 'k2' },
    ];
    await k
      .insertInto('author')
      .values(values)
      .onConflict(oc => oc.column('email').doUpdateSet(eb => ({ name: eb.ref('excluded.name') })))
      .returningAll()
      .execute();
    await k
      .insertInto('author')
      .values(values)
      .onConflict(oc => oc.column('email').doNothing())
      .execute();
    await k
      .insertInto('author')
      .values(values[0]!)
      .onConflict(oc => oc.constraint('author_email_unique').doUpdateSet({ name: 'x' }))
      .execute();
    await k
      .insertInto('author')
      .columns(['name'])
      .expression(k.selectFrom('author as a').select('a.name').where('a.age', '>', 7))
      .execute();
    await k.updateTable('author').set({ name: 'u' }).where('id', '=', 3).execute();
    await k
      .updateTable('author as a')
      .set(eb => ({ age: eb('age', '+', 1) }))
      .where('a.id', 'in', [1, 3])
      .returning(['a.id', 'a.name as n'])
      .execute();
    await k
      .updateTable('author as a')
      .from('book as b')
      .set({ name: 'u' })
      .whereRef('b.author_id', '=', 'a.id')
      .execute();
    await k.updateTable('other.tag').set({ name: 'u' }).where('name', '=', 't1').execute();
    await k.deleteFrom('author').where('id', '=', 3).returning('id').execute();
    await k.deleteFrom('book').using('author').whereRef('book.author_id', '=', 'author.id').execute();
    expect(seen).to.deep.equal([
      ...Array(5).fill('insert author'),
      ...[
        'update author',
        'update author',
        'update author',
        'update other.tag',
        'delete author',
        'delete book',
      ],
    ]);
  });

  it('a statement that is not understood names the tables that it may change', async () => {
    const k = orm.em.fork().getKysely() as unknown as Kysely<any>;
    const ids = orm.em.fork().qb(Author).select('id');
    await orm.em
      .fork()
      .qb(Author)
      .with('c', ids)
      .update({ age: 3 })
      .where(raw('id in (select id from c)'))
      .execute();
    await k
      .with('d', db => db.deleteFrom('book').where('id', '=', 2).returning('id'))
      .selectFrom('d')
      .selectAll()
      .execute();
    await k
      .mergeInto('author')
      .using('book', 'book.author_id', 'author.id')
      .whenMatched()
      .thenUpdateSet({ name: 'm' })
      .execute();
    expect(seen).to.deep.equal(['other author', 'other book', 'other author,book']);
  });
});
