import type { PageFile } from './page.js';

/** Files that pages may import without showing them. */
export const GIVEN: readonly PageFile[] = [
  {
    name: 'orm.ts',
    text: `
import { Entity, ManyToOne, PrimaryKey, Property, ReflectMetadataProvider } from '@mikro-orm/decorators/legacy';
import { MikroORM, type Opt, type Rel } from '@mikro-orm/postgresql';
import { Cached, cacheops, type CacheopsOptions } from 'mikro-orm-cacheops';
import { watch } from 'claims';

@Entity()
@Cached({ ops: 'all', timeout: 3600 })
export class Author {
  @PrimaryKey() id!: number;
  @Property() name!: string;
}

@Entity()
@Cached({ ops: 'all', timeout: 3600 })
export class Article {
  @PrimaryKey() id!: number;
  @Property() title!: string;
  @Property() category!: number;
  @Property({ type: 'integer', default: 0 }) views: Opt<number> = 0;
  @ManyToOne(() => Author) author!: Rel<Author>;
}

/** An ORM of the blog, with a cache in Redis. */
export async function connect(options: CacheopsOptions = {}) {
  const connected = await MikroORM.init({
    clientUrl: process.env.DATABASE_URL,
    entities: [Article, Author],
    metadataProvider: ReflectMetadataProvider,
    extensions: [cacheops({ redis: process.env.REDIS_URL, storeTimeout: 10_000, ...options })],
  });
  watch(connected);
  return connected;
}

export const orm = await connect();
await orm.schema.create();
await orm.em.fork().insertMany(Author, [{ id: 1, name: 'Ann' }, { id: 2, name: 'Bob' }]);
await orm.em.fork().insertMany(Article, [
  { id: 1, title: 'First', category: 7, author: 1 },
  { id: 2, title: 'Second', category: 9, author: 2 },
]);
`,
  },
];
