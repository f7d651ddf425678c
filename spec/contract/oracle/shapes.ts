import type { Kind, Model } from './model.js';
import { Pointer } from './pointer.js';
import * as v from './values.js';

const required = true;
const nullable = true;
const ordered = true;
const silent = true;
const text = true;
const many = true;
const owner = true;
const isComplex = true;

const name = { values: v.of('Alpha', 'beta', "it's"), required, text, ordered };
const small = { values: v.of(0, 1, 2, 5), ordered };

const VEHICLE = {
  table: 'vehicle',
  isSplit: true,
  key: { id: v.ids(5) },
  toOne: { shelf: { target: () => 'Shelf', nullable } },
  toMany: {},
};
const doors = { ...small, required };

const BEING = {
  table: 'being',
  key: { id: v.ids(5) },
  toOne: { eats: { target: () => 'Being', nullable } },
  toMany: {},
};
const legs = { ...small, nullable };

const labels = v.of(
  [],
  [{ name: 'red' }],
  [
    { name: 'red', weight: 1 },
    { name: 'blue', weight: 2 },
  ],
);

/** Entities with other structures than those of the blog. See `fixtures/shapes`. */
export const SHAPES = {
  Vehicle: { ...VEHICLE, isRoot: true, fields: { name } },
  Car: { ...VEHICLE, isRoot: true, fields: { name, doors } },
  Taxi: { ...VEHICLE, fields: { name, doors, number: { values: v.of('7', '8'), required, text } } },
  Bike: { ...VEHICLE, fields: { name, gears: { ...small, nullable } } },
  Being: {
    ...BEING,
    isRoot: true,
    isAbstract: true,
    fields: { name, type: { values: v.of('animal', 'dog', 'plant') } },
  },
  Animal: { ...BEING, isRoot: true, fields: { name, legs } },
  Dog: { ...BEING, fields: { name, legs, trick: { values: v.of('sit', 'roll'), nullable, text } } },
  Plant: { ...BEING, fields: { name, height: { ...small, nullable } } },
  Shelf: {
    table: 'shelf',
    key: { id: v.ids(4) },
    fields: {
      name,
      size: small,
      labels: {
        values: labels,
        nullable,
        silent,
        isComplex,
      },
    },
    toOne: {},
    toMany: {
      items: { target: () => 'Item', many, owner },
      placements: { target: () => 'Placement' },
      favourites: { target: () => 'Item', many, owner },
      remarks: { target: () => 'Remark' },
    },
  },
  Placement: {
    table: 'placement',
    key: { shelf: v.ids(4), item: v.ids(5) },
    natural: true,
    fields: { place: small },
    toOne: {},
    toMany: {},
  },
  Item: {
    table: 'item',
    key: { id: v.ids(5) },
    fields: { name, price: small, amount: small, total: { ...small, isGenerated: true } },
    toOne: {},
    toMany: {
      goesWith: { target: () => 'Item', many, owner },
      suits: { target: () => 'Item', many },
      shelves: { target: () => 'Shelf', many },
      remarks: { target: () => 'Remark' },
    },
  },
  Remark: {
    table: 'remark',
    key: { id: v.ids(4) },
    fields: {
      text: name,
      subject: {
        values: v.of(
          ...(['Shelf', 'Item'] as const).flatMap(kind => [1, 2, 3].map(id => new Pointer(kind, id))),
        ),
        nullable,
        silent,
        isComplex,
      },
    },
    toOne: {},
    toMany: {},
  },
  Memo: {
    table: 'memo',
    key: { id: v.ids(5) },
    fields: {
      name,
      hidden: { values: v.booleans },
      at: { values: v.zoneless, nullable, ordered },
      span: { values: v.spans, nullable, ordered },
      size: { values: v.of(0.1, 1 / 3, 2), nullable, ordered },
      day: { values: v.of('2024-01-01', '2024-02-03', '2024-03-02'), nullable, isGenerated: true },
      shown: { values: v.of('', 'x'), nullable, isGenerated: true },
    },
    toOne: {},
    toMany: {},
  },
  OpenMemo: {
    table: 'open_memo',
    key: { id: v.ids(5) },
    isReadOnly: true,
    fields: { name, at: { values: v.zoneless, nullable, ordered } },
    toOne: {},
    toMany: {},
  },
  Tally: {
    table: 'tally',
    key: { id: v.ids(5) },
    fields: { name, n: small },
    toOne: {},
    toMany: {},
  },
  Scratch: {
    table: 'scratch',
    key: { id: v.ids(4) },
    fields: { name, n: small },
    toOne: {},
    toMany: {},
  },
  Stock: {
    table: 'stock',
    key: { id: v.ids(4) },
    isReadOnly: true,
    fields: { name, items: small, worth: small },
    toOne: {},
    toMany: {},
  },
} as const satisfies Record<string, Omit<Model, 'toOne' | 'toMany'> & { toOne: object; toMany: object }>;

export const SHAPE_TOPICS: readonly (readonly Kind[])[] = [
  ['Vehicle', 'Car', 'Taxi', 'Bike'],
  ['Taxi', 'Vehicle', 'Shelf'],
  ['Being', 'Animal', 'Dog', 'Plant'],
  ['Shelf', 'Item', 'Placement'],
  ['Shelf', 'Item', 'Remark'],
  ['Item'],
  ['Stock', 'Placement', 'Item', 'Shelf'],
  ['Memo', 'OpenMemo', 'Tally'],
  ['Memo', 'Tally', 'Scratch'],
];

/** A trigger that maintains numbers, and one that maintains remarks. */
export const SHAPE_TRIGGERS = `
create function count_items() returns trigger language plpgsql as $$ begin
  update shelf set size = (select count(*) from placement where shelf_id = shelf.id)
  where id in (old.shelf_id, new.shelf_id);
  return null;
end $$;
create trigger counting after insert or update of shelf_id or delete on placement
  for each row execute function count_items();
create function shout() returns trigger language plpgsql as $$ begin
  new.name = upper(new.name);
  return new;
end $$;
create trigger shouting before update on item for each row when (new.price = 5) execute function shout()`;

/** Rules, triggers of a view, an event trigger, an unlogged table, and a table of the same name in another schema. */
export const MEMO_RULES = `
create rule hiding as on delete to open_memo do instead update memo set hidden = true where id = old.id;
create rule counting as on insert to scratch do also update tally set n = n + 1 where name = new.name;
create rule noting as on update to scratch where new.n = 5 do also insert into tally (name, n) values (new.name, new.n);
create rule moving as on insert to scratch where new.n = 2 do instead update memo set name = new.name where id = 1;
create rule clearing as on delete to scratch do instead delete from memo where id = old.id;
create function write_open_memo() returns trigger language plpgsql as $$ begin
  case tg_op
    when 'INSERT' then insert into memo (name, at) values (new.name, new.at) returning id into new.id;
    else update memo set name = new.name, at = new.at where id = old.id;
  end case;
  return new;
end $$;
create trigger writing instead of insert or update on open_memo
  for each row execute function write_open_memo();
alter table scratch set unlogged;
create schema elsewhere;
create table elsewhere.memo (like memo including defaults, primary key (id));
do $do$ begin
  create function note_change() returns event_trigger language plpgsql as
    $$ begin insert into public.tally (name, n) values (tg_tag, 2); end $$;
  create event trigger noting on ddl_command_end execute function note_change();
exception when insufficient_privilege then raise notice 'no event trigger';
end $do$`;

export const MEMO_ROWS = `
insert into tally (name) values ('Alpha'), ('beta');
insert into memo (name, at, span, size) values ('Alpha', '2024-01-01 00:00Z', '1 day 2 hours', 0.1),
  ('beta', '2024-01-01 20:00Z', '1 mon', 1.0 / 3), ('Alpha', '2024-02-03 04:00Z', null, null);
insert into elsewhere.memo (id, name, at, span, size) values (1, 'beta', '2024-03-02 12:00Z', '1 day', 2);
insert into scratch (name, n) values ('Alpha', 1), ('beta', 5);`;

export const SHAPE_TABLES = [
  'being',
  'bike',
  'car',
  'item',
  'item_goes_with',
  'placement',
  'remark',
  'shelf',
  'shelf_favourites',
  'taxi',
  'vehicle',
];

export const SHAPE_ROWS = `
insert into shelf (name, labels) values ('Alpha', '[{"name":"red","weight":1}]'), ('beta', '[]'), ('Alpha', null);
insert into item (name, price, amount) values ('Alpha', 1, 2), ('beta', 2, 0), ('it''s', 1, 1), ('Alpha', 0, 5);
insert into placement (shelf_id, item_id, place) values (1, 1, 0), (1, 2, 1), (2, 1, 2), (3, 4, 0);
insert into shelf_favourites (shelf_id, item_id) values (1, 2), (1, 1), (2, 3);
insert into item_goes_with (item_1_id, item_2_id) values (1, 2), (2, 3), (3, 3);
insert into remark (text, subject_type, subject_id) values ('Alpha', 'shelf', 1), ('beta', 'item', 1), ('Alpha', null, null);
insert into vehicle (name, shelf_id) values ('Alpha', 1), ('beta', null), ('Alpha', 2), ('it''s', 1);
insert into car (id, doors) values (1, 2), (3, 5);
insert into taxi (id, number) values (3, '7');
insert into bike (id, gears) values (4, null);
insert into being (type, name, eats_id, legs, trick, height) values
  ('plant', 'Alpha', null, null, null, 5), ('animal', 'beta', 1, 5, null, null), ('dog', 'Alpha', 2, 2, 'sit', null);
`;
