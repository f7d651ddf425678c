import { defineEntity, type MikroORM, p } from '@mikro-orm/postgresql';

/** Rows per author, and rows per category. */
export const PER_AUTHOR = 20;
export const PER_CATEGORY = 200;

const ROWS = 200_000;

export const AUTHORS = ROWS / PER_AUTHOR;
export const CATEGORIES = ROWS / PER_CATEGORY;

/** An ordinary row: numbers, texts, times, a decimal, json. */
export const Article = defineEntity({
  name: 'Article',
  properties: {
    id: p.integer().primary(),
    author: p.integer().index(),
    category: p.integer().index(),
    title: p.string(),
    summary: p.text(),
    status: p.string(),
    price: p.decimal(),
    views: p.bigint(),
    published: p.datetime(),
    attributes: p.json(),
  },
});

/** Rows of one author or category are adjacent: the best case for the database. */
export async function fillDatabase(orm: MikroORM, rows = ROWS): Promise<void> {
  await orm.schema.create();
  await orm.em.getConnection().execute(`
    insert into article (id, author, category, title, summary, status, price, views, published, attributes)
    select i, (i - 1) / ${PER_AUTHOR}, (i - 1) / ${PER_CATEGORY}, 'Article number ' || i, repeat('summary ', 12),
           (array['draft', 'published', 'retired'])[1 + i % 3], i % 1000 / 10.0, i * 7,
           timestamptz '2020-01-01' + i * interval '7 minutes', '{"words": 1200, "language": "en"}'
    from generate_series(1, ${rows}) as i`);
  await orm.em.getConnection().execute('vacuum analyze article');
}
