import { expect } from 'chai';
import fc from 'fast-check';
import { dependenciesOf } from '../../lib/query/dependencies.js';
import { and, type Formula, or, type Source } from '../../lib/query/formula.js';
import type { Canonical } from '../../lib/values/comparable.js';
import { dependencyOf } from '../../lib/values/encode.js';
import type { Dependency, TableDependencies } from '../../lib/values/scheme.js';
import { formula, type JoinedRow, joinedRow, SOURCES, satisfies } from './formulas.js';
import { occurrencesOf } from './occurrences.js';

const article: Source = { table: 'article' };
const author: Source = { table: 'author' };

function equals(source: Source, column: string, ...values: Canonical[]): Formula {
  return { type: 'equals', source, column, values };
}

function on(values: Record<string, Canonical>): Dependency {
  return dependencyOf(new Map(Object.entries(values)));
}

/** Each source occurs once in the SQL. */
function dependencies(condition: Formula, sources: Source[], limit = 32): readonly TableDependencies[] {
  return dependenciesIn(condition, sources, occurrences(sources), limit);
}

function dependenciesIn(
  condition: Formula,
  sources: readonly Source[],
  counts: ReadonlyMap<string, number>,
  limit = 32,
): readonly TableDependencies[] {
  return dependenciesOf(condition, occurrencesOf(sources, counts), { limit, granularity: 'equality' });
}

function occurrences(sources: readonly Source[]): Map<string, number> {
  const groups = Map.groupBy(sources, ({ table }) => table);
  return new Map([...groups].map(([table, { length }]) => [table, length]));
}

describe('dependenciesOf', () => {
  it('each row of a joined row is covered', () => {
    fc.assert(
      fc.property(formula, joinedRow, fc.integer({ min: 1, max: 12 }), (condition, row, limit) => {
        fc.pre(satisfies(row, condition));
        const found = dependencies(condition, [...SOURCES], limit);
        for (const source of SOURCES) {
          const { dependencies: ofTable } = found.find(({ table }) => table === source.table)!;
          expect(ofTable.some(dependency => covers(dependency, row, source))).to.equal(true);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('each table and each dependency occurs once, and each table has at least one dependency', () => {
    fc.assert(
      fc.property(formula, fc.integer({ min: 1, max: 12 }), (condition, limit) => {
        const found = dependencies(condition, [...SOURCES], limit);
        expect(found.map(({ table }) => table)).to.have.members(['x', 'y']);
        for (const { dependencies: ofTable } of found) {
          const ids = ofTable.map(({ scheme, values }) => `${scheme.id}:${values}`);
          expect(new Set(ids).size).to.equal(ids.length).and.to.be.within(1, limit);
        }
      }),
      { numRuns: 3000 },
    );
  });

  it('the condition is projected on each table', () => {
    const condition = and([
      equals(article, 'category', '7'),
      or([equals(author, 'name', 'Ann'), equals(article, 'status', 'new', 'old')]),
    ]);
    expect(dependencies(condition, [article, author])).to.deep.equal([
      {
        table: 'article',
        dependencies: [
          on({ category: '7' }),
          on({ category: '7', status: 'new' }),
          on({ category: '7', status: 'old' }),
        ],
      },
      // new and old rows may have any author
      { table: 'author', dependencies: [on({})] },
    ]);
  });

  it('dependencies of several occurrences of a table are merged', () => {
    const parent: Source = { table: 'category' };
    const child: Source = { table: 'category' };
    const condition = and([equals(parent, 'name', 'a'), equals(child, 'name', 'b')]);
    expect(dependencies(condition, [parent, child])).to.deep.equal([
      { table: 'category', dependencies: [on({ name: 'a' }), on({ name: 'b' })] },
    ]);
  });

  it('a table without a source in the condition is a dependency as a whole', () => {
    const times = new Map([...occurrences([article]), ['article_tags', 1]]);
    const found = dependenciesIn(equals(article, 'category', '7'), [article], times);
    expect(found[1]).to.deep.equal({ table: 'article_tags', dependencies: [on({})] });
  });

  it('a table is a dependency as a whole if no row can satisfy the condition', () => {
    expect(dependencies(equals(article, 'category'), [article])).to.deep.equal([
      { table: 'article', dependencies: [on({})] },
    ]);
  });
});

function covers({ scheme, values }: Dependency, joined: JoinedRow, source: Source): boolean {
  const row = joined.get(source)!;
  return dependencyOf(new Map(scheme.columns.map(column => [column, row.get(column)!]))).values === values;
}
