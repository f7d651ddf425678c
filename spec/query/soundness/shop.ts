import { defineEntity, p } from '@mikro-orm/core';

const Room = defineEntity({
  name: 'Room',
  embeddable: true,
  properties: {
    door: p.string().fieldName('the door').nullable(),
    area: p.type('number').$type<number>().nullable(),
  },
});

const Wing = defineEntity({
  name: 'Wing',
  embeddable: true,
  properties: { side: p.string().nullable(), room: () => p.embedded(Room).object().nullable() },
});

const Place = defineEntity({
  name: 'Place',
  embeddable: true,
  properties: {
    wing: () => p.embedded(Wing).nullable(),
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
    flat: () => p.embedded(Wing).prefix('f_').nullable(),
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
    made: p.json<any>().nullable(),
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
  create table owner (id int primary key, name text collate "C", rank int, place jsonb,
    f_side text collate "C", f_room jsonb);
  create table item (
    id int primary key, kind int, stock int, name text collate "C", price numeric, weight float8,
    at timestamptz(6), tags text[], note text, meta jsonb,
    made jsonb generated always as (
      ('{"kind": ' || coalesce(kind::text, 'null') || ', "note": "' || coalesce(note, '') || '"}')::jsonb
      || jsonb_set('{"a": null}', '{a}', coalesce(meta, 'null'))) stored,
    owner_id int references owner on delete set null);
  create table part (id int primary key, size int, note text, item_id int not null references item on delete cascade)`;
