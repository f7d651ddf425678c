import fc from 'fast-check';
import { Slug } from '../../../fixtures/legacy/slug.js';

/** Values for a property, and for conditions on it: often equal values in another spelling. */
export interface Values {
  readonly stored: fc.Arbitrary<unknown>;
  readonly asked: fc.Arbitrary<unknown>;
}

/** Pools are small, so that conditions match and values collide. */
export const of = (...values: readonly unknown[]): Values => ({
  stored: fc.constantFrom(...values),
  asked: fc.constantFrom(...values),
});

export const spelt = (stored: readonly unknown[], asked: readonly unknown[]): Values => ({
  stored: fc.constantFrom(...stored),
  asked: fc.constantFrom(...asked),
});

/** More ids than initial rows: some refer to rows that are created later, or never. */
export const ids = (last: number): Values => ({
  stored: fc.integer({ min: 1, max: last }),
  asked: fc.oneof(
    { weight: 9, arbitrary: fc.integer({ min: 1, max: last }) },
    { weight: 1, arbitrary: fc.integer({ min: 1, max: last }).map(String) },
  ),
});

export const UUIDS = [0xa1, 0xb2, 0xc3, 0xd4, 0xe5, 0xf6].map(
  (n, i) => `${n.toString(16)}000000-0000-4000-8000-00000000000${i}`,
);
export const uuids = spelt(UUIDS, [...UUIDS, ...UUIDS.slice(0, 3).map(uuid => uuid.toUpperCase())]);

export const titles = of('Alpha', 'alpha', 'beta', "it's");
/** the database rounds some of them */
export const prices = spelt(
  ['1.50', '1.5', '2', '2.005', '0.1', '-0.00', '99999999.99'],
  ['1.50', '1.5', 1.5, 2, '2.00', '2.01', '0.10', 0, '0'],
);
export const amounts = spelt(['1.25', '1.24', '10', '1000000', '3.0'], ['1.3', '1.20', 10, '3', '3.00']);
export const views = spelt([0n, 1n, 5n, 9007199254740993n], [0n, '0', 1n, '5', 5, 9007199254740993n]);
export const instants = spelt(
  [
    '2024-01-01T00:00:00Z',
    '2024-01-01T12:30:00.123Z',
    '2024-06-01T00:00:00Z',
    '1969-12-31T23:59:59.999Z',
  ].map(text => new Date(text)),
  [
    new Date('2024-01-01T00:00:00Z'),
    '2024-01-01T02:00:00+02:00',
    '2023-12-31 19:00:00-05',
    new Date('2024-01-01T12:30:00.123Z'),
    '2024-01-01T12:30:00.123000Z',
    new Date('2024-06-01T00:00:00Z'),
    new Date('1969-12-31T23:59:59.999Z'),
  ],
);
/** no zone, or a day that the order of day and month decides */
export const zoneless = spelt(
  ['2024-01-01 00:00:00+00', '2024-01-01 20:00', '02/03/2024'],
  ['2024-01-01 12:00', '2024-01-02', '02/03/2024', '03/02/2024 12:00'],
);
export const spans = of('1 day 02:00:00', '1 mon', '26 hours');
export const days = of('2000-01-31', '1999-12-31', '2024-02-29');
export const moments = of(new Date('2024-03-31T02:30:00Z'), new Date('2024-01-01T00:00:00.600Z'));
export const slugs = of(new Slug(['a', 'b']), new Slug(['x']));
/** keys in the order that the database stores */
export const settings = of(
  { size: 1, theme: 'dark' },
  { theme: 'light' },
  { deep: { n: null }, tags: ['a'] },
);
export const addresses = of(
  { street: 'Main 1', city: 'Oslo', country: 'NO' },
  { street: 'Side 2', city: 'Rome' },
  { street: 'Side 2', city: 'Oslo', country: 'SE' },
);
export const cities = of('Oslo', 'Rome', 'Lima');
export const countries = of('NO', 'SE', 'XX');
export const booleans = of(true, false);
export const bytes = of(Buffer.from([0, 255, 7]), Buffer.from('blob'));
export const labels = of(['a', 'b'], ['a'], []);
export const codes = spelt(['AB', 'AB  ', 'ABCD', ''], ['AB', 'AB  ', 'AB ', 'ABCD']);
export const weights = of(0.1, 2.5, 1e21);
