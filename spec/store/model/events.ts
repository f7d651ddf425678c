import fc from 'fast-check';
import type { ModelQuery, Row, RowWrite } from './database.js';

/** An event. Readers and writers are numbered. Events that make no sense at the moment are skipped. */
export type Event =
  | { readonly kind: 'cache'; readonly query: number; readonly process: number }
  | { readonly kind: 'lease'; readonly reader: number; readonly query: number; readonly process: number }
  | { readonly kind: 'select' | 'fill'; readonly reader: number }
  | {
      readonly kind: 'write';
      readonly writer: number;
      readonly writes: readonly RowWrite[];
      readonly process: number;
    }
  | { readonly kind: 'change'; readonly write: RowWrite; readonly process: number }
  | { readonly kind: 'mark' | 'commit' | 'rollback' | 'settle' | 'crash'; readonly writer: number }
  | { readonly kind: 'resolve'; readonly query: number }
  | { readonly kind: 'find'; readonly finder: number; readonly query: number; readonly process: number }
  | { readonly kind: 'reseal'; readonly finder: number }
  | { readonly kind: 'evict'; readonly query: number; readonly key: number }
  | { readonly kind: 'drop'; readonly table: string }
  | { readonly kind: 'pass'; readonly seconds: number }
  | { readonly kind: 'clear' };

const A = 'A';
const B = 'B';

export const QUERIES: readonly ModelQuery[] = [
  { tables: [{ table: A, anyOf: [{}] }] },
  { tables: [{ table: A, anyOf: [{ id: '1' }] }] },
  { tables: [{ table: A, anyOf: [{ a: '0' }] }] },
  { tables: [{ table: A, anyOf: [{ a: '1' }] }] },
  { tables: [{ table: A, anyOf: [{ b: '1' }] }] },
  { tables: [{ table: A, anyOf: [{ a: '1', b: '0' }] }] },
  { tables: [{ table: A, anyOf: [{ a: '0' }, { b: '1' }] }] },
  { tables: [{ table: B, anyOf: [{ a: '0' }] }] },
  {
    tables: [
      { table: A, anyOf: [{ a: '1' }] },
      { table: B, anyOf: [{}] },
    ],
  },
  { tables: [{ table: A, anyOf: [{ a: '1' }] }], counts: true },
  { tables: [{ table: A, anyOf: [{ a: '1' }], tested: { b: '1' } }] },
  { tables: [{ table: A, anyOf: [{}], tested: { a: '0' } }] },
  { tables: [{ table: A, anyOf: [{}], tested: { a: '0' } }], counts: true },
  { tables: [{ table: A, anyOf: [{ id: '1' }, { id: '2' }], tested: { a: '1', b: '0' } }], counts: true },
  {
    tables: [
      { table: A, anyOf: [{ a: '0' }], tested: { b: '0' } },
      { table: B, anyOf: [{ a: '0' }, { b: '1' }], tested: { b: '1' } },
    ],
  },
];

const query = fc.nat(QUERIES.length - 1);
const process = fc.nat(1);
const reader = fc.nat(2);
const finder = fc.nat(1);
const writer = fc.nat(1);
const value = fc.constantFrom('0', '1');
const values: fc.Arbitrary<Pick<Row, 'a' | 'b'> | undefined> = fc.option(fc.record({ a: value, b: value }), {
  nil: undefined,
  freq: 4,
});
const write: fc.Arbitrary<RowWrite> = fc.record({
  table: fc.constantFrom(A, A, B),
  id: fc.constantFrom('1', '2'),
  values,
  traceable: fc.nat(9).map(n => n > 0),
  vague: fc.nat(9).map(n => n === 0),
});

function events<K extends Event['kind'], F>(kind: K, fields: { [P in keyof F]: fc.Arbitrary<F[P]> }) {
  return fc.record({ kind: fc.constant(kind), ...fields }) as fc.Arbitrary<Event>;
}

const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 6, arbitrary: events('cache', { query, process }) },
  { weight: 4, arbitrary: events('lease', { reader, query, process }) },
  { weight: 4, arbitrary: events('select', { reader }) },
  { weight: 4, arbitrary: events('fill', { reader }) },
  {
    weight: 5,
    arbitrary: events('write', { writer, writes: fc.array(write, { minLength: 1, maxLength: 2 }), process }),
  },
  { weight: 5, arbitrary: events('change', { write, process }) },
  { weight: 5, arbitrary: events('mark', { writer }) },
  { weight: 5, arbitrary: events('commit', { writer }) },
  { weight: 1, arbitrary: events('rollback', { writer }) },
  { weight: 3, arbitrary: events('settle', { writer }) },
  { weight: 1, arbitrary: events('crash', { writer }) },
  { weight: 4, arbitrary: events('resolve', { query }) },
  { weight: 3, arbitrary: events('find', { finder, query, process }) },
  { weight: 3, arbitrary: events('reseal', { finder }) },
  { weight: 4, arbitrary: events('evict', { query, key: fc.nat() }) },
  { weight: 1, arbitrary: events('drop', { table: fc.constantFrom(A, B) }) },
  { weight: 1, arbitrary: events('pass', { seconds: fc.constantFrom(40, 200) }) },
  { weight: 1, arbitrary: fc.constant<Event>({ kind: 'clear' }) },
);

export const EVENTS = fc.array(event, { minLength: 1, maxLength: 80, size: 'max' });
