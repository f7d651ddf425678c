import { Type } from '@mikro-orm/core';
import { defineEntity, MikroORM, p, type SqlEntityManager } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import { cacheops, getCacheops } from '../../../lib/index.js';
import { freshDatabase } from '../../support/servers.js';

const cached = { timeout: 60 } as const;

class UpperCase extends Type<string, string> {
  override convertToJSValueSQL(key: string): string {
    return `upper(${key})`;
  }
  override getColumnType(): string {
    return 'varchar(50)';
  }
}

const Country = defineEntity({
  name: 'Country',
  cacheops: cached,
  properties: { code: p.type(UpperCase).primary(), name: p.string() },
});

const City = defineEntity({
  name: 'City',
  cacheops: cached,
  properties: { id: p.integer().primary(), country: () => p.manyToOne(Country).nullable() },
});

const Post = defineEntity({
  name: 'Post',
  cacheops: cached,
  properties: {
    id: p.integer().primary(),
    category: p.integer(),
    comments: () => p.oneToMany(Comment).mappedBy('post'),
  },
});

const Comment = defineEntity({
  name: 'Comment',
  cacheops: cached,
  properties: {
    id: p.integer().primary(),
    approved: p.boolean(),
    post: () => p.manyToOne(Post).deleteRule('cascade'),
  },
});

describe('foreign keys that do not tell which rows are joined', () => {
  let orm: MikroORM;
  const execute = (sql: string) => orm.em.getConnection().execute(sql);

  before(async () => {
    orm = await MikroORM.init({
      entities: [Country, City, Post, Comment],
      clientUrl: await freshDatabase('violated_keys'),
      extensions: [cacheops()],
    });
    await orm.schema.create();
  });

  after(() => orm.close(true));

  /** The number of rows before and after a write, the first from the cache. */
  async function countsAround(
    read: (em: SqlEntityManager) => Promise<readonly unknown[]>,
    write: string,
  ): Promise<number[]> {
    await read(orm.em.fork());
    await getCacheops(orm).idle();
    const before = await read(orm.em.fork());
    await execute(write);
    return [before.length, (await read(orm.em.fork())).length];
  }

  it('the value of a foreign key that the ORM reads through a custom type is not the stored one', async () => {
    await execute(`insert into country (code, name) values ('abc', 'first')`);
    await execute(`insert into city (id, country_code) values (1, 'abc')`);
    expect(
      await countsAround(
        em => em.find(City, { country: { name: 'first' } }),
        `update country set name = 'other' where code = 'abc'`,
      ),
    ).to.deep.equal([1, 0]);
  });

  it('a trigger may keep a row from the action of a foreign key, so that a new row is referred to at once', async () => {
    await execute('insert into post (id, category) values (6, 1)');
    await execute('insert into comment (id, approved, post_id) values (5, true, 6)');
    await execute(`create function keep() returns trigger language plpgsql as 'begin return null; end'`);
    await execute('create trigger keep before delete on comment for each row execute function keep()');
    await execute('delete from post where id = 6');
    for (const read of [
      (em: SqlEntityManager) => em.find(Post, { comments: { approved: true } }),
      (em: SqlEntityManager) => em.find(Post, { comments: { $some: { approved: true } } }),
      (em: SqlEntityManager) => em.find(Comment, { post: { category: 1 } }),
    ]) {
      expect(await countsAround(read, 'insert into post (id, category) values (6, 1)')).to.deep.equal([0, 1]);
      await execute('delete from post where id = 6');
    }
  });
});
