import { BORDER_ROWS } from './borders.js';
import { MEMO_ROWS, SHAPE_ROWS, SHAPE_TABLES } from './shapes.js';
import { UUIDS } from './values.js';

const TABLES = [
  ...SHAPE_TABLES,
  'allotment',
  'article',
  'article_tags',
  'article_translation',
  'author',
  'budget',
  'bundle',
  'category',
  'comment',
  'content',
  'measure',
  'memo',
  'elsewhere.memo',
  'project',
  'scratch',
  'tag',
  'tally',
  'task',
  'task_watchers',
  'wording',
];

/** Every history begins with the same rows. */
export const RESET = `
set local lock_timeout = '20s';
truncate ${TABLES.join(', ')} restart identity;
insert into author (name, email, reputation, born_on, settings, home_street, home_city, home_country, office) values
  ('Alpha', 'a@x', 0, '2000-01-31', '{"theme":"dark","size":1}', 'Main 1', 'Oslo', 'NO', '{"street":"Side 2","city":"Rome"}'),
  ('beta', 'b@x', 1, null, null, null, null, null, null),
  ('it''s', 'c@x', 2, '2024-02-29', '{"theme":"light"}', 'Side 2', 'Rome', null, null),
  ('alpha', 'd@x', -5, null, null, null, null, null, '{"street":"Main 1","city":"Oslo","country":"NO"}');
insert into category (name, parent_id) values ('Alpha', null), ('beta', 1), ('alpha', 1), ('', 2);
insert into article (title, slug, body, status, price, published_at, views, category_id, author_id) values
  ('Alpha', 'a-b', '', 'published', 1.5, '2024-01-01T00:00:00Z', 0, 1, 1),
  ('alpha', null, 'beta', 'draft', null, null, 5, 2, 1),
  ('beta', 'x', '', 'published', 2, '2024-06-01T00:00:00Z', 9007199254740993, 2, 2),
  ('it''s', null, '', 'archived', 0.1, '2024-01-01T12:30:00.123Z', 1, null, 3),
  ('Beta 50%', 'a-b', 'Alpha', 'draft', 2.01, null, 0, 3, 3);
insert into article_translation (article_id, locale, title) values (1, 'en', 'Alpha'), (1, 'de', 'beta'), (2, 'en', 'alpha'), (3, 'pt-BR', '');
insert into comment (id, article_id, author_id, text, approved, created_at) values
  ('${UUIDS[0]}', 1, 1, 'Alpha', true, '2024-01-01T00:00:00Z'),
  ('${UUIDS[1]}', 1, 2, 'beta', false, '2024-06-01T00:00:00Z'),
  ('${UUIDS[2]}', 2, null, '', false, '1969-12-31T23:59:59.999Z'),
  ('${UUIDS[3]}', 3, 3, 'it''s', true, '2024-01-01T12:30:00.123Z');
insert into content (type, title, markup, text, pinned, seconds) values
  ('page', 'Alpha', 'beta', null, null, null), ('post', 'Alpha', null, 'alpha', true, null),
  ('video', 'beta', null, null, null, 60), ('post', '', null, null, false, null);
insert into tag (name) values ('red'), ('green'), ('blue');
insert into article_tags (article_id, tag_id) values (1, 1), (1, 2), (2, 1), (3, 3), (5, 2);
insert into project (tenant, code, closed, lead_id) values (1, 'AB', false, 1), (2, 'ABCD', false, 2), (1, '', true, null);
insert into budget (project_id, amount) values (1, 1.25), (2, 10);
insert into allotment (project_id, amount) values (2, 1.25), (3, 3);
insert into task (version, project_id, after_id, title, done, weight, attachment, labels, due, notes) values
  (1, 1, null, 'Alpha', false, 0.1, '\\x00ff07', '{a,b}', '2024-01-01 00:00:01', 'beta'),
  (1, 1, 1, 'beta', true, null, null, '{}', null, null),
  (1, 2, null, 'Alpha', false, 2.5, 'blob', null, '2024-03-31 02:30:00', 'it''s'),
  (1, 3, 3, 'alpha', false, 1e21, null, '{a}', null, null);
insert into task_watchers (task_id, author_id) values (1, 1), (1, 2), (3, 2);
${BORDER_ROWS}
${SHAPE_ROWS}
${MEMO_ROWS}`;
