import { defineEntity, p } from '@mikro-orm/core';
import fc, { type Arbitrary } from 'fast-check';

/** A column of each kind. */
export const Sample = defineEntity({
  name: 'Sample',
  properties: {
    id: p.integer().primary(),
    int: p.integer().nullable(),
    big: p.bigint('string').nullable(),
    decimal: p.decimal('string').nullable(),
    price: p.decimal('string').precision(8).scale(2).nullable(),
    float: p.double().nullable(),
    flag: p.boolean().nullable(),
    text: p.text().nullable(),
    name: p.string().nullable(),
    char: p.character().length(4).nullable(),
    uuid: p.uuid().nullable(),
    date: p.date().nullable(),
    time: p.time().nullable(),
    instant: p.datetime().columnType('timestamptz(6)').nullable(),
    mood: p.string().columnType('mood').nullable(),
    tags: p.array().nullable(),
    numbers: p
      .array<number>(text => Number(text))
      .columnType('integer[]')
      .nullable(),
    json: p.json().nullable(),
  },
});

export const CREATE_SAMPLE = `
  create type mood as enum ('b ', 'a', '', 'A');
  create table sample (
    id int primary key, int int, big bigint, decimal numeric, price numeric(8, 2), float float8, flag boolean,
    text text collate "C", name varchar(255), char char(4) collate "C", uuid uuid, date date, time time,
    instant timestamptz(6), mood mood, tags text[], numbers int[], json jsonb
  )`;

interface Column {
  /** SQL of a stored value */
  readonly stored: readonly string[];
  /** values that a query compares with; the database rejects some of them */
  readonly given: readonly unknown[];
  readonly ordered?: boolean;
  readonly patterns?: boolean;
  readonly array?: boolean;
}

const TEXTS = [
  '',
  'a',
  'A',
  'a ',
  ' a',
  'ab',
  'b',
  'é',
  'e\u0301',
  'a%',
  'a_b',
  'a\\',
  '\\',
  '😀',
  '\uffee',
  "'",
  'null',
];
const quoted = (text: string) => `'${text.replaceAll("'", "''")}'`;
const UUIDS = [
  'aaaaaaaa-0000-4000-8000-00000000000a',
  'aaaaaaaa-0000-4000-8000-00000000000b',
  '00000000-0000-4000-8000-0000000000ff',
];

/** Boundary values, few enough to be equal often. */
export const COLUMNS: Readonly<Record<string, Column>> = {
  int: {
    stored: ['0', '1', '2', '-1', '2147483647'],
    given: [0, 1, 2, -1, '1', '+2', 2147483647, 3n, -0],
    ordered: true,
  },
  big: {
    stored: ['0', '1', '-1', '9007199254740993', '9223372036854775807', '-9223372036854775808'],
    given: [
      0n,
      '1',
      -1n,
      '9007199254740993',
      9007199254740992n,
      '9223372036854775807',
      '-9223372036854775808',
    ],
    ordered: true,
  },
  decimal: {
    stored: [
      '0',
      '-0.0',
      '1.5',
      '1.50',
      `'NaN'`,
      `'Infinity'`,
      `'-Infinity'`,
      '1e30',
      '-12345678901234567890.5',
      '0.1',
    ],
    given: [
      '0',
      '1.5',
      '1.500',
      0.1,
      '1000000000000000000000000000000',
      '-12345678901234567890.50',
      '-0',
      'NaN',
      2,
    ],
    ordered: true,
  },
  price: {
    stored: ['0', '1.5', '9.99', '-1', '10', `'NaN'`],
    given: ['0', '1.50', 9.99, '10.00', 1.505, '-1'],
    ordered: true,
  },
  float: {
    stored: ['0', `'-0'`, '0.1', '1e300', `'NaN'`, `'Infinity'`, `'-Infinity'`, '5e-324', '0.3'],
    given: [0, -0, 0.1, 1e300, 5e-324, 0.1 + 0.2, '0.3', 1n, -1.5],
    ordered: true,
  },
  flag: { stored: ['true', 'false'], given: [true, false], ordered: true },
  text: { stored: TEXTS.map(quoted), given: TEXTS, ordered: true, patterns: true },
  name: { stored: TEXTS.map(quoted), given: TEXTS, ordered: true, patterns: true },
  char: {
    stored: [`''`, `'a'`, `'a b'`, `'A'`, `'é'`, `'ab'`, `'\t'`],
    given: ['', 'a', 'a ', 'a   ', 'a b', 'A', '\t', ' '],
    ordered: true,
    patterns: true,
  },
  uuid: { stored: UUIDS.map(quoted), given: [...UUIDS, UUIDS[0]!.toUpperCase()], ordered: true },
  date: {
    stored: [
      '2024-02-29',
      '2024-03-01',
      '9999-12-31',
      '10000-01-01',
      'infinity',
      '-infinity',
      '0001-01-01',
      '0001-12-31 BC',
      '0044-03-15 BC',
      '0044-03-16 BC',
    ].map(quoted),
    given: ['2024-02-29', '2024-03-01', '9999-12-31', '0001-01-01'],
    ordered: true,
  },
  time: {
    stored: ['00:00', '12:30:15.5', '23:59:59.999999', '24:00'].map(quoted),
    given: ['00:00', '00:00:00', '12:30:15.500', '23:59:59.999999', '23:59:59'],
    ordered: true,
  },
  instant: {
    stored: [
      '2024-01-01Z',
      '2024-01-01 00:00:00.000001Z',
      '2024-01-01 00:00:00.123456Z',
      '1969-12-31 23:59:59.999999Z',
      'infinity',
      '-infinity',
      '0044-03-15 BC',
    ].map(quoted),
    given: [
      new Date('2024-01-01'),
      new Date('2024-01-01T00:00:00.123Z'),
      '2024-01-01T00:00:00.000001Z',
      '2024-01-01 02:00:00.123456+02',
      new Date('1969-12-31T23:59:59.999Z'),
    ],
    ordered: true,
  },
  mood: { stored: ['b ', 'a', '', 'A'].map(quoted), given: ['b ', 'a', '', 'A'], ordered: true },
  tags: {
    stored: [
      '{}',
      '{a}',
      '{a,b}',
      '{NULL}',
      '{a,NULL}',
      '{{a,b},{c,A}}',
      '{""," ","a,b"}',
      '[0:1]={a,b}',
      '{"\\"","\\\\"}',
      '{"NULL",null}',
      '{é}',
    ].map(quoted),
    given: [
      [],
      ['a'],
      ['a', 'b'],
      ['b', 'a', 'a'],
      ['a,b', ''],
      ['null'],
      [' '],
      ['"'],
      ['\\'],
      ['a', 'c'],
      ['é'],
      ['e\u0301'],
      ['a\nb'],
    ],
    array: true,
  },
  numbers: {
    stored: ['{}', '{1}', '{1,2}', '{NULL}', '{1,NULL}', '{{1,2},{3,4}}', '{-2147483648}', '[5:6]={1,2}'].map(
      quoted,
    ),
    given: [[], [1], [2, 1], [1, 1], [3], [-2147483648], ['01'], [1.5]],
    array: true,
  },
  json: {
    stored: [`'null'`, `'{"a": 1}'`, `'[1]'`, `'{}'`].map(text => text),
    given: [{ a: 1 }, { a: null }],
  },
};

export type SampleRow = Readonly<Record<string, string>>;

/** SQL by column. */
export const sampleRow: Arbitrary<SampleRow> = fc.record(
  Object.fromEntries(
    Object.entries(COLUMNS).map(([name, { stored }]) => [
      name,
      fc.oneof({ arbitrary: fc.constantFrom(...stored), weight: 6 }, fc.constant('null')),
    ]),
  ),
);

type Where = Record<string, unknown>;

const PATTERNS = [
  'a%',
  '%a',
  '_',
  '%',
  '',
  'a\\%',
  'a\\_b',
  '%\\\\',
  '__',
  'A%_',
  '%a%b%',
  '%😀',
  '\\a',
  'a\\',
  '_\u0301%',
  'a   ',
  'a%%',
];

function operatorsOf({ given, ordered, patterns, array }: Column): Arbitrary<unknown> {
  const value = fc.constantFrom(...given);
  if (array) {
    return fc.oneof(
      ...['$contains', '$overlap', '$contained'].map(operator =>
        value.map(values => ({ [operator]: values })),
      ),
      fc.constantFrom({ $ne: null }, null, { $eq: null }, { $exists: true }, { $exists: false }),
      value.map(values => ({ $eq: values })),
    );
  }
  const list = fc.array(value, { maxLength: 4 });
  const long = fc.array(value, { minLength: 8, maxLength: 12 });
  const single = [
    { arbitrary: value, weight: 3 },
    value.map($eq => ({ $eq })),
    { arbitrary: value.map($ne => ({ $ne })), weight: 2 },
    list.map($in => ({ $in })),
    long.map($in => ({ $in })),
    list.map($nin => ({ $nin })),
    long.map($nin => ({ $nin })),
    fc.constantFrom<unknown>(
      null,
      { $eq: null },
      { $ne: null },
      { $in: [null, given[0]] },
      { $nin: [null, given[0]] },
      {},
    ),
    fc.constantFrom<unknown>({ $exists: true }, { $exists: false }, { $in: [] }, { $nin: [] }),
    ...(ordered
      ? ['$gt', '$gte', '$lt', '$lte'].map(operator => ({
          arbitrary: fc
            .oneof({ arbitrary: value, weight: 20 }, fc.constant(null))
            .map(bound => ({ [operator]: bound })),
          weight: 2,
        }))
      : []),
    ...(ordered ? [fc.tuple(value, value).map(([$gte, $lt]) => ({ $gte, $lt }))] : []),
    ...(patterns ? [{ arbitrary: fc.constantFrom(...PATTERNS).map($like => ({ $like })), weight: 4 }] : []),
    ...(patterns ? [fc.constantFrom<unknown>(/^a/, /a.b/, { $ilike: 'A%' }, { $re: 'a' })] : []),
  ];
  return fc.oneof(...(single as [Arbitrary<unknown>]));
}

const leaf: Arbitrary<Where> = fc
  .constantFrom(...Object.keys(COLUMNS))
  .chain(name => operatorsOf(COLUMNS[name]!).map(condition => ({ [name]: condition })));

/** A WHERE on one row. */
export const sampleWhere: Arbitrary<Where> = fc.letrec<{ where: Where }>(tie => {
  const parts = fc.array(tie('where'), { minLength: 1, maxLength: 3 });
  return {
    where: fc.oneof(
      { maxDepth: 3 },
      { arbitrary: leaf, weight: 6 },
      { arbitrary: fc.tuple(leaf, leaf).map(([a, b]) => ({ ...a, ...b })), weight: 2 },
      parts.map($and => ({ $and })),
      { arbitrary: parts.map($or => ({ $or })), weight: 2 },
      { arbitrary: tie('where').map($not => ({ $not })), weight: 3 },
      fc.tuple(leaf, parts).map(([own, $or]) => ({ ...own, $or })),
    ),
  };
}).where;
