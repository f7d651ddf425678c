import fc, { type Arbitrary } from 'fast-check';

/** A write to the blog of `fixtures/legacy`. It may fail, or change nothing. */
export interface Change {
  readonly table: string;
  readonly sql: string;
}

const id = fc.constantFrom('1', '2', '3', '4');
const name = fc.constantFrom(`'a'`, `'b'`, `'c'`);
const nullable = (values: Arbitrary<string>) =>
  fc.oneof({ arbitrary: values, weight: 4 }, fc.constant('null'));
const boolean = fc.constantFrom('true', 'false');

const COLUMNS: Record<string, Record<string, Arbitrary<string>>> = {
  article: {
    id,
    title: name,
    slug: nullable(name),
    status: fc.constantFrom(`'draft'`, `'published'`),
    price: nullable(fc.constantFrom('1', '1.5', '2.5', '3')),
    published_at: nullable(
      fc.constantFrom(`'2024-01-01Z'`, `'2024-01-01 00:00:00.000001Z'`, `'2024-01-02Z'`),
    ),
    views: fc.constantFrom('0', '1', '2'),
    category_id: nullable(id),
    author_id: id,
  },
  author: {
    id,
    name,
    email: fc.constantFrom(`'4'`, `'5'`),
    born_on: nullable(fc.constantFrom(`'2024-01-01'`, `'2024-01-02'`)),
    home_city: nullable(name),
    office: nullable(fc.constantFrom(`'{"city": "a"}'`, `'{"city": "c"}'`)),
  },
  category: { id, name, parent_id: nullable(id) },
  comment: { article_id: nullable(id), author_id: nullable(id), text: name, approved: boolean },
  tag: { id, name },
  article_tags: { article_id: id, tag_id: id },
  article_translation: { article_id: id, locale: name, title: name },
  content: { id, type: fc.constantFrom(`'post'`, `'page'`), title: name, pinned: nullable(boolean) },
};

function update(table: string): Arbitrary<Change> {
  const columns = COLUMNS[table]!;
  const column = fc.constantFrom(...Object.keys(columns));
  const set = column.chain(set => columns[set]!.map(value => `${set} = ${value}`));
  const where = column.chain(by => columns[by]!.map(value => `${by} = ${value}`));
  return fc.tuple(set, where).map(([assignment, condition]) => ({
    table,
    sql: `update ${table} set ${assignment} where ${condition}`,
  }));
}

function remove(table: string): Arbitrary<Change> {
  const columns = COLUMNS[table]!;
  return fc
    .constantFrom(...Object.keys(columns))
    .chain(by => columns[by]!.map(value => ({ table, sql: `delete from ${table} where ${by} = ${value}` })));
}

/** A copy of an existing row with some other columns. */
function insert(table: string): Arbitrary<Change> {
  const columns = COLUMNS[table]!;
  const key = fc.constantFrom('1', '2', '3', '4', '5', '6');
  const values: Arbitrary<Record<string, string>> = fc.record({
    ...columns,
    ...('id' in columns && { id: key }),
  });
  return values.map(given => {
    const names = Object.keys(given);
    const extra = table === 'comment' ? ['id, created_at', 'gen_random_uuid(), now()'] : undefined;
    return {
      table,
      sql: `insert into ${table} (${[...names, ...(extra ? [extra[0]] : [])]})
        values (${[...names.map(each => given[each]), ...(extra ? [extra[1]] : [])]})`,
    };
  });
}

export const changes: Arbitrary<Change> = fc
  .constantFrom(...Object.keys(COLUMNS), 'article', 'article', 'author')
  .chain(table =>
    fc.oneof({ arbitrary: update(table), weight: 5 }, { arbitrary: insert(table), weight: 2 }, remove(table)),
  );
