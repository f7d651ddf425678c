import { defineEntity, p } from '@mikro-orm/postgresql';

export const Author = defineEntity({
  name: 'Author',
  properties: {
    id: p.integer().primary(),
    name: p.string(),
    email: p.string().unique().nullable(),
    age: p.integer().nullable(),
    meta: p.json().$type<object>().nullable(),
    photo: p.blob().nullable(),
    bornAt: p.datetime().nullable(),
    price: p.decimal().precision(10).scale(2).nullable(),
    tags: p.array().nullable(),
    books: () => p.oneToMany(Book).mappedBy('author').orphanRemoval(),
  },
});

export const Book = defineEntity({
  name: 'Book',
  properties: {
    id: p.integer().primary(),
    title: p.string(),
    version: p.integer().version(),
    author: () => p.manyToOne(Author).nullable(),
    tags: () => p.manyToMany(Tag).owner(),
    sections: () => p.oneToMany(Section).mappedBy('book'),
  },
});

export const Section = defineEntity({
  name: 'Section',
  properties: { id: p.integer().primary(), name: p.string(), book: () => p.manyToOne(Book).nullable() },
});

export const Tag = defineEntity({
  name: 'Tag',
  schema: 'other',
  properties: {
    id: p.uuid().primary(),
    name: p.string().unique(),
    updatedAt: p.datetime().defaultRaw('now()'),
  },
});

/** Names that are keywords, a composite key, a generated column. */
export const Pair = defineEntity({
  name: 'Pair',
  tableName: 'order',
  properties: {
    a: p.integer().primary(),
    b: p.string().primary(),
    returning: p.string().nullable(),
    set: p.integer().default(5),
    doubled: p.integer().generated('("set" * 2) stored').nullable(),
  },
});

export const Stamped = defineEntity({
  name: 'Stamped',
  properties: { id: p.integer().primary(), at: p.datetime().version(), n: p.integer().nullable() },
});

export const UUID = '9f1c1c1e-0000-4000-8000-000000000001';

/** Replaces all rows by some of each. */
export const ROWS = `
  truncate author, book, book_tags, section, other.tag, "order", stamped restart identity;
  insert into author (name, email, age) values ('one', 'z1', 3), ('two', 'b', 60), ('three', null, 5);
  insert into other.tag (id, name) values ('${UUID}', 't1');
  insert into book (title, author_id) values ('b1', 1), ('b2', 1);
  insert into book_tags (book_id, tag_id) values (1, '${UUID}');
  insert into section (name, book_id) values ('s0', 1);
  insert into "order" (a, b) values (1, 'x'), (2, 'y''');
  insert into stamped (n) values (null), (1)`;
