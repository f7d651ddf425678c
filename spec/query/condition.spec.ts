import type { EntityMetadata } from '@mikro-orm/core';
import type { MikroORM } from '@mikro-orm/pglite';
import { expect } from 'chai';
import fc from 'fast-check';
import { entities } from '../../fixtures/legacy/index.js';
import { type Image, ImageFormat } from '../../lib/changes/row_image.js';
import { loadCatalog } from '../../lib/orm/catalog/catalog.js';
import type { Catalog, Table } from '../../lib/orm/catalog/table.js';
import { readCondition } from '../../lib/query/condition.js';
import { dependenciesOf } from '../../lib/query/dependencies.js';
import { IMAGE_COLUMN } from '../../lib/sql/rewrite.js';
import { readSelect } from '../../lib/sql/select/select.js';
import { dependencyOf } from '../../lib/values/encode.js';
import type { Dependency, TableDependencies } from '../../lib/values/scheme.js';
import { emptyEmbedded } from '../orm/support/embedded.js';
import { joinUncached } from '../orm/support/start.js';
import { occurrencesOf } from './occurrences.js';
import { type Question, question } from './wheres.js';

/** A stored row, and a condition that finds it. */
interface StoredRow {
  readonly table: Table;
  readonly ctid: string;
  readonly image: Image;
}

describe('the dependencies of a query', () => {
  let orm: MikroORM;
  let database: Awaited<ReturnType<typeof emptyEmbedded>>;
  let catalog: Catalog;
  let rows: StoredRow[];
  let sent: string[] = [];
  let received: { meta: EntityMetadata; where: unknown } | undefined;

  before(async () => {
    database = await emptyEmbedded();
    orm = await joinUncached({
      entities,
      onQuery(sql, parameters) {
        sent.push(orm.driver.getPlatform().formatQuery(sql, parameters));
        return sql;
      },
    });
    await orm.schema.create();
    const { find } = orm.driver;
    orm.driver.find = function (name: any, where: any, options: any) {
      received ??= { meta: orm.getMetadata().get(name), where };
      return find.call(this, name, where, options) as never;
    };
    await seed();
    catalog = await loadCatalog(async sql => (await database.query<any>(sql)).rows, 'here');
    rows = await allRows();
  });

  after(async () => {
    await database.exec('reset all');
    await orm.close();
  });

  it('every row that the result depends on is covered', async () => {
    let narrowed = 0;
    await fc.assert(
      fc.asyncProperty(question, async asked => {
        fc.pre(await answered(asked));
        const dependencies = dependenciesNow();
        narrowed += dependencies.some(({ dependencies: [first] }) => first!.scheme.id !== '') ? 1 : 0;
        const result = await resultWithout();
        for (const row of rows) {
          if ((await resultWithout(row)) !== result) {
            expect(
              covers(dependencies, row),
              `${row.table.name} ${row.image.row.values} by ${sent[0]}`,
            ).to.equal(true);
          }
        }
      }),
      { numRuns: 500 },
    );
    expect(narrowed, 'queries that depend on less than whole tables').to.be.above(100);
  }).timeout(600_000);

  /** Whether the ORM and the database accept the question, and answer it with one statement. */
  async function answered({ entity, where, options }: Question): Promise<boolean> {
    sent = [];
    received = undefined;
    const name = entities.find(each => each.name === entity)!;
    return orm.em
      .fork()
      .find(name as never, structuredClone(where) as never, options as never)
      .then(
        () => sent.length === 1,
        () => false,
      );
  }

  function dependenciesNow(): readonly TableDependencies[] {
    const select = readSelect(sent[0]!);
    if ('reason' in select) {
      throw new Error(select.reason);
    }
    const occurrences = new Map<string, number>();
    for (const name of select.tables) {
      const { fullName } = catalog.resolve(name)!;
      occurrences.set(fullName, (occurrences.get(fullName) ?? 0) + 1);
    }
    const columns = {
      tableOf: (meta: EntityMetadata) =>
        catalog.resolve({ schema: undefined, name: meta.tableName })?.fullName,
      kindOf: (table: string, column: string) => catalog.tables.get(table)?.kinds.get(column),
      orderable: (table: string, column: string) => catalog.tables.get(table)!.orderable.has(column),
      matchable: (table: string, column: string) => catalog.tables.get(table)!.matchable.has(column),
    };
    const { formula, sources } = readCondition(received!.meta, received!.where, columns, 10);
    return dependenciesOf(formula, occurrencesOf(sources, occurrences), {
      limit: 16,
      granularity: 'equality',
    });
  }

  async function resultWithout(row?: StoredRow): Promise<string> {
    const change = row ? `delete from "${row.table.name}" where ctid = '${row.ctid}';` : '';
    const results = await database.exec(`begin; ${change} ${sent[0]}; rollback`);
    return JSON.stringify(results.at(-2)!.rows);
  }

  function covers(dependencies: readonly TableDependencies[], { table, image }: StoredRow): boolean {
    const ofTable = dependencies.find(each => each.table === table.fullName)?.dependencies;
    // names that are not in the SQL do not matter here
    return !ofTable || ofTable.some(dependency => isSatisfied(dependency, image));
  }

  function isSatisfied({ scheme, values }: Dependency, { row }: Image): boolean {
    const stored = scheme.columns.map(column => [column, row.values[row.positions.get(column)!]!] as const);
    return dependencyOf(new Map(stored)).values === values;
  }

  async function allRows(): Promise<StoredRow[]> {
    const found: StoredRow[] = [];
    for (const table of catalog.tables.values()) {
      const format = new ImageFormat(table.columns);
      const { rows: images } = await database.query<any>(
        `select t.ctid::text as ctid, ${format.expression('t')} as "${IMAGE_COLUMN}" from "${table.name}" as t`,
      );
      found.push(...images.map(row => ({ table, ctid: row.ctid, image: format.read(row[IMAGE_COLUMN]) })));
    }
    return found;
  }

  /** Rows that match in parts. References may be dangling, because the database does not check them here. */
  async function seed(): Promise<void> {
    await database.exec(`set session_replication_role = replica;
      insert into author (id, name, email, born_on, home_street, home_city, office) values
        (1, 'a', '1', '2024-01-01', 's', 'a', '{"city": "a"}'), (2, 'b', '2', null, null, null, null),
        (3, 'a', '3', '2024-01-02', 's', 'b', '{"city": "b"}');
      insert into category (id, name, parent_id) values (1, 'a', null), (2, 'b', 1), (3, 'a', 1), (4, 'c', 3);
      insert into article (id, title, slug, status, price, published_at, views, category_id, author_id) values
        (1, 'a', 'a', 'draft', 1, '2024-01-01Z', 0, 1, 1), (2, 'b', null, 'published', null, null, 1, null, 1),
        (3, 'a', 'b', 'published', 2.5, '2024-01-02Z', 0, 3, 2), (4, 'c', 'c', 'draft', 1, '2024-01-01Z', 1, 2, 3);
      insert into tag (id, name) values (1, 'a'), (2, 'b'), (3, 'c');
      insert into article_tags (article_id, tag_id) values (1, 1), (1, 2), (2, 2), (4, 1);
      insert into comment (id, article_id, author_id, text, approved, created_at)
        select gen_random_uuid(), article, author, text, approved, now() from (values (1, 1, 'a', true), (1, 2, 'b', false),
        (2, null, 'a', false), (3, 3, 'c', true)) as v (article, author, text, approved);
      insert into article_translation (article_id, locale, title) values (1, 'a', 'a'), (1, 'b', 'b'), (3, 'a', 'c');
      insert into content (id, type, title, pinned) values (1, 'post', 'a', true), (2, 'post', 'b', null), (3, 'page', 'a', null)`);
  }
});
