import { raw } from '@mikro-orm/core';
import { expect } from 'chai';
import { Article, Author, Category, Comment, Tag } from '../../../fixtures/legacy/index.js';
import { restoreBlog, startBlog } from '../support/blog.js';
import type { Started } from '../support/start.js';
import { expectNoticed, type Step, type WritePath } from '../support/write_path.js';

const published: Step = em => em.find(Article, { status: 'published' }, { orderBy: { id: 1 } });
const drafts: Step = em => em.find(Article, { status: 'draft' }, { orderBy: { id: 1 } });
const archived: Step = em => em.find(Article, { status: 'archived' });
const authors: Step = em => em.find(Author, {});
const tag =
  (name: string): Step =>
  em =>
    em.find(Tag, { name });

const PATHS: Record<string, Record<string, WritePath>> = {
  'A query builder': {
    'that inserts': {
      write: em => em.createQueryBuilder(Tag).insert({ name: 'new' }).execute(),
      changes: [tag('new'), em => em.count(Tag)],
      keeps: [tag('red')],
    },
    'that inserts several': {
      write: em =>
        em
          .createQueryBuilder(Tag)
          .insert([{ name: 'x' }, { name: 'y' }])
          .execute(),
      changes: [tag('x'), tag('y')],
      keeps: [tag('red')],
    },
    'that updates': {
      write: em =>
        em.createQueryBuilder(Article).update({ status: 'archived' }).where({ author: 2 }).execute(),
      changes: [archived, drafts],
      keeps: [published],
    },
    'that updates by a relation': {
      write: em =>
        em
          .createQueryBuilder(Article)
          .update({ status: 'archived' })
          .where({ author: { name: 'Bob' } })
          .execute(),
      changes: [archived, drafts],
      keeps: [authors],
    },
    'that deletes': {
      write: em => em.createQueryBuilder(Article).delete({ id: 4 }).execute(),
      changes: drafts,
      keeps: [published],
    },
    'that truncates': {
      write: em => em.createQueryBuilder(Comment).truncate().execute(),
      changes: em => em.find(Comment, {}),
      keeps: [authors],
    },
    'that merges': {
      write: em =>
        em.createQueryBuilder(Tag).insert({ id: 1, name: 'crimson' }).onConflict('id').merge().execute(),
      changes: [tag('red'), tag('crimson')],
      keeps: [tag('green')],
    },
    'that ignores': {
      write: em =>
        em.createQueryBuilder(Tag).insert({ id: 1, name: 'crimson' }).onConflict('id').ignore().execute(),
      changes: [],
      keeps: [tag('red'), tag('crimson')],
    },
    'that inserts a SELECT': {
      write: em =>
        em
          .createQueryBuilder(Tag)
          .insertFrom(
            em
              .createQueryBuilder(Category)
              .select([raw('1000 + id as id'), 'name'] as never)
              .where({ id: 3 }),
            { columns: ['id', 'name'] as never },
          )
          .execute(),
      changes: [tag('Sports'), em => em.count(Tag)],
      keeps: [tag('red'), tag('News')],
    },
    'that merges some columns': {
      write: em =>
        em
          .createQueryBuilder(Author)
          .insert({ name: 'Rob', email: 'bob@example.org', reputation: 3 } as never)
          .onConflict('email')
          .merge(['name'])
          .execute(),
      changes: [em => em.find(Author, { name: 'Bob' }), em => em.find(Author, { name: 'Rob' })],
      keeps: [em => em.find(Author, { reputation: 3 }), em => em.find(Author, { name: 'Ann' })],
    },
    'that merges where a condition holds': {
      write: em =>
        em
          .createQueryBuilder(Author)
          .insert({ name: 'Rob', email: 'bob@example.org' } as never)
          .onConflict('email')
          .merge(['name'])
          .where({ reputation: { $gt: 5 } })
          .execute(),
      changes: [],
      keeps: [em => em.find(Author, { name: 'Bob' }), em => em.find(Author, { name: 'Rob' })],
    },
    'that returns': {
      write: async em => {
        const rows = await em
          .createQueryBuilder(Tag)
          .update({ name: 'crimson' })
          .where({ id: 1 })
          .returning(['id', 'name'])
          .execute('all');
        expect(rows).to.deep.equal([{ id: 1, name: 'crimson' }]);
      },
      changes: [tag('red'), tag('crimson')],
      keeps: [tag('green')],
    },
  },
  'Raw SQL': {
    'that inserts': {
      write: em => em.execute(`insert into tag (name) values (?)`, ['new']),
      changes: [tag('new'), em => em.count(Tag)],
      keeps: [tag('red')],
    },
    'that inserts a SELECT': {
      write: em => em.execute(`insert into tag (name) select name || '!' from tag where id < 3`),
      changes: [tag('red!'), tag('green!')],
      keeps: [tag('red'), tag('blue!')],
    },
    'that updates': {
      write: em =>
        em.execute(
          `UPDATE "public"."article" AS a SET "status" = 'archived' WHERE a.author_id = 2 -- all of them`,
        ),
      changes: [archived, drafts],
      keeps: [published],
    },
    'that updates from another table': {
      write: em =>
        em.execute(
          `update article set status = 'archived' from author where author.id = author_id and author.name = 'Bob'`,
        ),
      changes: [archived, drafts],
      keeps: [authors],
    },
    'that deletes': {
      write: em =>
        em.execute('delete from article using author where author.id = author_id and author.id = 2'),
      changes: drafts,
      keeps: [authors],
    },
    'that returns the written rows': {
      write: async em => {
        const rows = await em.execute(`update tag set name = 'crimson' where id = 1 returning *`);
        expect(rows).to.deep.equal([{ id: 1, name: 'crimson' }]);
      },
      changes: [tag('red'), tag('crimson')],
      keeps: [tag('green')],
    },
    'that counts the written rows': {
      write: async em => {
        expect(await em.execute(`update tag set name = name || '!'`, [], 'run')).to.include({
          affectedRows: 3,
        });
      },
      changes: [tag('red'), tag('red!')],
      keeps: [tag('pink')],
    },
    'that merges': {
      write: em =>
        em.execute(
          `insert into tag (id, name) values (1, 'crimson'), (9, 'new') on conflict (id) do update set name = excluded.name`,
        ),
      changes: [tag('red'), tag('crimson'), tag('new')],
      keeps: [tag('green')],
    },
    MERGE: {
      write: em =>
        em.execute(`merge into tag using (values (1, 'crimson')) as v (id, name) on v.id = tag.id
          when matched then update set name = v.name`),
      changes: [tag('red'), tag('crimson')],
      keeps: [authors],
    },
    'in a WITH query': {
      write: em => em.execute(`with gone as (delete from comment returning 1) select count(*) from gone`),
      changes: em => em.find(Comment, {}),
      keeps: [],
    },
    'TRUNCATE … CASCADE': {
      write: em => em.execute('truncate table category restart identity cascade'),
      changes: [em => em.find(Category, {}), published, em => em.find(Comment, {})],
      keeps: [authors],
    },
    'that touches no row': {
      write: em => em.execute(`update article set status = 'archived' where id < 0`),
      changes: [],
      keeps: [published, drafts, archived],
    },
    'in a transaction in SQL': {
      write: async em => {
        await em.execute('begin');
        await em.execute(`update tag set name = 'crimson' where id = 1`);
        await em.execute('commit');
      },
      changes: [tag('red'), tag('crimson')],
      keeps: [tag('green')],
    },
    'of the connection': {
      write: em => em.getConnection().execute(`update tag set name = 'crimson' where id = 1`),
      changes: [tag('red'), tag('crimson')],
      keeps: [tag('green')],
    },
  },
  Kysely: {
    'that inserts, updates and deletes': {
      write: async em => {
        const kysely = em.getKysely() as any;
        await kysely.insertInto('tag').values({ name: 'new' }).execute();
        await kysely.updateTable('tag').set({ name: 'crimson' }).where('id', '=', 1).execute();
        await kysely.deleteFrom('comment').where('text', '=', 'Bad').execute();
      },
      changes: [tag('new'), tag('red'), tag('crimson'), em => em.find(Comment, { text: 'Bad' })],
      keeps: [tag('green'), em => em.find(Comment, { text: 'Good' })],
    },
    'that inserts a SELECT, and merges': {
      write: async em => {
        const kysely = em.getKysely() as any;
        await kysely
          .insertInto('tag')
          .columns(['id', 'name'])
          .expression((eb: any) => eb.selectFrom('category').select(['id', 'name']).where('id', '=', 3))
          .onConflict((conflict: any) =>
            conflict.column('id').doUpdateSet((eb: any) => ({ name: eb.ref('excluded.name') })),
          )
          .execute();
      },
      changes: [tag('blue'), tag('Sports')],
      keeps: [em => em.find(Author, {})],
    },
    'that deletes using another table': {
      write: em =>
        (em.getKysely() as any)
          .deleteFrom('comment')
          .using('article')
          .whereRef('article.id', '=', 'comment.article_id')
          .where('article.title', '=', 'First')
          .execute(),
      changes: [em => em.find(Comment, { article: 1 })],
      keeps: [em => em.find(Comment, { article: 2 }), em => em.find(Author, {})],
    },
    'in a transaction of its own': {
      write: em =>
        (em.getKysely() as any).transaction().execute(async (trx: any) => {
          await trx.updateTable('tag').set({ name: 'crimson' }).where('id', '=', 1).execute();
        }),
      changes: [tag('red'), tag('crimson')],
      keeps: [tag('green')],
    },
    'in a transaction that is rolled back': {
      write: async em => {
        const transaction = (em.getKysely() as any).transaction().execute(async (trx: any) => {
          await trx.updateTable('tag').set({ name: 'crimson' }).where('id', '=', 1).execute();
          throw new Error('no');
        });
        await transaction.catch(() => undefined);
      },
      changes: [],
      keeps: [tag('red'), tag('green')],
    },
  },
  'The schema generator': {
    'that clears': {
      write: async em => {
        await (
          em.getPlatform().getSchemaGenerator(em.getDriver() as never, em as never) as {
            clear(): Promise<void>;
          }
        ).clear();
      },
      changes: [published, authors, tag('red')],
    },
    'that drops and creates everything': {
      write: async em => {
        const generator = em.getPlatform().getSchemaGenerator(em.getDriver() as never, em as never) as {
          refresh(): Promise<void>;
        };
        await generator.refresh();
      },
      changes: [published, authors, tag('red')],
    },
  },
};

describe('A statement is noticed:', () => {
  let blog: Started;

  before(async () => {
    blog = await startBlog();
  });

  after(() => blog.orm.close());

  beforeEach(() => restoreBlog(blog));

  for (const [who, paths] of Object.entries(PATHS)) {
    describe(who, () => {
      for (const [what, path] of Object.entries(paths)) {
        it(what, () => expectNoticed(blog, path));
      }
    });
  }

  it('a dump', async () => {
    await expectNoticed(blog, {
      write: em =>
        em.getConnection().executeDump(`update tag set name = 'crimson' where id = 1; delete from comment;`),
      changes: [tag('red'), em => em.find(Comment, {})],
    });
  });
});
