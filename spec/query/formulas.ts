import fc, { type Arbitrary } from 'fast-check';
import {
  ANYTHING,
  and,
  type Conjunction,
  type Formula,
  or,
  type Source,
  wider,
} from '../../lib/query/formula.js';
import { NOT_NULL, passes, type Test } from '../../lib/query/test.js';
import type { Canonical } from '../../lib/values/comparable.js';

/** One row per source: the parts of a joined row. */
export type JoinedRow = ReadonlyMap<Source, ReadonlyMap<string, Canonical>>;

const COLUMNS = ['a', 'b'];
const VALUES: readonly Canonical[] = ['1', '2', null];

export const SOURCES: readonly Source[] = [{ table: 'x' }, { table: 'x' }, { table: 'y' }];

const values = fc.subarray([...VALUES]);

const equals: Arbitrary<Formula> = fc.record({
  type: fc.constant('equals' as const),
  source: fc.constantFrom(...SOURCES),
  column: fc.constantFrom(...COLUMNS),
  values,
});

const test: Arbitrary<Formula> = fc.record({
  type: fc.constant('test' as const),
  source: fc.constantFrom(...SOURCES),
  column: fc.constantFrom(...COLUMNS),
  test: fc.constantFrom<Test>(
    NOT_NULL,
    { type: 'one of', values: new Set(['1', '3']) },
    { type: 'none of', values: new Set(['2']) },
    { type: '>', kind: 'integer', value: '1' },
    { type: '<=', kind: 'integer', value: '2' },
  ),
});

export const formula: Arbitrary<Formula> = fc.letrec<{ formula: Formula }>(tie => {
  const parts = fc.array(tie('formula'), { maxLength: 4 });
  return {
    formula: fc.oneof(
      { maxDepth: 4 },
      { arbitrary: equals, weight: 4 },
      { arbitrary: test, weight: 2 },
      fc.constant(ANYTHING),
      tie('formula').map(wider),
      parts.map(and),
      parts.map(or),
    ),
  };
}).formula;

const row = fc.record(Object.fromEntries(COLUMNS.map(column => [column, fc.constantFrom(...VALUES)])));

export const joinedRow: Arbitrary<JoinedRow> = fc
  .tuple(...SOURCES.map(() => row))
  .map(rows => new Map(SOURCES.map((source, i) => [source, new Map(Object.entries(rows[i]!))])));

export function satisfies(joined: JoinedRow, condition: Formula): boolean {
  switch (condition.type) {
    case 'anything':
      return true;
    case 'equals':
      return condition.values.includes(joined.get(condition.source)!.get(condition.column)!);
    case 'test':
      return passes(condition.test, joined.get(condition.source)!.get(condition.column)!);
    case 'wider':
      return satisfies(joined, condition.part);
    case 'and':
      return condition.parts.every(part => satisfies(joined, part));
    case 'or':
      return condition.parts.some(part => satisfies(joined, part));
  }
}

export function satisfiesOne(joined: JoinedRow, conjunctions: readonly Conjunction[]): boolean {
  return conjunctions.some(conjunction =>
    [...conjunction].every(([source, columns]) =>
      [...columns].every(([column, value]) => joined.get(source)!.get(column) === value),
    ),
  );
}
