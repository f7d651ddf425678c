import { defineEntity, p } from '@mikro-orm/core';
import { pathName } from '../../../lib/values/path.js';

const Place = defineEntity({
  name: 'Place',
  embeddable: true,
  properties: {
    city: p.string().nullable(),
    floor: p.type('number').$type<number>().nullable(),
    open: p.type('boolean').$type<boolean>().nullable(),
  },
});

const OwnerSchema = defineEntity({
  name: 'Owner',
  properties: {
    id: p.integer().primary(),
    name: p.text().nullable(),
    rank: p.integer().nullable(),
    place: () => p.embedded(Place).object().nullable(),
    items: () => p.oneToMany(Item).mappedBy('owner'),
  },
});

const ItemSchema = defineEntity({
  name: 'Item',
  properties: {
    id: p.integer().primary(),
    kind: p.integer().nullable(),
    stock: p.integer().nullable(),
    name: p.text().nullable(),
    price: p.decimal('string').nullable(),
    weight: p.double().nullable(),
    at: p.datetime().columnType('timestamptz(6)').nullable(),
    tags: p.array().nullable(),
    note: p.text().nullable(),
    meta: p.json<any>().nullable(),
    owner: () => p.manyToOne(Owner).nullable(),
    parts: () => p.oneToMany(Part).mappedBy('item'),
  },
});

const PartSchema = defineEntity({
  name: 'Part',
  properties: {
    id: p.integer().primary(),
    size: p.integer().nullable(),
    note: p.text().nullable(),
    item: () => p.manyToOne(Item),
  },
});

export class Owner extends OwnerSchema.class {}
OwnerSchema.setClass(Owner);
export class Item extends ItemSchema.class {}
ItemSchema.setClass(Item);
export class Part extends PartSchema.class {}
PartSchema.setClass(Part);

export const entities = [Owner, Item, Part];

export const CREATE_SHOP = `
  create table owner (id int primary key, name text collate "C", rank int, place jsonb);
  create table item (
    id int primary key, kind int, stock int, name text collate "C", price numeric, weight float8,
    at timestamptz(6), tags text[], note text, meta jsonb, owner_id int references owner on delete set null);
  create table part (id int primary key, size int, note text, item_id int not null references item on delete cascade)`;

/** Those within columns that questions ask for. */
export const PATHS: ReadonlySet<string> = new Set(
  [
    { column: 'meta', keys: ['a'] },
    { column: 'meta', keys: ['b', 'c'] },
    ...['city', 'floor', 'open'].map(key => ({ column: 'place', keys: [key] })),
  ].map(pathName),
);
