import { defineEntity, p } from '@mikro-orm/core';

const Region = defineEntity({
  name: 'Region',
  properties: { id: p.integer().primary(), name: p.string(), open: p.boolean() },
});

const Maker = defineEntity({
  name: 'Maker',
  properties: {
    id: p.integer().primary(),
    name: p.string(),
    country: p.string().nullable(),
    region: () => p.manyToOne(Region).nullable().deleteRule('set null').updateRule('cascade'),
  },
});

const Thing = defineEntity({
  name: 'Thing',
  properties: {
    id: p.integer().primary(),
    title: p.string(),
    kind: p.integer(),
    slug: p.string().nullable().unique(),
    maker: () => p.manyToOne(Maker).nullable().deleteRule('no action').updateRule('no action'),
    parent: () => p.manyToOne(Thing).nullable().deleteRule('no action').updateRule('no action'),
    detail: () => p.oneToOne(Detail).mappedBy('thing'),
    parts: () => p.oneToMany(Part).mappedBy('thing'),
    tags: () => p.manyToMany(Tag),
  },
});

const Detail = defineEntity({
  name: 'Detail',
  properties: {
    thing: () => p.oneToOne(Thing).primary().deleteRule('cascade').updateRule('cascade'),
    color: p.string(),
  },
});

const Part = defineEntity({
  name: 'Part',
  properties: {
    id: p.integer().primary(),
    weight: p.integer(),
    note: p.string().nullable(),
    thing: () => p.manyToOne(Thing).deleteRule('cascade').updateRule('no action'),
  },
});

const Tag = defineEntity({
  name: 'Tag',
  properties: { id: p.integer().primary(), name: p.string() },
});

export const entities = [Region, Maker, Thing, Detail, Part, Tag];

export const TABLES = ['region', 'maker', 'thing', 'detail', 'part', 'tag', 'thing_tags'] as const;

export const SEED = `
  insert into region (id, name, open) values (1, 'a', true), (2, 'b', false), (3, 'c', true);
  insert into maker (id, name, country, region_id) values (1, 'a', 'a', 1), (2, 'b', 'b', 2), (3, 'c', 'c', null),
    (4, 'd', 'd', 2);
  insert into thing (id, title, kind, slug, maker_id, parent_id) values (1, 'a', 1, 'a', 1, null),
    (2, 'b', 1, 'b', 2, 1), (3, 'c', 2, null, 2, 1), (4, 'd', 1, null, null, 3), (5, 'd', 2, 'c', 4, null);
  insert into detail (thing_id, color) values (1, 'a'), (3, 'b'), (4, 'c');
  insert into part (id, weight, note, thing_id) values (1, 1, 'a', 1), (2, 2, null, 2), (3, 1, null, 2), (4, 2, 'b', 4);
  insert into tag (id, name) values (1, 'a'), (2, 'b'), (3, 'c');
  insert into thing_tags (thing_id, tag_id) values (1, 1), (2, 2), (3, 2), (5, 3)`;

/** A duplicate key in this table fails at COMMIT. */
export const DEFERRED_KEY = 'create table deferred_key (id int unique deferrable initially deferred)';
