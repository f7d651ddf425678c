import { expect } from 'chai';
import { type DependencyOptions, dependenciesOf, type Occurrence } from '../../lib/query/dependencies.js';
import type { Formula, Source } from '../../lib/query/formula.js';
import { hasSatisfied } from '../../lib/query/joined_row.js';
import { deltasMatter, type ResultBounds } from '../../lib/query/row_deltas.js';
import type { JoinedRow, WatchedDependency, WatchedTable } from '../../lib/query/watch.js';
import type { Canonical } from '../../lib/values/comparable.js';
import { encodeValues } from '../../lib/values/encode.js';
import type { RowDelta } from '../../lib/values/row_delta.js';

const comment: Source = { table: 'comment' };
export const article: Source = { table: 'article' };
const OPTIONS: DependencyOptions = { limit: 8, granularity: 'full' };

export const above = (source: Source, column: string, value: string): Formula => ({
  type: 'test',
  source,
  column,
  test: { type: '>', kind: 'integer', value },
});

export const equal = (source: Source, column: string, value: string): Formula => ({
  type: 'equals',
  source,
  column,
  values: [value],
});

/** A query for comments with a condition on the article of each. */
export class CommentsByArticle {
  readonly tables: readonly WatchedTable[];
  /** the article of a comment */
  readonly joinedRow: JoinedRow;

  constructor(
    formula: Formula,
    key: readonly string[] = ['id'],
    others: readonly Occurrence[] = [],
    bounded: readonly string[] = key,
  ) {
    const on = key.map((column): [string, string] => [`article_${column}`, column]);
    const occurrences: Occurrence[] = [
      {
        table: 'comment',
        source: comment,
        reads: [],
        bounded: on.map(([own]) => own),
        joinedRows: [{ occurrence: 1, on, isMany: false }],
      },
      { table: 'article', source: article, reads: [], bounded },
      ...others,
    ];
    this.tables = dependenciesOf(formula, occurrences, OPTIONS);
    this.joinedRow = this.#of('comment').dependencies[0]!.watches![0]!.joinedRows[0]!;
  }

  #of(table: string): WatchedTable {
    return this.tables.find(each => each.table === table)!;
  }

  /** The only dependency on a table. */
  on(table: string): WatchedDependency {
    const { dependencies } = this.#of(table);
    expect(dependencies).to.have.length(1);
    return dependencies[0]!;
  }

  /** Does this delta show that the article with this key satisfied its condition? */
  shows(key: readonly Canonical[], delta: RowDelta, table = 'article', dependency = this.on(table)): boolean {
    const harmless: RowDelta = [null, null, 0];
    const moved = [{ table, dependency, steps: [harmless, delta, harmless] }];
    const others = [{ table: 'comment', dependency: this.on('comment'), steps: [harmless] }];
    return hasSatisfied(this.joinedRow, encodeValues(key), this.tables, [...others, ...moved, ...others]);
  }

  /** Does a delta of a comment matter if these articles are known to fail? */
  matters(delta: RowDelta, failing: readonly string[], bounds: ResultBounds = []): boolean {
    const fails = (joinedRow: JoinedRow, key: string) =>
      joinedRow === this.joinedRow && failing.includes(key);
    return deltasMatter(this.#of('comment').dependencies[0]!, [delta], bounds, fails);
  }
}
