import { defineEntity, MikroORM, p, type SqlEntityManager } from '@mikro-orm/postgresql';

const cacheops = { ops: 'all', timeout: 600 } as const;

export const Author = defineEntity({
  name: 'Author',
  cacheops,
  properties: {
    id: p.integer().primary(),
    name: p.string(),
  },
});

/** The version counts the changes of a row, so that it orders any two answers. */
export const Article = defineEntity({
  name: 'Article',
  cacheops,
  properties: {
    id: p.integer().primary(),
    category: p.integer(),
    title: p.text(),
    version: p.integer(),
    author: () => p.manyToOne(Author).ref(),
  },
});

/** Has enough columns to give every query a shape of its own. */
export const Sample = defineEntity({
  name: 'Sample',
  cacheops,
  properties: {
    id: p.integer().primary(),
    version: p.integer(),
    a: p.integer(),
    b: p.integer(),
    c: p.integer(),
    d: p.integer(),
    e: p.integer(),
    f: p.integer(),
    g: p.integer(),
  },
});

export const entities = [Article, Author, Sample];

/**
 * Creates the tables with rows from 1 on, each with its own category and author. More rows make a query by category
 * slower, because it has no index.
 *
 * @param filler length of every title
 * @param unlogged name of an entity whose table is not logged: a crash of the database empties it
 */
export async function createTables(
  database: string,
  rows: number,
  filler = 0,
  unlogged?: string,
): Promise<void> {
  const orm = await MikroORM.init({ clientUrl: database, entities });
  try {
    await orm.schema.create();
    const all = `from generate_series(1, ${rows}) n`;
    for (const insert of [
      `into author (id, name) select n, 'old' ${all}`,
      `into article (id, category, title, version, author_id) select n, n, 'old' || repeat('-', ${filler}), 1, n ${all}`,
      `into sample (id, version, a, b, c, d, e, f, g) select n, 1, n, n, n, n, n, n, n ${all}`,
    ]) {
      await orm.em.getConnection().execute(`insert ${insert}`);
    }
    await orm.em.getConnection().executeDump(RULES);
    if (unlogged) {
      await orm.em.getConnection().execute(`alter table ${unlogged.toLowerCase()} set unlogged`);
    }
  } finally {
    await orm.close();
  }
}

/** Writes to this view are rewritten by rules, so that PostgreSQL reports no row for them. */
const RULES = `
create view edition as select id, category, version from article;
create rule editing as on update to edition do instead
  update article set version = article.version + 1 where id = old.id;
create rule moving as on delete to edition do instead
  update article set version = article.version + 1, category = -article.category where id = old.id`;

/** The database's versions, read without the cache. */
export async function storedVersions(
  em: SqlEntityManager,
  ids: readonly number[],
): Promise<Map<number, number>> {
  const rows = await em
    .getConnection()
    .execute<{ id: number; version: number }[]>(
      `select id, version from article where id in (${ids.join()})`,
    );
  return new Map(rows.map(({ id, version }) => [id, version]));
}
