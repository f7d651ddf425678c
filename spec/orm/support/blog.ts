import type { EntityManager } from '@mikro-orm/pglite';
import {
  Address,
  Article,
  ArticleTranslation,
  Author,
  Category,
  Comment,
  entities,
  Page,
  Post,
  Slug,
  Tag,
  Video,
} from '../../../fixtures/legacy/index.js';
import { embedded, emptyEmbedded } from './embedded.js';
import { join, joinUncached, type Started, type StartOptions } from './start.js';

/** The blog of `fixtures/legacy` on the embedded database, with some articles in it. */
export async function startBlog(options: Partial<StartOptions> = {}): Promise<Started> {
  await createBlog();
  return join({ entities, ...options });
}

/** Restores the blog, and empties the cache. */
export async function restoreBlog({ orm, cache }: Started): Promise<void> {
  if (script && (await definitions()) === defined) {
    const database = await embedded();
    await database.exec(`reset all; reset role; ${script.rows}`);
    defined = await definitions();
  } else {
    await createBlog();
    await orm.em.execute('comment on table tag is null'); // its tables have new oids
  }
  await cache.invalidateAll();
}

/** SQL that creates the tables of the blog, and SQL that restores their rows. */
let script: { readonly tables: string; readonly rows: string } | undefined;

/** The {@link definitions} of the latest blog. */
let defined: string | undefined;

/** Creates the blog in the emptied embedded database; fast from the second time on. */
export async function createBlog(): Promise<void> {
  const database = await emptyEmbedded();
  if (script) {
    await database.exec(`${script.tables}\n${script.rows}`);
  } else {
    const orm = await joinUncached({ entities });
    await orm.schema.create();
    await writeBlog(orm.em.fork());
    script = { tables: await orm.schema.getCreateSchemaSQL(), rows: (await rewrites()).join('\n') };
    await orm.close();
  }
  defined = await definitions();
}

/** Differs if anything was created, altered or dropped meanwhile. */
async function definitions(): Promise<string> {
  const database = await embedded();
  if (!versions) {
    const { rows } = await database.query<{ name: string; key: string }>(
      `select c.relname as name, a.attname as key from pg_class c join pg_attribute a on a.attrelid = c.oid
        where c.relkind = 'r' and c.relnamespace = 'pg_catalog'::regnamespace
          and a.attname in ('oid', 'attrelid', 'setdatabase')`,
    );
    // objects of PostgreSQL have lower oids; settings have none
    versions = rows
      .map(({ name, key }) => {
        const condition = key === 'setdatabase' ? 'true' : `${key} >= 16384`;
        return `select '${name}', count(*), max(xmin::text::bigint) from pg_catalog.${name} where ${condition}`;
      })
      .join(' union all ');
  }
  return JSON.stringify((await database.query(versions)).rows);
}

let versions: string | undefined;

/** SQL that restores the present rows of all tables. */
async function rewrites(): Promise<string[]> {
  const database = await embedded();
  const { rows: tables } = await database.query<{ name: string }>(
    `select relname as name from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace`,
  );
  const statements = [
    'set session_replication_role = replica;',
    `truncate ${tables.map(({ name }) => `"${name}"`).join()};`,
  ];
  for (const { name } of tables) {
    const { rows } = await database.query<{ json: string }>(
      `select json_agg(t)::text as json from "${name}" as t`,
    );
    const json = rows[0]!.json?.replaceAll("'", "''");
    statements.push(
      `insert into "${name}" select * from json_populate_recordset(null::"${name}", '${json ?? '[]'}');`,
    );
  }
  return [...statements, 'set session_replication_role = origin;', NEXT_IDS];
}

// so that new rows do not get the ids below
const NEXT_IDS = ['author', 'category', 'tag', 'article', 'content']
  .map(table => `select setval(pg_get_serial_sequence('${table}', 'id'), 100);`)
  .join('\n');

/** Articles 1 to 4, by Ann (1) and Bob (2). */
async function writeBlog(em: EntityManager): Promise<void> {
  const [ann, bob] = [
    em.create(Author, {
      id: 1,
      name: 'Ann',
      email: 'ann@example.org',
      reputation: 7,
      bornOn: '1980-02-29',
      settings: { theme: { dark: true }, sizes: [1, 2.5, null], text: '€😀', nothing: null },
      home: address('Main Street', 'Springfield', 'US'),
      office: address('Side Street', 'Shelbyville'),
    }),
    em.create(Author, { id: 2, name: 'Bob', email: 'bob@example.org' }),
  ];
  const news = em.create(Category, { id: 1, name: 'News' });
  const local = em.create(Category, { id: 2, name: 'Local', parent: news });
  em.create(Category, { id: 3, name: 'Sports', parent: news });
  const [red, green, blue] = ['red', 'green', 'blue'].map((name, i) => em.create(Tag, { id: i + 1, name }));
  const first = em.create(Article, {
    id: 1,
    title: 'First',
    slug: Slug.of('The first one'),
    body: 'Hello',
    status: 'published',
    price: '1.50',
    publishedAt: new Date('2024-03-31T01:30:00.123Z'),
    views: 2n ** 60n,
    category: local,
    author: ann!,
  });
  first.tags.add(red!, green!);
  const second = em.create(Article, {
    id: 2,
    title: 'Second',
    status: 'published',
    category: news,
    author: ann!,
  });
  second.tags.add(green!, blue!);
  em.create(Article, { id: 3, title: 'Third', category: local, author: bob! });
  em.create(Article, { id: 4, title: 'Fourth', price: '0', author: bob! });
  for (const [i, text] of ['Good', 'Bad', 'Ugly'].entries()) {
    const createdAt = new Date(Date.UTC(2024, 0, 1 + i));
    em.create(Comment, {
      id: uuid(i),
      article: i < 2 ? first : second,
      author: i ? bob! : null,
      text,
      createdAt,
    });
  }
  em.create(ArticleTranslation, { article: first, locale: 'de', title: 'Erster' });
  em.create(ArticleTranslation, { article: first, locale: 'fr', title: 'Premier' });
  em.create(ArticleTranslation, { article: second, locale: 'de', title: 'Zweiter' });
  em.create(Page, { id: 1, title: 'About', markup: '*' });
  em.create(Post, { id: 2, title: 'Note', text: 'x', pinned: true });
  em.create(Video, { id: 3, title: 'Film', seconds: 90 });
  await em.flush();
  for (const statement of NEXT_IDS.split('\n')) {
    await em.execute(statement);
  }
}

export function uuid(n: number): string {
  return `00000000-0000-4000-8000-00000000000${n}`;
}

function address(street: string, city: string, country?: string): Address {
  return Object.assign(new Address(), { street, city, ...(country && { country }) });
}
