import { raw } from '@mikro-orm/core';
import {
  Article,
  ArticleTranslation,
  Author,
  Category,
  Comment,
  Content,
  Page,
  Post,
  Slug,
  Tag,
} from '../../../fixtures/legacy/index.js';
import { restoreBlog, startBlog, uuid } from '../support/blog.js';
import type { Started } from '../support/start.js';
import { expectNoticed, type Step, type WritePath } from '../support/write_path.js';

const published: Step = em => em.find(Article, { status: 'published' }, { orderBy: { id: 1 } });
const drafts: Step = em => em.find(Article, { status: 'draft' }, { orderBy: { id: 1 } });
const archived: Step = em => em.find(Article, { status: 'archived' });
const byBob: Step = em => em.find(Article, { author: 2 });
const tagsOf =
  (id: number): Step =>
  async em =>
    em.find(Article, { id }, { populate: ['tags'], strategy: 'select-in' });

const PATHS: Record<string, WritePath> = {
  'an insert': {
    write: em => {
      em.create(Article, { title: 'New', status: 'published', author: em.getReference(Author, 2) });
      return em.flush();
    },
    changes: [published, byBob, em => em.count(Article)],
    keeps: [drafts, archived, em => em.find(Article, { author: 1 }), em => em.find(Author, {})],
  },
  'an insert with what the database adds': {
    write: em => {
      em.create(Article, { title: 'New', author: em.getReference(Author, 2) });
      return em.flush();
    },
    changes: drafts,
    keeps: [published],
  },
  'several inserts': {
    write: em => {
      for (const title of ['One', 'Two', 'Three']) {
        em.create(Article, { title, author: em.getReference(Author, 2), category: 3 as never });
      }
      return em.flush();
    },
    changes: [em => em.find(Article, { category: 3 }), em => em.findOne(Article, { title: 'Two' })],
    keeps: [em => em.find(Article, { category: 1 }), em => em.findOne(Article, { title: 'Four' })],
  },
  'an update': {
    write: async em => {
      (await em.findOneOrFail(Article, 3)).status = 'published';
      await em.flush();
    },
    changes: [drafts, published],
    keeps: [archived, em => em.find(Article, { author: 1 }), em => em.find(Article, { title: 'First' })],
  },
  'an update of what is not compared': {
    write: async em => {
      (await em.findOneOrFail(Article, 3)).body = 'Changed';
      await em.flush();
    },
    changes: [drafts, byBob],
    keeps: [published],
  },
  'an update of a row that was loaded in parts': {
    write: async em => {
      (await em.findOneOrFail(Article, 3, { fields: ['title'] })).title = 'Changed';
      await em.flush();
    },
    changes: [drafts, byBob],
    keeps: [published, em => em.find(Article, { author: 1 })],
  },
  'an update of a reference': {
    write: async em => {
      em.getReference(Article, 3).status = 'published';
      await em.flush();
    },
    changes: [drafts, published],
    keeps: [archived, em => em.find(Article, { author: 1 })],
  },
  'an update of a row that is another one meanwhile': {
    write: async em => {
      const article = await em.findOneOrFail(Article, 3);
      await em.fork().nativeUpdate(Article, { id: 3 }, { status: 'archived' });
      // so that the next results are not dropped already
      await archived(em.fork());
      article.status = 'published';
      await em.flush();
    },
    changes: [published, drafts],
  },
  'updates of several rows': {
    write: async em => {
      for (const article of await em.find(Article, {})) {
        article.title += '!';
        article.category = em.getReference(Category, 3);
      }
      await em.flush();
    },
    changes: [
      published,
      drafts,
      em => em.find(Article, { category: 2 }),
      em => em.find(Article, { category: 3 }),
    ],
    keeps: [archived, em => em.find(Author, {}), em => em.find(Article, { title: 'Fifth' })],
  },
  'an update of a relation': {
    write: async em => {
      (await em.findOneOrFail(Article, 1)).author = em.getReference(Author, 2) as never;
      await em.flush();
    },
    changes: [
      byBob,
      em => em.find(Article, { author: { name: 'Ann' } }),
      em => em.find(Author, {}, { populate: ['articles'] }),
    ],
    keeps: [em => em.find(Article, { author: 3 })],
  },
  'an update to NULL': {
    write: async em => {
      (await em.findOneOrFail(Article, 1)).category = null;
      await em.flush();
    },
    changes: [em => em.find(Article, { category: null }), em => em.find(Article, { category: 2 })],
    keeps: [em => em.find(Article, { category: 1 })],
  },
  'an update of a joined row': {
    write: async em => {
      (await em.findOneOrFail(Author, 1)).name = 'Anna';
      await em.flush();
    },
    changes: [
      em => em.find(Article, {}, { populate: ['author'], strategy: 'joined' }),
      em => em.find(Article, { author: { name: 'Ann' } }),
      em => em.find(Article, {}, { orderBy: { author: { name: 'asc' }, id: 1 }, populate: ['author'] }),
    ],
    keeps: [published, em => em.find(Article, { author: { name: 'Bob' } })],
  },
  'an update of an embeddable': {
    write: async em => {
      (await em.findOneOrFail(Author, 1)).home!.city = 'Ogdenville';
      await em.flush();
    },
    changes: [
      em => em.find(Author, { home: { city: 'Springfield' } }),
      em => em.find(Author, { home: { city: 'Ogdenville' } }),
    ],
    keeps: [
      em => em.find(Author, { home: { city: 'Capital City' } }),
      em => em.find(Author, { name: 'Bob' }),
    ],
  },
  'an update in json': {
    write: async em => {
      const author = await em.findOneOrFail(Author, 1);
      author.settings = { ...author.settings, theme: { dark: false } };
      author.office!.city = 'Ogdenville';
      await em.flush();
    },
    changes: [
      em => em.find(Author, { settings: { theme: { dark: true } } }),
      em => em.find(Author, { office: { city: 'Ogdenville' } }),
    ],
    keeps: [em => em.find(Author, { name: 'Bob' })],
  },
  'an update by an expression': {
    write: async em => {
      (await em.findOneOrFail(Author, 1)).reputation = raw('reputation + 1') as never;
      await em.flush();
    },
    changes: [em => em.find(Author, { reputation: 7 }), em => em.find(Author, { reputation: 8 })],
    keeps: [em => em.find(Author, { reputation: 9 })],
  },
  'a custom type': {
    write: async em => {
      (await em.findOneOrFail(Article, 1)).slug = Slug.of('Another one');
      await em.flush();
    },
    changes: [
      em => em.find(Article, { slug: new Slug(['another', 'one']) }),
      em => em.find(Article, { slug: Slug.of('The first one') }),
    ],
    keeps: [em => em.find(Article, { slug: Slug.of('none') })],
  },
  'a value that the database stores in another form': {
    write: async em => {
      (await em.findOneOrFail(Article, 1)).price = '2.999';
      await em.flush();
    },
    changes: [em => em.find(Article, { price: '3' }), em => em.find(Article, { price: '1.5' })],
    keeps: [em => em.find(Article, { price: '2.999' }), em => em.find(Article, { price: '0' })],
  },
  'a removal': {
    write: async em => {
      em.remove(await em.findOneOrFail(Article, 4));
      await em.flush();
    },
    changes: [drafts, byBob, em => em.count(Article)],
    keeps: [published, em => em.find(Article, { author: 1 })],
  },
  'a removal of a reference': {
    write: em => em.remove(em.getReference(Article, 4)).flush(),
    changes: [drafts, byBob],
    keeps: [published],
  },
  'a removal that the database cascades': {
    write: em => em.remove(em.getReference(Article, 1)).flush(),
    changes: [
      em => em.find(Comment, {}),
      em => em.find(ArticleTranslation, { locale: 'de' }),
      em => em.find(Tag, {}, { populate: ['articles'] }),
      em => em.find(Comment, { text: 'Good' }),
    ],
    keeps: [em => em.find(Author, {}), drafts],
  },
  'a removal that sets references to NULL': {
    write: em => em.remove(em.getReference(Category, 1)).flush(),
    changes: [
      em => em.find(Article, { category: 1 }),
      em => em.find(Article, { category: null }),
      em => em.find(Category, { parent: null }),
    ],
    keeps: [em => em.find(Author, {}), em => em.find(Tag, {})],
  },
  'a composite key': {
    write: async em => {
      (await em.findOneOrFail(ArticleTranslation, { article: 1, locale: 'de' })).title = 'Anders';
      em.create(ArticleTranslation, { article: em.getReference(Article, 3), locale: 'it', title: 'Terzo' });
      em.remove(await em.findOneOrFail(ArticleTranslation, { article: 1, locale: 'fr' }));
      await em.flush();
    },
    changes: [
      em => em.findOne(ArticleTranslation, { article: 1, locale: 'de' }),
      em => em.findOne(ArticleTranslation, { article: 1, locale: 'fr' }),
      em => em.find(ArticleTranslation, { locale: 'it' }),
      em => em.find(Article, { translations: { title: 'Terzo' } }),
    ],
    keeps: [
      em => em.findOne(ArticleTranslation, { article: 2, locale: 'de' }),
      em => em.find(ArticleTranslation, { article: 2 }),
    ],
  },
  'single table inheritance': {
    write: async em => {
      (await em.findOneOrFail(Post, 2)).title = 'Other';
      em.create(Page, { title: 'New' });
      await em.flush();
    },
    changes: [em => em.find(Content, {}), em => em.find(Post, { title: 'Note' }), em => em.find(Page, {})],
    keeps: [em => em.find(Content, { title: 'Film' }), em => em.find(Post, { title: 'About' })],
  },
  'an addition to a collection': {
    write: async em => {
      (await em.findOneOrFail(Article, 3, { populate: ['tags'] })).tags.add(em.getReference(Tag, 1));
      await em.flush();
    },
    changes: [
      tagsOf(3),
      em => em.find(Article, { tags: { name: 'red' } }),
      em => em.find(Tag, {}, { populate: ['articles'] }),
    ],
    keeps: [published, em => em.find(Tag, { name: 'red' })],
  },
  'an addition to a collection that is not loaded': {
    write: async em => {
      (await em.findOneOrFail(Article, 3)).tags.add(em.getReference(Tag, 1));
      await em.flush();
    },
    changes: [tagsOf(3), em => em.count(Article, { tags: { name: 'red' } })],
    keeps: [published],
  },
  'a removal from a collection': {
    write: async em => {
      (await em.findOneOrFail(Article, 1, { populate: ['tags'] })).tags.remove(em.getReference(Tag, 1));
      await em.flush();
    },
    changes: [tagsOf(1), em => em.find(Tag, { articles: { title: 'First' } })],
    keeps: [published],
  },
  'a collection that is set anew': {
    write: async em => {
      (await em.findOneOrFail(Article, 1, { populate: ['tags'] })).tags.set([em.getReference(Tag, 3)]);
      await em.flush();
    },
    changes: [tagsOf(1), em => em.find(Article, { tags: { name: 'blue' } })],
    keeps: [published, drafts],
  },
  'a collection that is set from its other side': {
    write: async em => {
      (await em.findOneOrFail(Tag, 3, { populate: ['articles'] })).articles.set([
        em.getReference(Article, 4),
      ]);
      await em.flush();
    },
    changes: [tagsOf(4), tagsOf(2)],
    keeps: [published],
  },
  'a collection that is emptied': {
    write: async em => {
      (await em.findOneOrFail(Article, 1, { populate: ['tags'] })).tags.removeAll();
      await em.flush();
    },
    changes: [tagsOf(1), em => em.count(Tag, { articles: { id: 1 } })],
    keeps: [published],
  },
  'items of the many side': {
    write: async em => {
      const ann = await em.findOneOrFail(Author, 1, { populate: ['articles'] });
      ann.articles.add(em.getReference(Article, 3));
      await em.flush();
    },
    changes: [
      byBob,
      em => em.find(Author, {}, { populate: ['articles'], orderBy: { id: 'asc', articles: { id: 'asc' } } }),
    ],
    keeps: [em => em.find(Article, { author: 3 })],
  },
  'what is persisted by cascade': {
    write: async em => {
      const author = em.create(Author, { name: 'Cy', email: 'cy' });
      author.articles.add(em.create(Article, { title: 'By Cy', author, status: 'archived' }));
      await em.flush();
    },
    changes: [archived, em => em.find(Author, { name: 'Cy' })],
    keeps: [published, drafts, em => em.find(Author, { name: 'Ann' })],
  },
  uuids: {
    write: async em => {
      (await em.findOneOrFail(Comment, uuid(1))).approved = true;
      await em.flush();
    },
    changes: [em => em.find(Comment, { approved: true }), em => em.findOne(Comment, uuid(1).toUpperCase())],
    keeps: [em => em.findOne(Comment, uuid(2)), em => em.find(Comment, { text: 'Good' })],
  },
};

describe('A flush is noticed:', () => {
  let blog: Started;

  before(async () => {
    blog = await startBlog();
  });

  after(() => blog.orm.close());

  beforeEach(() => restoreBlog(blog));

  for (const [what, path] of Object.entries(PATHS)) {
    it(what, () => expectNoticed(blog, path));
  }
});
