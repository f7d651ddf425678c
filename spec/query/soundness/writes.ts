import fc, { type Arbitrary } from 'fast-check';

const or = (...values: string[]) => fc.constantFrom(...values, 'null');

const inJson = (key: string, ...texts: string[]) => texts.map(text => `'{"${key}": ${text}}'`);

const ROOMS = [
  '{"the door": "x"}',
  '{"the door": "y", "area": 1}',
  '{"area": 2.0}',
  '{"area": "1"}',
  '[]',
  'null',
];

/** Changes a document in place. */
const EDITS = {
  place: [
    `place - 'city'`,
    `place || '{"floor": 1}'`,
    `jsonb_set(place, '{wing,room,area}', '1')`,
    `jsonb_set(place, '{wing,side}', '"y"')`,
  ],
  meta: [`meta - 'a'`, `meta || '{"a": "y"}'`, `jsonb_set(meta, '{b,c}', '"y"')`, `jsonb_strip_nulls(meta)`],
};

const VALUES: Readonly<Record<string, Readonly<Record<string, Arbitrary<string>>>>> = {
  owner: {
    name: or(`'a'`, `'A'`, `'b'`),
    rank: or('0', '1', '2', '3'),
    place: or(
      ...inJson('city', '"x"', '"y"', 'null'),
      ...inJson('floor', '0', '1', '1.0', '"2"'),
      ...inJson('open', 'true', 'false'),
      `'{"city": "x", "floor": 2, "open": true}'`,
      ...ROOMS.map(room => `'{"wing": {"side": "x", "room": ${room}}}'`),
      `'{"wing": {"side": "y"}}'`,
      `'{"wing": null}'`,
    ),
    f_side: or(`'x'`, `'y'`),
    f_room: or(...ROOMS.map(room => `'${room}'`)),
  },
  item: {
    kind: or('1', '2', '3'),
    stock: or('0', '1', '2', '3'),
    name: or(`'a'`, `'A'`, `'ab'`, `'b'`, `''`),
    price: or('1', '1.0', '1.5', '2.5', '-1', `'NaN'`),
    weight: or('0', `'-0'`, '0.1', '1', `'NaN'`),
    at: or(
      `'2024-01-01Z'`,
      `'2024-01-01 00:00:00.000001Z'`,
      `'2024-01-01 00:00:00.0009Z'`,
      `'2024-01-01 00:00:00.001Z'`,
      `'2024-01-02Z'`,
      `'infinity'`,
    ),
    tags: or(`'{}'`, `'{a}'`, `'{b}'`, `'{a,NULL}'`, `'[0:1]={a,b}'`, `'{a,b}'`),
    note: or(`'x'`, `'y'`),
    meta: or(
      ...inJson(
        'a',
        '"x"',
        '"y"',
        '1',
        '1.0',
        '2.5',
        '"1"',
        'true',
        '"t"',
        'null',
        '1e3',
        '{"c": "x"}',
        '["x"]',
      ),
      ...inJson('b', '{"c": "x"}', '{"c": "y", "d": 1}', '{"c": 1}', '"x"'),
      `'{"a": "x", "b": {"c": "x"}}'`,
      `'null'`,
      `'"x"'`,
      `'[{"a": "x"}]'`,
    ),
    owner_id: or('1', '2', '3', '4'),
  },
  part: {
    size: or('0', '1', '2'),
    note: or(`'x'`, `'y'`),
    item_id: fc.constantFrom('1', '2', '3', '4', '5', '6'),
  },
};

const id = (table: string) => fc.integer({ min: 1, max: table === 'owner' ? 4 : 8 });

function insert(table: string): Arbitrary<string> {
  const columns = Object.keys(VALUES[table]!);
  return fc
    .tuple(id(table), ...columns.map(name => VALUES[table]![name]!))
    .map(values => `insert into ${table} (id, ${columns.join(', ')}) values (${values.join(', ')})`);
}

function update(table: string): Arbitrary<string> {
  return fc
    .tuple(id(table), fc.subarray(Object.keys(VALUES[table]!), { minLength: 1, maxLength: 2 }))
    .chain(([key, names]) =>
      fc
        .tuple(...names.map(name => VALUES[table]![name]!))
        .map(
          values =>
            `update ${table} set ${names.map((name, i) => `${name} = ${values[i]}`).join(', ')} where id = ${key}`,
        ),
    );
}

function edit(): Arbitrary<string> {
  return fc.oneof(
    fc
      .tuple(id('item'), fc.constantFrom(...EDITS.meta))
      .map(([key, value]) => `update item set meta = ${value} where id = ${key}`),
    fc
      .tuple(id('owner'), fc.constantFrom(...EDITS.place))
      .map(([key, value]) => `update owner set place = ${value} where id = ${key}`),
    fc
      .tuple(id('item'), fc.constantFrom('"x"', '"y"', '1', 'null'))
      .map(([key, value]) => `update item set meta['a'] = '${value}' where id = ${key}`),
    // RETURNING has no old row, because "old" is another table
    fc
      .tuple(id('owner'), fc.constantFrom(...EDITS.meta, "jsonb_build_object('a', old.name)"))
      .map(
        ([key, value]) =>
          `update item set meta = ${value.replaceAll('meta', 'item.meta')} from owner as old where old.id = item.owner_id and old.id = ${key}`,
      ),
  );
}

/** Existing rows get some of the new values. */
function upsert(table: string): Arbitrary<string> {
  return fc
    .tuple(
      insert(table),
      fc.subarray(Object.keys(VALUES[table]!), { minLength: 1, maxLength: 3 }),
      fc.boolean(),
    )
    .map(([sql, names, asks]) => {
      const set = names.map(name => `${name} = excluded.${name}`).join(', ');
      return `${sql} on conflict (id) do update set ${set}${asks ? ` where ${table}.id > 2` : ''}`;
    });
}

function remove(table: string): Arbitrary<string> {
  return id(table).map(key => `delete from ${table} where id = ${key}`);
}

/** A statement that the database may reject. */
export const write: Arbitrary<string> = fc
  .constantFrom('item', 'item', 'item', 'owner', 'part')
  .chain(table =>
    fc.oneof(
      { arbitrary: update(table), weight: 6 },
      { arbitrary: insert(table), weight: 2 },
      remove(table),
      { arbitrary: upsert(table), weight: 2 },
      edit(),
      update(table).map(sql => sql.replace(/where .*/, 'where id % 2 = 0')),
    ),
  );

export const inserts: Arbitrary<readonly string[]> = fc
  .tuple(
    fc.array(insert('owner'), { minLength: 3, maxLength: 3 }),
    fc.array(insert('item'), { minLength: 8, maxLength: 8 }),
    fc.array(insert('part'), { minLength: 4, maxLength: 4 }),
  )
  .map(parts => parts.flat());
