import fc from 'fast-check';
import { record } from './arbitrary.js';
import { KINDS, type Kind, modelOf } from './model.js';
import type { Topic } from './topics.js';
import * as v from './values.js';

/** A raw SQL statement. */
export interface Statement {
  readonly kind: 'sql';
  readonly sql: string;
  readonly parameters: readonly unknown[];
}

const article = v.ids(6).stored;
const author = v.ids(5).stored;
const category = v.ids(5).stored;
const tag = v.ids(4).stored;
const project = v.ids(4).stored;
const shelf = v.ids(4).stored;
const item = v.ids(5).stored;
const memo = v.ids(5).stored;
const title = v.titles.stored;
const status = fc.constantFrom('draft', 'published', 'archived');

const TEMPLATES: readonly (readonly [string, ...fc.Arbitrary<unknown>[]])[] = [
  ['update article set status = ? where id = ?', status, article],
  ['update article set category_id = ?, views = views + 1 where category_id = ?', category, category],
  ['update "article" as a set "title" = a."title" || \'!\' where a.author_id = ?', author],
  ['update article set price = price * 1.1 where price is not null and status = ?', status],
  [
    'update article a set category_id = c.parent_id from category c where c.id = a.category_id and c.id = ?',
    category,
  ],
  [
    'update comment set approved = not approved where article_id in (select id from article where author_id = ?)',
    author,
  ],
  ['update author set home_city = ?, reputation = reputation + 1 where id = ?', v.cities.stored, author],
  ['update task set project_id = ? where project_id = ? returning id', project, project],
  ["update content set type = 'post' where id = ?", v.ids(5).stored],
  ['insert into tag (name) values (?)', fc.constantFrom('red', 'white')],
  [
    "insert into tag (name) values (?) on conflict (name) do update set name = excluded.name || '2'",
    fc.constantFrom('red', 'white'),
  ],
  [
    'insert into article_tags (article_id, tag_id) select id, ? from article where category_id = ? on conflict do nothing',
    tag,
    category,
  ],
  ['delete from article_tags where tag_id = ?', tag],
  ['delete from comment using article a where a.id = comment.article_id and a.id = ?', article],
  ['delete from category where id = ?', category],
  [
    "with gone as (delete from comment where author_id = ? returning article_id) update article set status = 'archived' where id in (select article_id from gone)",
    author,
  ],
  [
    'with moved as (select id from task where project_id = ?) update task set title = ? where id in (select id from moved)',
    project,
    title,
  ],
  [
    'merge into project p using author a on a.id = p.lead_id and a.id = ? when matched then update set closed = true',
    author,
  ],
  ['truncate comment'],
  ['update vehicle set name = ? where id = ?', title, v.ids(5).stored],
  ['update car set doors = doors + 1 where id in (select id from vehicle where shelf_id = ?)', shelf],
  ['delete from vehicle where id = ?', v.ids(5).stored],
  [
    "with cab as (insert into vehicle (name) values (?) returning id), body as (insert into car (id, doors) select id, 2 from cab) insert into taxi (id, number) select id, '8' from cab",
    title,
  ],
  ["update being set type = 'dog', trick = 'sit' where id = ?", v.ids(5).stored],
  ["update being set type = 'animal' where legs = ? and type = 'dog'", fc.constantFrom(2, 5)],
  ['insert into being (type, name, eats_id) select type, name, id from being where id = ?', v.ids(5).stored],
  ['update shelf set labels = labels || ? where id = ?', fc.constant('[{"name":"blue","weight":2}]'), shelf],
  ['update shelf_favourites set item_id = ? where id = ?', item, v.ids(5).stored],
  ['update shelf_favourites set id = 5 - id where shelf_id = ?', shelf],
  ['update placement set shelf_id = ?, place = place + 1 where item_id = ?', shelf, item],
  [
    'insert into placement (shelf_id, item_id) select ?, id from item where total > 1 on conflict do nothing',
    shelf,
  ],
  ['update item set price = ? where amount = ?', fc.constantFrom(1, 5), fc.constantFrom(1, 2, 5)],
  [
    'with gone as (delete from placement where shelf_id = ? returning item_id) update item set amount = amount + 1 where id in (select item_id from gone)',
    shelf,
  ],
  ['insert into item (name, price, amount) select name, amount, price from item where id = ?', item],
  ['delete from item_goes_with where item_1_id = item_2_id or item_1_id = ?', item],
  ["update remark set subject_type = 'item', subject_id = ? where id = ?", item, v.ids(4).stored],
  ['update remark set subject_id = ? where subject_id = ?', shelf, shelf],
  [
    "do $$ begin execute 'update article set views = views + 1 where status = ''draft'''; delete from tag where id = 3; end $$",
  ],
  ['truncate article_tags, task_watchers'],
  ['delete from memo where id = ?', memo],
  ['update memo set at = ?::text::timestamptz where id = ?', v.zoneless.stored, memo],
  ['insert into memo (name, at) select name, at from memo where id = ?', memo],
  ['update open_memo set name = ?, at = at + ?::text::interval where id = ?', title, v.spans.stored, memo],
  ['delete from open_memo where name = ?', title],
  ['insert into open_memo (name, at) values (?, ?::text::timestamptz)', title, v.zoneless.stored],
  [
    'with gone as (update open_memo set name = ? where id = ? returning name) select * from gone',
    title,
    memo,
  ],
  ['delete from scratch where id = ?', shelf],
  ['update scratch set n = ? where id = ?', fc.constantFrom(2, 5), shelf],
  ['insert into scratch (name, n) values (?, ?)', title, fc.constantFrom(1, 2)],
  ["comment on table tally is 'counted'"],
  ['select id from article where id = ? for update', article],
];

type Template = (typeof TEMPLATES)[number];

/** Statements that set a column to any value of its type, given as text. */
function literalTemplates(kind: Kind): Template[] {
  const { table, fields } = modelOf(kind);
  return Object.entries(fields).flatMap(([name, { literals }]): Template[] => {
    if (!literals) {
      return [];
    }
    const { type, values } = literals;
    const literal = fc.constantFrom(...values);
    const id = v.ids(5).stored;
    const templates: Template[] = [
      [`update ${table} set "${name}" = ?::text::${type} where id = ?`, literal, id],
      [`update ${table} set "${name}" = ?::text::${type} where id <> ?`, literal, id],
      [`insert into ${table} ("${name}") values (?::text::${type})`, literal],
      [
        `insert into ${table} (id, "${name}") values (?, ?::text::${type}) on conflict (id) do update set "${name}" = excluded."${name}"`,
        id,
        literal,
      ],
    ];
    return type === 'json'
      ? templates
      : [
          ...templates,
          [
            `update ${table} set "${name}" = ?::text::${type} where "${name}" = ?::text::${type}`,
            literal,
            literal,
          ],
          [`delete from ${table} where "${name}" = ?::text::${type}`, literal],
        ];
  });
}

const LITERALS = new Map(KINDS.map(kind => [kind, literalTemplates(kind)]));

/** The statements on a table of the topic. */
export function statements(topic: Topic): fc.Arbitrary<Statement> {
  // mostly on the columns that its queries compare
  const focused = LITERALS.get(topic.focus)!.filter(([sql]) =>
    topic.properties.some(name => sql.includes(`"${name}"`)),
  );
  const tables = new RegExp(`\\b(${topic.kinds.map(kind => modelOf(kind).table).join('|')})\\b`);
  const templates = [
    ...TEMPLATES.filter(([sql]) => tables.test(sql)),
    ...topic.kinds.flatMap(kind => LITERALS.get(kind)!),
    ...focused,
  ];
  return fc.constantFrom(...templates).chain(([sql, ...parameters]) =>
    record({
      kind: fc.constant('sql' as const),
      sql: fc.constant(sql),
      parameters: fc.tuple(...parameters),
    }),
  );
}
