import { ReflectMetadataProvider } from '@mikro-orm/decorators/legacy';
import { MikroORM, type Options } from '@mikro-orm/pglite';
import { expect } from 'chai';
import * as define from '../../fixtures/define/index.js';
import * as es from '../../fixtures/es/index.js';
import * as legacy from '../../fixtures/legacy/index.js';
import { declaredProfile } from '../../lib/config/declared_profile.js';

const flavours: Record<string, Options> = {
  legacy: { entities: legacy.entities, metadataProvider: ReflectMetadataProvider },
  es: { entities: es.entities },
  define: { entities: define.entities },
};

const all3600 = { ops: new Set(['get', 'fetch', 'count', 'aggregate', 'exists']), timeout: 3600 };

for (const [name, options] of Object.entries(flavours)) {
  describe(`entities in the flavour ${name}`, () => {
    let orm: MikroORM;

    before(async () => {
      orm = await MikroORM.init({ ...options, dbName: 'memory://' });
      await orm.schema.create();
    });

    after(() => orm.close());

    it('declare their profiles', () => {
      const metadata = orm.getMetadata();
      const entities = [...metadata.getAll().values()].filter(meta => !meta.pivotTable && !meta.embeddable);
      expect(entities.length).to.be.at.least(3);
      for (const meta of entities) {
        const profile = declaredProfile(meta.class, target => metadata.find(target as never)?.cacheops);
        const expected = name === 'define' && meta.className === 'Tag' ? undefined : all3600;
        expect(profile, meta.className).to.deep.equal(expected);
      }
    });

    it('are read from the database as they were written', async () => {
      const em = orm.em.fork() as any;
      const article = em.create('Article', {
        title: 'On caching',
        author: { name: 'Ann', email: 'ann@example.org' },
        tags: [{ name: 'a' }, { name: 'b' }],
      });
      await em.flush();
      const loaded = await orm.em.fork().findOneOrFail<any, string>('Article' as never, article.id, {
        populate: ['author', 'tags'],
      });
      expect(loaded.title).to.equal('On caching');
      expect(loaded.author.unwrap().name).to.equal('Ann');
      expect(loaded.tags.getItems().map((tag: { name: string }) => tag.name)).to.deep.equal(['a', 'b']);
    });
  });
}

describe('the complete fixture', () => {
  let orm: MikroORM;

  before(async () => {
    orm = await MikroORM.init({ ...flavours.legacy, dbName: 'memory://' });
    await orm.schema.create();
  });

  after(() => orm.close());

  it('stores every kind of value', async () => {
    const { Address, Article, ArticleTranslation, Author, Category, Comment, Content, Page, Slug, Video } =
      legacy;
    const em = orm.em.fork();
    const home = Object.assign(new Address(), { street: 'Elm Street 1', city: 'Springwood' });
    const office = Object.assign(new Address(), {
      street: 'Main Street 2',
      city: 'Springwood',
      country: 'US',
    });
    const author = em.create(Author, {
      name: 'Ann',
      email: 'ann@example.org',
      bornOn: '1970-01-02',
      settings: { theme: 'dark', tabs: [1, 2] },
      home,
      office,
    });
    const category = em.create(Category, { name: 'Databases', parent: { name: 'Computing' } });
    const article = em.create(Article, {
      title: 'On caching',
      slug: Slug.of('On caching!'),
      status: 'published',
      price: '12.50',
      publishedAt: new Date('2024-02-29T12:00:00.123Z'),
      views: 2n ** 53n + 1n,
      category,
      author,
    });
    em.create(ArticleTranslation, { article, locale: 'de', title: 'Vom Zwischenspeichern' });
    em.create(Comment, { article, text: 'Nice' });
    em.create(Page, { title: 'About', markup: '<p>' } as never);
    em.create(Video, { title: 'Talk', seconds: 90 } as never);
    await em.flush();

    const other = orm.em.fork();
    const found = await other.findOneOrFail(Article, article.id, {
      populate: ['author', 'category.parent', 'translations', 'comments'],
    });
    expect(found.slug).to.be.instanceOf(Slug);
    expect(String(found.slug)).to.equal('on-caching');
    expect(found.price).to.equal('12.50');
    expect(found.publishedAt).to.deep.equal(new Date('2024-02-29T12:00:00.123Z'));
    expect(found.views).to.equal(2n ** 53n + 1n);
    expect(found.category?.parent?.name).to.equal('Computing');
    const ann = found.author.unwrap();
    expect(ann.bornOn).to.equal('1970-01-02');
    expect(ann.settings).to.deep.equal({ theme: 'dark', tabs: [1, 2] });
    expect(ann.home).to.be.instanceOf(Address).and.to.include({ city: 'Springwood' });
    expect(ann.office).to.be.instanceOf(Address).and.to.include({ country: 'US' });
    expect(found.comments[0]?.id).to.match(/^[0-9a-f-]{36}$/);
    expect(await other.findOne(ArticleTranslation, { article: article.id, locale: 'de' })).to.equal(
      found.translations[0],
    );
    const contents = await other.findAll(Content, { orderBy: { title: 'asc' } });
    expect(contents.map(content => content.constructor)).to.deep.equal([Page, Video]);

    other.getUnitOfWork().computeChangeSets();
    expect(other.getUnitOfWork().getChangeSets(), 'what was only loaded').to.deep.equal([]);
  });
});
