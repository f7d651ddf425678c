import fc, { type Arbitrary } from 'fast-check';
import { ANYTHING, and, type Conjunction, type Formula, or, type Source } from '../../lib/query/formula.js';
import type { Canonical } from '../../lib/values/comparable.js';

/** One row for each source: what a joined row is made of. */
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

export const formula: Arbitrary<Formula> = fc.letrec<{ formula: Formula }>(tie => {
  const parts = fc.array(tie('formula'), { maxLength: 4 });
  return {
    formula: fc.oneof(
      { maxDepth: 4 },
      { arbitrary: equals, weight: 4 },
      fc.constant(ANYTHING),
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
