import { Entity, PrimaryKey } from '@mikro-orm/decorators/legacy';
import { defineEntity, type EntityMetadata, EntitySchema, MikroORM, p } from '@mikro-orm/pglite';
import { expect } from 'chai';
import type { AnyClass } from '../../lib/config/class_lineage.js';
import { declaredProfile } from '../../lib/config/declared_profile.js';
import { CacheopsError } from '../../lib/config/error.js';
import type { ParsedProfile } from '../../lib/config/profile.js';
import { Cached } from '../../lib/decorators/cached.js';
import { forgetDecorated } from '../decorators/forget.js';

type Entities = NonNullable<Parameters<typeof MikroORM.init>[0]>['entities'];

/** What every one of some entities declares, by name. */
async function declared(entities: Entities): Promise<Record<string, ParsedProfile | null | undefined>> {
  const orm = new MikroORM({ entities, dbName: 'memory://' });
  try {
    const metadata = orm.getMetadata();
    const optionOf = (target: AnyClass) => metadata.find(target as never)?.cacheops;
    const all = [...metadata.getAll().values()] as EntityMetadata[];
    return Object.fromEntries(all.map(meta => [meta.className, declaredProfile(meta.class, optionOf)]));
  } finally {
    await orm.close();
  }
}

describe('declaredProfile', () => {
  afterEach(forgetDecorated);

  const get60 = { ops: new Set(['get']), timeout: 60 };

  it('gives the profile of the decorator', async () => {
    @Entity()
    @Cached({ ops: 'get', timeout: 60 })
    class Article {
      @PrimaryKey({ type: 'integer' })
      id!: number;
    }
    @Entity()
    @Cached(null)
    class Secret {
      @PrimaryKey({ type: 'integer' })
      id!: number;
    }
    @Entity()
    class Tag {
      @PrimaryKey({ type: 'integer' })
      id!: number;
    }

    expect(await declared([Article, Secret, Tag])).to.deep.equal({
      Article: get60,
      Secret: null,
      Tag: undefined,
    });
  });

  it('gives the option cacheops of an entity without decorators', async () => {
    const properties = { id: p.integer().primary() };
    const Article = defineEntity({ name: 'Article', cacheops: { ops: 'get', timeout: 60 }, properties });
    const Secret = defineEntity({ name: 'Secret', cacheops: null, properties });
    const Tag = new EntitySchema<{ id: number }>({
      name: 'Tag',
      cacheops: { ops: 'get', timeout: 60 },
      properties: { id: { type: 'integer', primary: true } },
    });

    expect(await declared([Article, Secret, Tag])).to.deep.equal({
      Article: get60,
      Secret: null,
      Tag: get60,
    });
  });

  it('subclasses without a profile inherit it', async () => {
    const Content = defineEntity({
      name: 'Content',
      abstract: true,
      cacheops: { ops: 'get', timeout: 60 },
      discriminator: 'type',
      properties: { id: p.integer().primary(), type: p.string() },
    });
    const Post = defineEntity({ name: 'Post', extends: Content, discriminatorValue: 'post', properties: {} });
    const VideoSchema = defineEntity({
      name: 'Video',
      extends: Content,
      discriminatorValue: 'video',
      cacheops: null,
      properties: { seconds: p.integer() },
    });
    class Video extends VideoSchema.class {}
    VideoSchema.setClass(Video);

    expect(await declared([Content, Post, Video])).to.deep.equal({
      Content: get60,
      Post: get60,
      Video: null,
    });
  });

  it('the profile of a class overrides that of its base class, however declared', () => {
    @Cached({ timeout: 1 })
    class Base {}
    class Leaf extends Base {}

    const optionOf = (target: AnyClass) => (target === Leaf ? { timeout: 2 } : undefined);
    expect(declaredProfile(Leaf, optionOf)?.timeout).to.equal(2);
    expect(declaredProfile(Base, optionOf)?.timeout).to.equal(1);
  });

  it('refuses a class with both a decorator and the option', () => {
    @Cached()
    class Article {}

    expect(() => declaredProfile(Article, () => null)).to.throw(
      CacheopsError,
      'Article has both @Cached() and the option cacheops. Leave one of them out.',
    );
  });

  it('refuses a wrong profile, and names the entity', async () => {
    const Article = defineEntity({
      name: 'Article',
      // @ts-expect-error: there is no such op
      cacheops: { ops: 'fecth' },
      properties: { id: p.integer().primary() },
    });

    await declared([Article]).then(
      () => expect.fail('it was accepted'),
      error => {
        expect(error).to.be.instanceOf(CacheopsError);
        expect(error.message).to.match(
          /^cacheops of Article: ops: 'fecth' is no op\. Did you mean 'fetch'\?/,
        );
      },
    );
  });
});
