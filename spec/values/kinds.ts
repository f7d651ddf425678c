import fc, { type Arbitrary } from 'fast-check';
import type { ArrayKind, Comparable } from '../../lib/values/comparable.js';

export type ScalarKind = Exclude<Comparable, ArrayKind>;

/** A kind of column, with values that are often nearly equal. */
export interface Kind {
  /** column types in SQL */
  readonly types: readonly string[];
  /** stored values, as text that the database reads; it may reject some */
  readonly stored: Arbitrary<string>;
  /** values that a query compares with */
  readonly parameter: Arbitrary<unknown>;
}

const { constantFrom, oneof } = fc;

const digits = oneof(constantFrom('0', '1', '10', '007', '12', '120'), fc.nat(300).map(String));
const signed = fc.tuple(constantFrom('', '-', '+'), digits).map(parts => parts.join(''));

const decimal = fc
  .tuple(signed, constantFrom('', '.', '.0', '.5', '.50', '.05', '.125', '.1250'))
  .map(parts => parts.join(''));

const letters = fc.array(
  constantFrom(
    'a',
    'A',
    'b',
    'é',
    'e\u0301',
    'ß',
    '\ufffd',
    ' ',
    '  ',
    '\t',
    '\u00a0',
    "'",
    '\\',
    '?',
    '"',
    '😀',
    '\ufffd',
    '%',
    '$1',
  ),
  { maxLength: 4 },
);
const text = letters.map(parts => parts.join(''));
const unpaired = letters.map(parts => `${parts.join('')}\ud800`);

const uuid = fc
  .tuple(constantFrom('a', 'A', '0'), constantFrom('f', 'F', '9'))
  .map(([a, b]) => `${a.repeat(8)}-${b.repeat(4)}-4aAa-8aaa-${a.repeat(11)}${b}`);

const date = fc
  .tuple(
    constantFrom('0001', '0999', '1582', '1970', '2024', '9999'),
    constantFrom('01-01', '02-29', '12-31', '10-04'),
  )
  .map(parts => parts.join('-'));

/** Few instants in many forms. */
const instant = fc
  .tuple(
    constantFrom('2024-01-01', '2024-01-02', '1970-01-01'),
    constantFrom('00:00:00', '12:30:15', '23:59:59'),
    constantFrom('', '.5', '.500', '.000001', '.499999', '.999'),
    constantFrom('T', ' '),
    constantFrom(
      ['Z', 0],
      ['+00', 0],
      ['+01', 60],
      ['+0100', 60],
      ['-01:30', -90],
      ['+05:45', 345],
      ['-11', -660],
    ) as Arbitrary<[string, number]>,
  )
  .map(([day, time, fraction, separator, [zone, minutes]]) => {
    const local = new Date(Date.parse(`${day}T${time}Z`) + minutes * 60_000).toISOString();
    return local.slice(0, 19).replace('T', separator) + fraction + zone;
  });
const jsDate = oneof(
  instant.map(text => new Date(text.replace(' ', 'T').replace(/([+-]\d\d)$/, '$1:00'))),
  fc.date({ min: new Date('0001-01-02'), max: new Date('9999-12-30') }),
).filter(value => !Number.isNaN(value.getTime()));

/** Texts that the database may or may not accept, with surprising meanings. */
const odd = constantFrom<unknown>(
  '',
  ' 1',
  '1 ',
  '1e1',
  '1_0',
  '.',
  'NaN',
  'infinity',
  'today',
  'now',
  't',
  'yes',
  '{}',
  '{1}',
  '2024-1-1',
  '20240101',
  1.5,
  1e21,
  0.1,
  -0,
  2n ** 70n,
);

const float = constantFrom(
  '0',
  '1',
  '1.5',
  '0.1',
  '0.30000000000000004',
  '9007199254740992',
  '1e300',
  '5e-324',
);

const time = fc
  .tuple(
    constantFrom('00:00', '12:30', '23:59'),
    constantFrom('', ':00', ':59', ':59.5', ':59.500', ':00.000001'),
  )
  .map(parts => parts.join(''));

/** Labels of the type `mood`. */
export const MOODS = ['b ', 'a', '', 'A'];

export const KINDS: Readonly<Record<ScalarKind, Kind>> = {
  boolean: {
    types: ['boolean'],
    stored: constantFrom('true', 'false'),
    parameter: oneof(fc.boolean(), odd),
  },
  integer: {
    types: ['smallint', 'integer', 'bigint'],
    stored: signed,
    parameter: oneof(
      signed,
      signed.map(Number),
      signed.map(number => BigInt(Number(number))),
      odd,
    ),
  },
  decimal: {
    types: ['numeric', 'numeric(8, 2)', 'numeric(5, 0)'],
    stored: oneof(decimal, constantFrom('-0.0', 'NaN', 'Infinity', '1e3')),
    parameter: oneof(
      decimal,
      constantFrom('-0', '-0.00'),
      decimal.map(Number),
      signed.map(number => BigInt(Number(number))),
      odd,
    ),
  },
  float: {
    types: ['double precision'],
    stored: oneof(
      float,
      float.map(value => `-${value}`),
      constantFrom('NaN', 'Infinity', '-Infinity', '2.5e-324', '9007199254740993'),
    ),
    parameter: oneof(
      float.map(Number),
      float.map(value => -Number(value)),
      decimal,
      constantFrom('9007199254740993', 9007199254740993n, '0.1000000000000000055511151231257827'),
      odd,
    ),
  },
  enum: {
    types: ['mood'],
    stored: constantFrom(...MOODS),
    parameter: oneof(constantFrom(...MOODS), odd),
  },
  text: {
    types: ['text', 'varchar', 'varchar(60)', 'text collate "C"'],
    stored: text,
    parameter: oneof(text, unpaired, odd),
  },
  padded: {
    types: ['char(6)', 'char(60)', 'bpchar'],
    stored: text,
    parameter: oneof(text, unpaired, odd),
  },
  uuid: {
    types: ['uuid'],
    stored: uuid,
    parameter: oneof(
      uuid,
      uuid.map(value => value.replaceAll('-', '')),
      uuid.map(value => `{${value}}`),
      odd,
    ),
  },
  date: {
    types: ['date'],
    stored: oneof(date, constantFrom('infinity', '-infinity', '0044-03-15 BC', '10000-01-01')),
    parameter: oneof(date, instant, odd),
  },
  time: {
    types: ['time', 'time(0)', 'time(3)'],
    stored: oneof(time, constantFrom('24:00', '23:59:59.999999')),
    parameter: oneof(time, instant, odd),
  },
  instant: {
    types: ['timestamptz', 'timestamptz(0)', 'timestamptz(3)'],
    stored: oneof(instant, constantFrom('infinity', '-infinity', '0044-03-15 BC')),
    parameter: oneof(instant, jsDate, date, odd),
  },
};
