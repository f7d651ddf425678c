import fc, { type Arbitrary } from 'fast-check';
import type { Comparable } from '../../lib/values/comparable.js';

/** A kind of column, with values that are likely to be nearly the same. */
export interface Kind {
  /** column types, as SQL writes them */
  readonly types: readonly string[];
  /** what is stored, as text that the database reads; it may refuse some of it */
  readonly stored: Arbitrary<string>;
  /** what a query may compare with */
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
    ' ',
    '  ',
    '\t',
    '\u00a0',
    "'",
    '\\',
    '?',
    '"',
    '😀',
    '%',
    '$1',
  ),
  { maxLength: 4 },
);
const text = letters.map(parts => parts.join(''));
const unpaired = letters.map(parts => parts.join('') + '\ud800');

const uuid = fc
  .tuple(constantFrom('a', 'A', '0'), constantFrom('f', 'F', '9'))
  .map(([a, b]) => `${a.repeat(8)}-${b.repeat(4)}-4aAa-8aaa-${a.repeat(11)}${b}`);

const date = fc
  .tuple(
    constantFrom('0001', '0999', '1582', '1970', '2024', '9999'),
    constantFrom('01-01', '02-29', '12-31', '10-04'),
  )
  .map(parts => parts.join('-'));

const clock = constantFrom(
  '00:00:00',
  '00:00',
  '23:59:59.999',
  '12:30:15.000001',
  '12:30:15.5',
  '12:30:15.500',
  '12:30:15.499999',
);
const zone = constantFrom('Z', '+00', '+01', '+01:00', '-01:30', '+0545', '-11');
const instant = fc.tuple(date, constantFrom('T', ' '), clock, zone).map(parts => parts.join(''));
const jsDate = oneof(
  fc
    .tuple(date, constantFrom('00:00:00.000', '23:59:59.999', '12:30:15.500'))
    .map(([d, t]) => new Date(`${d}T${t}Z`)),
  fc.date({ min: new Date('0001-01-02'), max: new Date('9999-12-30') }),
).filter(value => !Number.isNaN(value.getTime()));

/** Read by the database, or not; and not always as one would think. */
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

export const KINDS: Readonly<Record<Comparable, Kind>> = {
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
    stored: oneof(decimal, constantFrom('NaN', 'Infinity', '1e3')),
    parameter: oneof(
      decimal,
      decimal.map(Number),
      signed.map(number => BigInt(Number(number))),
      odd,
    ),
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
  instant: {
    types: ['timestamptz', 'timestamptz(0)', 'timestamptz(3)'],
    stored: oneof(instant, constantFrom('infinity', '-infinity', '0044-03-15 BC')),
    parameter: oneof(instant, jsDate, date, odd),
  },
};
