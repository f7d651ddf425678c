import { raw } from '@mikro-orm/core';
import {
  Article,
  Author,
  Category,
  Comment,
  Content,
  entities,
  Post,
  Slug,
  Tag,
} from '../../../fixtures/legacy/index.js';
import { restoreBlog, startBlog } from '../support/blog.js';
import type { Started } from '../support/start.js';
import { expectNoticed, type Step, type WritePath } from '../support/write_path.js';

const published: Step = em => em.find(Article, { status: 'published' }, { orderBy: { id: 1 } });
const drafts: Step = em => em.find(Article, { status: 'draft' }, { orderBy: { id: 1 } });
const archived: Step = em => em.find(Article, { status: 'archived' });
const tag =
  (name: string): Step =>
  em =>
    em.find(Tag, { name });

const PATHS: Record<string, WritePath> = {
  'em.insert()': {
    write: em =>
      em.insert(Article, { title: 'New', author: 1, status: 'archived', slug: Slug.of('New one') }),
    changes: [archived, em => em.find(Article, { slug: Slug.of('New one') }), em => em.count(Article)],
    keeps: [published, drafts, em => em.find(Article, { author: 2 })],
  },
  'em.insert() of an entity': {
    write: em => em.insert(em.create(Tag, { name: 'new' }, { persist: false })),
    changes: [tag('new'), em => em.count(Tag)],
    keeps: [tag('red')],
  },
  'em.insertMany()': {
    write: em => em.insertMany(Tag, [{ name: 'x' }, { name: 'y' }]),
    changes: [tag('x'), tag('y'), em => em.find(Tag, {})],
    keeps: [tag('red'), tag('z')],
  },
  'em.nativeUpdate()': {
    write: em => em.nativeUpdate(Article, { author: 2 }, { status: 'archived' }),
    changes: [archived, drafts],
    keeps: [published, em => em.find(Article, { author: 1 })],
  },
  'em.nativeUpdate() of columns in its condition': {
    write: em => em.nativeUpdate(Article, { status: 'published' }, { status: 'draft', price: '9' }),
    changes: [
      published,
      drafts,
      em => em.find(Article, { price: '9.00' }),
      em => em.find(Article, { price: '1.5' }),
    ],
    keeps: [archived, em => em.find(Article, { price: '0' })],
  },
  'em.nativeUpdate() with a condition on a relation': {
    write: em => em.nativeUpdate(Article, { author: { name: 'Bob' } }, { status: 'archived' }),
    changes: [archived, drafts],
    keeps: [published],
  },
  'em.nativeUpdate() with an expression': {
    write: em => em.nativeUpdate(Author, { id: 1 }, { reputation: raw('reputation * 2') }),
    changes: [em => em.find(Author, { reputation: 14 }), em => em.find(Author, { reputation: 7 })],
    keeps: [em => em.find(Author, { reputation: 0 })],
  },
  'em.nativeUpdate() of nothing': {
    write: em => em.nativeUpdate(Article, { id: -1 }, { status: 'archived' }),
    changes: [],
    keeps: [published, drafts, archived],
  },
  'em.nativeDelete()': {
    write: em => em.nativeDelete(Article, { id: 4 }),
    changes: [drafts, em => em.find(Article, { author: 2 })],
    keeps: [published, em => em.find(Article, { author: 1 })],
  },
  'em.nativeDelete() with a condition on a relation': {
    write: em => em.nativeDelete(Comment, { article: { title: 'First' } }),
    changes: [em => em.find(Comment, { article: 1 }), em => em.find(Article, {}, { populate: ['comments'] })],
    keeps: [em => em.find(Comment, { article: 2 }), published],
  },
  'em.nativeDelete() that the database cascades': {
    write: em => em.nativeDelete(Article, { id: 1 }),
    changes: [em => em.find(Comment, { article: 1 }), em => em.find(Tag, {}, { populate: ['articles'] })],
    keeps: [drafts, em => em.find(Author, {})],
  },
  'em.upsert() that inserts': {
    write: em => em.upsert(Author, { name: 'Cy', email: 'cy' }),
    changes: [em => em.find(Author, { name: 'Cy' }), em => em.count(Author)],
    keeps: [em => em.find(Author, { name: 'Ann' })],
  },
  'em.upsert() that updates': {
    write: em => em.upsert(Author, { name: 'Anna', email: 'ann@example.org' }),
    changes: [
      em => em.find(Author, { name: 'Ann' }),
      em => em.find(Author, { name: 'Anna' }),
      em => em.find(Author, { email: 'ann@example.org' }),
    ],
    keeps: [em => em.find(Author, { name: 'Bob' })],
  },
  'em.upsert() that ignores': {
    write: em =>
      em.upsert(Author, { name: 'Anna', email: 'ann@example.org' }, { onConflictAction: 'ignore' }),
    changes: [],
    keeps: [em => em.find(Author, { name: 'Ann' }), em => em.find(Author, { name: 'Anna' })],
  },
  'em.upsert() of an entity': {
    write: async em => em.upsert(em.create(Tag, { id: 1, name: 'crimson' }, { persist: false })),
    changes: [tag('red'), tag('crimson')],
    keeps: [tag('green')],
  },
  'em.upsertMany()': {
    write: em =>
      em.upsertMany(Tag, [
        { id: 1, name: 'crimson' },
        { id: 9, name: 'new' },
      ]),
    changes: [tag('red'), tag('crimson'), tag('new'), em => em.count(Tag)],
    keeps: [tag('green'), tag('other')],
  },
  'em.upsertMany() of some columns': {
    write: em =>
      em.upsertMany(Author, [{ email: 'bob@example.org', name: 'Rob', reputation: 3 }], {
        onConflictFields: ['email'],
        onConflictMergeFields: ['name'],
      }),
    changes: [em => em.find(Author, { name: 'Bob' }), em => em.find(Author, { name: 'Rob' })],
    keeps: [em => em.find(Author, { reputation: 3 }), em => em.find(Author, { name: 'Ann' })],
  },
  'em.upsertMany() without some columns': {
    write: em =>
      em.upsertMany(Author, [{ email: 'bob@example.org', name: 'Rob', reputation: 3 }], {
        onConflictFields: ['email'],
        onConflictExcludeFields: ['name'],
      }),
    changes: [em => em.find(Author, { reputation: 3 })],
    keeps: [em => em.find(Author, { name: 'Rob' }), em => em.find(Author, { reputation: 7 })],
  },
  'em.upsertMany() of rows that meet a condition': {
    write: em =>
      em.upsertMany(
        Author,
        [
          { email: 'ann@example.org', name: 'Anna' },
          { email: 'bob@example.org', name: 'Rob' },
        ],
        { onConflictFields: ['email'], onConflictWhere: { reputation: { $gt: 5 } } },
      ),
    changes: [em => em.find(Author, { name: 'Ann' }), em => em.find(Author, { name: 'Anna' })],
    keeps: [em => em.find(Author, { name: 'Bob' }), em => em.find(Author, { name: 'Rob' })],
  },
  'em.nativeUpdate() of a referenced primary key': {
    write: em => em.nativeUpdate(Tag, { id: 1 }, { id: 50 }),
    changes: [
      em => em.find(Tag, { id: 1 }),
      em => em.find(Tag, { id: 50 }),
      em => em.find(Article, {}, { populate: ['tags'], strategy: 'select-in' }),
    ],
    keeps: [tag('green'), em => em.find(Author, {})],
  },
  'em.nativeDelete() that sets references to NULL': {
    write: em => em.nativeDelete(Category, { id: 2 }),
    changes: [em => em.find(Article, { category: 2 }), em => em.find(Article, { category: null })],
    keeps: [em => em.find(Author, {}), em => em.find(Tag, {})],
  },
  'em.nativeDelete() with a transitive cascade': {
    write: em => em.nativeDelete(Category, { id: 1 }),
    changes: [
      em => em.find(Category, { parent: 1 }),
      em => em.find(Category, { parent: null }),
      em => em.find(Article, { category: 1 }),
    ],
    keeps: [em => em.find(Author, {})],
  },
  'a native statement of an inherited table': {
    write: em => em.nativeUpdate(Post, { pinned: true }, { title: 'About' }),
    changes: [em => em.find(Content, { title: 'About' }), em => em.find(Post, {})],
    keeps: [em => em.find(Content, { title: 'Film' })],
  },
  'a native statement in a transaction': {
    write: em =>
      em.transactional(async tx => {
        await tx.nativeUpdate(Tag, { id: 1 }, { name: 'crimson' });
        await tx.nativeDelete(Tag, { id: 3 });
      }),
    changes: [tag('red'), tag('crimson'), tag('blue')],
    keeps: [tag('green')],
  },
  'the driver itself': {
    write: async em => {
      await em.getDriver().nativeInsert(Tag, { name: 'new' });
      await em.getDriver().nativeUpdate(Tag, { id: 1 }, { name: 'crimson' });
      await em.getDriver().nativeDelete(Comment, { text: 'Bad' });
    },
    changes: [tag('new'), tag('red'), em => em.find(Comment, { text: 'Bad' })],
    keeps: [tag('green'), em => em.find(Comment, { text: 'Good' })],
  },
  'a clone': {
    write: async em => em.clone(await em.findOneOrFail(Tag, 1), { name: 'red too' } as never),
    changes: [tag('red too'), em => em.count(Tag)],
    keeps: [tag('red')],
  },
};

describe('A native statement is noticed:', () => {
  let blog: Started;

  before(async () => {
    blog = await startBlog();
  });

  after(() => blog.orm.close());

  beforeEach(() => restoreBlog(blog));

  for (const [what, path] of Object.entries(PATHS)) {
    it(what, () => expectNoticed(blog, path));
  }

  it('one of too many rows drops all of its table', async () => {
    const small = await startBlog({ entities, cacheops: { maxRows: 2 } });
    try {
      await expectNoticed(small, {
        write: em => em.nativeUpdate(Article, {}, { status: 'archived' }),
        changes: [archived, drafts, published],
        keeps: [em => em.find(Author, {})],
      });
    } finally {
      await small.orm.close();
    }
  });
});
