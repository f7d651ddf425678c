import fc from 'fast-check';
import type { Field } from './model.js';
import { of, spelt, UUIDS } from './values.js';

/**
 * Columns of every type, and boundary values: several spellings of one value, values that are nearly equal, the
 * extremes, and values that other types lack.
 *
 * `literals` are for raw SQL. They include values that the ORM would not write, or would write in another form.
 */

const nullable = true;
const ordered = true;
const text = true;
const silent = true;

const NUMBERS = ['0', '-0', '1.5', '-1', '0.1', 'NaN', 'Infinity', '-Infinity'];
const ASKED_NUMBERS = [0, -0, '-0', 1.5, '1.50', -1, 0.1, '0.1', '.1', '1e-1', 1n, 'NaN', 'inf'];

/** `<` and the other operators of the ORM for a column. */
const compared = (values: readonly unknown[]) =>
  fc
    .tuple(fc.constantFrom('$eq', '$ne', '$gt', '$gte', '$lt', '$lte'), fc.constantFrom(...values))
    .map(([op, value]) => ({ [op]: value }));

const MATCHED = fc.oneof(
  fc
    .constantFrom('a%', '%a', 'A_', '_', '__', '%', '', ' %', '% ', 'a\\%', '%\\%%', '😀%', 'É%', '%ß%')
    .chain(pattern => fc.constantFrom('$like', '$ilike').map(op => ({ [op]: pattern }))),
  fc.constantFrom('^a', 'a$', '^.$', '[A-Z]', 'é', '^ ', '(?i)é').map($re => ({ $re })),
);

function words(...stored: readonly string[]): Field {
  const asked = [...stored, 'a ', 'A', '\ud800'];
  return {
    values: spelt(stored, asked),
    nullable,
    ordered,
    text,
    conditions: fc.oneof(MATCHED, compared(asked)),
    literals: { type: 'text', values: stored },
  };
}

export const MEASURES: Readonly<Record<string, Field>> = {
  single: {
    values: spelt([0, 1.5, 0.1, 16777217, 1e-45], [...ASKED_NUMBERS, 16777217, 1e-45, 0.10000000149011612]),
    nullable,
    ordered,
    literals: { type: 'real', values: [...NUMBERS, '1e-45', '16777217', '3.4028235e38'] },
  },
  double: {
    values: spelt([0, 1.5, 0.1, 5e-324, 2 ** 53], [...ASKED_NUMBERS, 5e-324, '9007199254740993']),
    nullable,
    ordered,
    literals: {
      type: 'double precision',
      values: [...NUMBERS, '5e-324', '1.7976931348623157e308', '9007199254740993', '0.30000000000000004'],
    },
  },
  exact: {
    values: spelt(
      ['0', '-0.00', '1.5', '1.50', '0.1', 'NaN', '12345678901234567890.5'],
      [...ASKED_NUMBERS, '12345678901234567890.50', '1.500'],
    ),
    nullable,
    ordered,
    literals: {
      type: 'numeric',
      values: [...NUMBERS, '1.500', '-0.0', '1e3', '1000.0', '12345678901234567890.5'],
    },
  },
  scaled: {
    values: spelt(
      ['0', '1.5', '1.505', '-0.001', '99999999.99'],
      [...ASKED_NUMBERS, '1.505', '1.51', 99999999.99],
    ),
    nullable,
    ordered,
    literals: { type: 'numeric', values: ['0', '-0.004', '1.5', '1.499', '1.505'] },
  },
  big: {
    values: spelt(
      [0n, -1n, 2n ** 53n, 2n ** 53n + 1n, 2n ** 63n - 1n],
      [0n, '0', '-0', -0, -1, 2n ** 53n, 2 ** 53, '9007199254740993', '+1', 2n ** 63n - 1n, 1.5, 2n ** 64n],
    ),
    nullable,
    ordered,
    literals: {
      type: 'bigint',
      values: ['0', '1', '-1', '9007199254740992', '9007199254740993', '-9223372036854775808'],
    },
  },
  small: {
    values: spelt([0, 1, -1, 32767], [0, -0, 1, '1', '01', -1, 32767, 32768, 1.5, '1.5']),
    nullable,
    ordered,
    literals: { type: 'smallint', values: ['0', '1', '-32768', '32767'] },
  },
  day: {
    values: spelt(
      ['2024-02-29', '0001-01-01', '9999-12-31', '1582-10-10'],
      [
        '2024-02-29',
        '2024-2-29',
        '20240229',
        '0001-01-01',
        '10000-01-01',
        'infinity',
        '0044-03-15 BC',
        '2024-02-30',
      ],
    ),
    nullable,
    ordered,
    literals: {
      type: 'date',
      values: ['infinity', '-infinity', '2024-02-29', '0044-03-15 BC', '10000-01-01', '0001-01-01'],
    },
  },
  local: {
    values: spelt(
      ['2024-03-31 02:30:00', '2024-01-01 00:00:00.000001', '1969-12-31 23:59:59.999999'],
      [
        '2024-03-31 02:30:00',
        '2024-03-31T02:30:00.000Z',
        '2024-01-01',
        '2024-01-01 00:00:00.000001',
        'infinity',
      ],
    ),
    nullable,
    ordered,
    literals: {
      type: 'timestamp',
      values: ['infinity', '-infinity', '2024-01-01', '2024-01-01 00:00:00.0000005', '0044-03-15 12:00 BC'],
    },
  },
  instant: {
    values: spelt(
      ['2024-01-01 00:00:00+00', '2024-01-01 01:00:00.000001+01', '1969-12-31 23:59:59.999999+00'],
      [
        new Date('2024-01-01T00:00:00Z'),
        '2024-01-01T00:00:00Z',
        '2024-01-01 01:00:00.000001+01',
        '2024-01-01 00:00:00.000001Z',
        '1900-01-01',
        'infinity',
        '0044-03-15 12:00:00+00 BC',
      ],
    ),
    nullable,
    ordered,
    literals: {
      type: 'timestamptz',
      values: [
        'infinity',
        '-infinity',
        '2024-01-01 00:00:00.0000005+00',
        '2024-01-01 00:00:00+00',
        '2024-01-01 00:00:00.000001+00',
        '0044-03-15 12:00:00+00 BC',
        '10000-01-01 00:00+00',
      ],
    },
  },
  date: {
    values: spelt(
      [
        '2024-01-01T00:00:00Z',
        '2024-01-01T00:00:00.001Z',
        '1800-01-01T00:00:00Z',
        '1969-12-31T23:59:59.999Z',
      ].map(instant => new Date(instant)),
      [
        new Date('2024-01-01T00:00:00Z'),
        new Date('1800-01-01T00:00:00Z'),
        '2024-01-01T00:00:00.0009Z',
        '2024-01-01 00:00:00.001+00',
      ],
    ),
    nullable,
    ordered,
    literals: {
      type: 'timestamptz',
      values: ['2024-01-01 00:00+00', '2024-01-01 00:00:00.000999+00', '2024-01-01 00:00:00.001001+00'],
    },
  },
  clock: {
    values: spelt(
      ['00:00:00', '24:00:00', '23:59:59.999999', '12:30:00.5'],
      ['00:00', '00:00:00', '24:00', '24:00:00', '23:59:59.999999', '12:30:00.500', '12:30:00.5000001'],
    ),
    nullable,
    ordered,
    literals: { type: 'time', values: ['00:00', '24:00', '23:59:59.9999995', '12:30:00.500000'] },
  },
  zoned: {
    values: spelt(
      ['00:00:00+00', '01:00:00+01', '12:30:00-05:30'],
      ['00:00+00', '01:00:00+01', '12:30-0530'],
    ),
    nullable,
    ordered,
    literals: { type: 'timetz', values: ['00:00+00', '01:00+01', '24:00-03', '12:30:00.000001-05:30'] },
  },
  span: {
    values: spelt(
      ['1 day', '24:00:00', '1 mon', '00:00:00.000001'],
      ['1 day', '24:00:00', 'P1D', '30 days', '-1 day'],
    ),
    nullable,
    ordered,
    literals: { type: 'interval', values: ['1 day', '24:00', '1 mon', '30 days', '-1 day +24:00', '0'] },
  },
};

export const WORDINGS: Readonly<Record<string, Field>> = {
  fixed: {
    ...words('', 'a', 'a  ', 'A', 'é', ' a', '\t'),
    values: spelt(
      ['', 'a', 'a   ', 'A', 'é', '😀', ' a'],
      ['', ' ', 'a', 'a ', 'a     ', 'A', 'é', '😀', ' a'],
    ),
  },
  short: words('', ' ', 'a', 'a  ', 'A', ' a', 'a%', 'a_', 'a\\', "it's"),
  // by code units, the last but one sorts before its predecessor
  long: words('a', '~', '\ufffd', '😀', '\u{10ffff}'),
  linguistic: words('e', 'é', 'e\u0301', 'É', 'f', 'ß', 'ss'),
  folded: words('a', 'é', 'É', 'e\u0301', 'ß', 'SS', 'i', 'İ'),
  caseless: words('a', 'é', 'É', 'ß', 'SS', 'i', 'I'),
  mood: {
    values: spelt(['sad', 'Sad', ''], ['sad', 'Sad', '', 'sad ', 'ok']),
    nullable,
    ordered,
    literals: { type: 'mood', values: ['ok', 'sad', 'Sad', ''] },
  },
  code: {
    values: spelt(UUIDS.slice(0, 3), [
      UUIDS[0],
      UUIDS[0]!.toUpperCase(),
      UUIDS[1]!.replaceAll('-', ''),
      `{${UUIDS[2]}}`,
    ]),
    nullable,
    ordered,
    literals: { type: 'uuid', values: [...UUIDS.slice(0, 3), `{${UUIDS[1]!.toUpperCase()}}`] },
  },
  flag: {
    values: spelt([true, false], [true, false, 'true', 't', 'off']),
    nullable,
    literals: { type: 'boolean', values: ['yes', 'off'] },
  },
  bytes: {
    values: of(Buffer.from([]), Buffer.from([0]), Buffer.from([0, 255]), Buffer.from('a')),
    nullable,
    ordered,
    literals: { type: 'bytea', values: ['', '\\x00', '\\x0000', 'a', '\\x61'] },
  },
};

/** Values of a list, and conditions on lists. */
function lists(type: string, items: readonly unknown[], literals: readonly string[], asked = items): Field {
  const list = fc.subarray([...items], { maxLength: 3 });
  const askedList = fc.subarray([...asked], { maxLength: 2 });
  return {
    values: { stored: fc.oneof(list, fc.constant([])), asked: askedList },
    nullable,
    ordered,
    silent,
    conditions: fc.oneof(
      fc.constantFrom(null, { $ne: null }),
      askedList.chain(value =>
        fc
          .constantFrom('$contains', '$contains', '$overlap', '$contained', '$eq', '$ne', '$gt', '$lte')
          .map(op => ({ [op]: value })),
      ),
    ),
    literals: { type, values: literals },
  };
}

const DOCUMENTS = [
  null,
  {},
  [],
  { a: null },
  { a: 1 },
  { a: 1.5, b: { c: 'a' } },
  { a: '1', b: { c: null } },
  { a: [] },
  { a: true, b: { c: 'A ' } },
];

/** For json, only the values at its paths are comparable. */
const paths = fc.oneof(
  fc.constantFrom<unknown>(null, { $ne: null }, { a: null }, { a: { $ne: null } }, { b: { c: null } }),
  fc.constantFrom<unknown>(1, '1', 1.5, true, 'a').map(a => ({ a })),
  fc
    .tuple(fc.constantFrom('$gt', '$gte', '$lt', '$lte', '$ne'), fc.constantFrom<unknown>(1, 0, '1'))
    .map(([op, value]) => ({ a: { [op]: value } })),
  fc.subarray<unknown>([1, 1.5, '1'], { minLength: 1 }).map($in => ({ a: { $in } })),
  fc
    .constantFrom<unknown>('a', 'A ', { $like: 'A%' }, { $in: ['a', 'A '] }, { $re: '^a' })
    .map(c => ({ b: { c } })),
);

const whole = fc.oneof(
  fc.constantFrom(...DOCUMENTS).map($eq => ({ $eq })),
  fc.constantFrom<unknown>({ a: 1 }, {}, [], { b: { c: null } }).map($contains => ({ $contains })),
  fc.constantFrom('a', 'b', 'x').map($hasKey => ({ $hasKey })),
  fc
    .constantFrom(['a', 'b'], ['x'])
    .chain(keys => fc.constantFrom('$hasSomeKeys', '$hasKeys').map(op => ({ [op]: keys }))),
);

const documents: Field = { values: of(...DOCUMENTS.slice(1)), nullable, silent };

export const BUNDLES: Readonly<Record<string, Field>> = {
  numbers: lists(
    'int[]',
    [0, 1, -1, 2147483647],
    ['{}', '{NULL}', '{1,NULL,1}', '[0:1]={1,0}', '{{1,0},{-1,0}}', '{1}'],
    [0, 1, '1', -0, null],
  ),
  words: lists(
    'text[]',
    ['', 'a', 'A', 'a ', 'NULL', 'é', ',', '"', '{}'],
    ['{}', '{NULL}', '{"NULL"}', '{a,NULL}', '{""," a "}', '[2:3]={a,A}', '{{a,A},{é,"a "}}', '{"\\"",","}'],
  ),
  codes: lists('uuid[]', UUIDS.slice(0, 3), [
    '{}',
    '{NULL}',
    `{${UUIDS[0]!.toUpperCase()}}`,
    `{${UUIDS[1]},NULL}`,
  ]),
  doc: {
    ...documents,
    ordered,
    conditions: fc.oneof(paths, whole),
    literals: {
      type: 'jsonb',
      values: [
        'null',
        '""',
        '0',
        '-0',
        '1.50',
        '{"a":1.0}',
        '{"b":{"c":null},"a":1}',
        '[null]',
        '{"a":"\\u00e9"}',
      ],
    },
  },
  source: {
    ...documents,
    literals: {
      type: 'json',
      values: ['null', ' {"a" : 1}', '{"b":1,"a":1}', '{"a":1,"a":2}', '1.50', '-0'],
    },
  },
};

/** Initial rows. Raw SQL changes them soon. */
export const BORDER_ROWS = `
insert into measure (single, double, exact, scaled, big, small, day, local, instant, date, clock, zoned, span) values
  (0, 0, 0, 0, 0, 0, '2024-02-29', '2024-01-01', '2024-01-01 00:00+00', '2024-01-01 00:00+00', '00:00', '00:00+00', '1 day'),
  (1.5, 1.5, 1.50, 1.5, 9007199254740993, 1, 'infinity', 'infinity', 'infinity', '2024-01-01 00:00:00.001+00', '24:00', '01:00+01', '24:00'),
  ('NaN', 'NaN', 'NaN', '-0.004', -1, -1, '0044-03-15 BC', '-infinity', '0044-03-15 12:00+00 BC', null, '12:30:00.5', null, '1 mon'),
  (0.1, 0.1, 0.1, null, null, null, '-infinity', null, '2024-01-01 00:00:00.000001+00', '1800-01-01 00:00+00', null, null, null);
insert into wording (fixed, short, long, linguistic, folded, caseless, mood, code, flag, bytes) values
  ('a', 'a', 'a', 'a', 'a', 'a', 'sad', '${UUIDS[0]}', true, ''),
  ('A', 'a ', 'a ', 'A', 'A', 'A', 'Sad', '${UUIDS[1]}', false, '\\x00'),
  ('', '', '', 'é', 'É', 'é', '', null, null, null),
  (null, 'é', U&'e\\0301', '😀', null, null, 'ok', '${UUIDS[2]}', true, 'a');
insert into bundle (numbers, words, codes, doc, source, measure_id, wording_id) values
  ('{}', '{}', '{}', '{}', '{}', 1, 1), ('{1,0}', '{a,A}', '{${UUIDS[0]}}', '{"a":1}', '{"a": 1}', 1, 2),
  ('{NULL}', '{NULL}', null, 'null', 'null', 2, null), (null, '{"a "}', null, null, null, null, 3),
  ('{1,NULL}', '{é}', '{${UUIDS[1]},${UUIDS[0]}}', '{"a":"1","b":{"c":"A "}}', '[]', 3, 1);
`;

/** Types that the entities use, and collations that a database may lack: there, the columns keep their type. */
export const BORDER_TYPES = `create type mood as enum ('sad', 'ok', 'Sad', '')`;
export const BORDER_COLLATIONS = `
do $$ begin
  create extension citext;
  alter table wording alter column caseless type citext;
exception when others then raise notice 'no citext';
end $$;
do $$ begin
  create collation folded (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
  alter table wording alter column folded type text collate folded;
exception when others then raise notice 'no such collation';
end $$;
do $$ begin
  alter table wording alter column linguistic type text collate "en-x-icu";
exception when others then raise notice 'no such collation';
end $$`;
