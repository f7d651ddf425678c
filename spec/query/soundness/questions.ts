import fc, { type Arbitrary } from 'fast-check';

type Where = Record<string, unknown>;

export interface Question {
  readonly entity: 'Item' | 'Owner' | 'Part';
  readonly where: Where;
  readonly options: Readonly<Record<string, unknown>>;
  readonly isCount: boolean;
  /** the number of terms of the order that a page bound may use */
  readonly terms: number;
  /** whether enforced foreign keys and key set bounds are used */
  readonly usesKeys: boolean;
}

const GIVEN: Readonly<Record<string, readonly unknown[]>> = {
  id: [1, 2, 3, 4, 5],
  kind: [1, 2, 3],
  stock: [0, 1, 2, 3],
  name: ['a', 'A', 'ab', 'b', ''],
  price: ['1', '1.5', '2.50', '-1'],
  weight: [0, 0.1, 1],
  at: [new Date('2024-01-01'), new Date('2024-01-01T00:00:00.001Z'), '2024-01-01T00:00:00.000001Z'],
  rank: [0, 1, 2],
  size: [0, 1, 2],
  note: ['x', 'y'],
};

const TAGS = [[], ['a'], ['b'], ['a', 'b']];

function column(name: string): Arbitrary<unknown> {
  if (name === 'tags') {
    return fc
      .tuple(fc.constantFrom('$contains', '$overlap', '$contained'), fc.constantFrom(...TAGS))
      .map(([operator, tags]) => ({ [operator]: tags }));
  }
  if (name === 'meta') {
    return fc.oneof(
      inJson('a', ['x', 'y', '1', 'true']),
      inJson('a', [0, 1, 2.5]),
      inJson('a', [true, false]),
      inJson('c', ['x', 'y']).map(b => ({ b })),
      fc.constantFrom(null, { $ne: null }, { $contains: { a: 'x' } }),
    );
  }
  if (name === 'made') {
    return fc.oneof(
      inJson('kind', [1, 2, 3]),
      inJson('note', ['x', 'y']),
      inJson('a', ['x', 'y']).map(a => ({ a })),
    );
  }
  if (name === 'flat') {
    return inJson('side', ['x', 'y']); // for an object in a document, the ORM queries a column that does not exist
  }
  if (name === 'place') {
    return fc.oneof(
      wing.map(of => ({ wing: of })),
      inJson('city', ['x', 'y']),
      inJson('floor', [0, 1, 2]),
      inJson('open', [true, false]),
      fc.tuple(inJson('city', ['x', 'y']), inJson('floor', [0, 1, 2])).map(([a, b]) => ({ ...a, ...b })),
    );
  }
  const value = fc.constantFrom(...GIVEN[name]!);
  const list = fc.array(value, { minLength: 1, maxLength: 4 });
  return fc.oneof(
    { arbitrary: value, weight: 4 },
    ...['$gt', '$gte', '$lt', '$lte', '$ne'].map(operator => value.map(given => ({ [operator]: given }))),
    list.map($in => ({ $in })),
    list.map($nin => ({ $nin })),
    fc.tuple(value, value).map(([$gte, $lt]) => ({ $gte, $lt })),
    { arbitrary: fc.constantFrom(null, { $ne: null }), weight: 2 },
    ...(name === 'name'
      ? [
          fc.constantFrom('a%', '_', '%b').map($like => ({ $like })),
          fc.constantFrom('^a', 'b$', '^[^a]', 'a|A').map($re => ({ $re })),
        ]
      : []),
    // a condition that is not understood
    ...(name === 'name' ? [{ arbitrary: fc.constant({ $ilike: 'a%' }), weight: 3 }] : []),
  ) as Arbitrary<unknown>;
}

function inJson(key: string, values: readonly unknown[]): Arbitrary<Where> {
  const value = fc.constantFrom(...values);
  return fc
    .oneof(
      { arbitrary: value, weight: 3 },
      fc.constant(null),
      ...['$gt', '$gte', '$lt', '$lte', '$ne', '$eq'].map(operator =>
        value.map(given => ({ [operator]: given })),
      ),
      fc.array(value, { minLength: 1, maxLength: 2 }).map($in => ({ $in })),
      fc.constantFrom({ $exists: true }, { $ne: null }, { $like: '%x' }, { $re: '^x|1$' }),
    )
    .map(condition => ({ [key]: condition }));
}

const wing: Arbitrary<Where> = fc.oneof(
  inJson('side', ['x', 'y']),
  inJson('door', ['x', 'y']).map(room => ({ room })),
  inJson('area', [0, 1, 2]).map(room => ({ room })),
  fc
    .tuple(inJson('side', ['x', 'y']), inJson('door', ['x', 'y']), inJson('area', [0, 1, 2]))
    .map(([side, door, area]) => ({ ...side, room: { ...door, ...area } })),
);

const COLUMNS = {
  Item: ['id', 'kind', 'stock', 'name', 'price', 'weight', 'at', 'tags', 'meta', 'made'],
  Owner: ['id', 'name', 'rank', 'place', 'flat'],
  Part: ['id', 'size', 'note'],
};

const RELATIONS = {
  Item: { owner: 'Owner', parts: 'Part' },
  Owner: { items: 'Item' },
  Part: { item: 'Item' },
} as const;

type Name = keyof typeof COLUMNS;

function leaf(entity: Name, depth: number): Arbitrary<Where> {
  const own = fc
    .constantFrom(...COLUMNS[entity])
    .chain(name => column(name).map(condition => ({ [name]: condition })));
  if (depth === 0) {
    return own;
  }
  const related = Object.entries(RELATIONS[entity]).map(([name, target]) =>
    fc
      .oneof(
        { arbitrary: leaf(target as Name, depth - 1), weight: 5 },
        ...(name === 'owner' || name === 'item'
          ? [fc.constantFrom<unknown>(1, { id: 2 }, { $ne: 1 }, null)]
          : []),
        ...(name === 'owner' || name === 'item' ? [] : [leaf(target as Name, 0).map($some => ({ $some }))]),
      )
      .map(condition => ({ [name]: condition })),
  );
  return fc.oneof({ arbitrary: own, weight: 4 }, ...related, ...related) as Arbitrary<Where>;
}

function where(entity: Name): Arbitrary<Where> {
  const single = leaf(entity, 1);
  const two = fc.tuple(leaf(entity, 0), single);
  return fc.oneof(
    fc.constant({}),
    { arbitrary: single, weight: 4 },
    { arbitrary: two.map(([a, b]) => ({ ...a, ...b })), weight: 4 },
    fc.array(single, { minLength: 1, maxLength: 3 }).map($or => ({ $or })),
    two.map($and => ({ $and })),
    single.map($not => ({ $not })),
    fc.tuple(single, fc.array(single, { minLength: 2, maxLength: 2 })).map(([a, $or]) => ({ ...a, $or })),
    two.map(([a, b]) => ({ $not: { $or: [a, b] } })),
  );
}

const ORDERED = {
  Item: ['kind', 'stock', 'name', 'price', 'at', 'weight'],
  Owner: ['rank', 'name'],
  Part: ['size'],
};

const direction = fc.constantFrom('asc', 'desc', 'asc nulls first', 'desc nulls last');

/** Ends with the key, so that the order is unique. */
function order(entity: Name): Arbitrary<Record<string, string>> {
  return fc
    .tuple(
      fc.subarray(ORDERED[entity], { maxLength: Math.min(2, ORDERED[entity].length) }),
      direction,
      direction,
      direction,
    )
    .map(([names, ...directions]) =>
      Object.fromEntries([...names, 'id'].map((name, i) => [name, directions[i]!])),
    );
}

function about(entity: Name): Arbitrary<Question> {
  const options = fc.record({
    fields: fc.option(fc.subarray([...COLUMNS[entity]], { minLength: 1, maxLength: 2 }), {
      nil: undefined,
      freq: 1,
    }),
    populate: fc.oneof(
      { arbitrary: fc.constant([] as string[]), weight: 3 },
      fc.constant([Object.keys(RELATIONS[entity])[0]!]),
    ),
    limit: fc.option(fc.integer({ min: 1, max: 4 }), { nil: undefined }),
    offset: fc.option(fc.integer({ min: 0, max: 2 }), { nil: undefined }),
    orderBy:
      entity === 'Item'
        ? fc.oneof(
            { arbitrary: order(entity), weight: 5 },
            fc.constant({ owner: { rank: 'desc' }, id: 'asc' }),
          )
        : order(entity),
  });
  return fc.record({
    entity: fc.constant(entity),
    where: where(entity),
    options: options.map(({ fields, populate, limit, offset, orderBy }) => ({
      strategy: 'joined',
      orderBy,
      ...(populate.length > 0 ? { populate } : fields && { fields }),
      ...(limit && { limit, ...(offset && { offset }) }),
    })),
    isCount: fc.oneof({ arbitrary: fc.constant(false), weight: 2 }, fc.constant(true)),
    terms: fc.integer({ min: 0, max: 3 }),
    usesKeys: fc.boolean(),
  });
}

export const question: Arbitrary<Question> = fc.oneof(
  { arbitrary: about('Item'), weight: 4 },
  about('Owner'),
  { arbitrary: about('Part'), weight: 2 },
);
