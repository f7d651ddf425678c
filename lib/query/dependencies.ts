import type { Granularity } from '../config/granularity.js';
import type { Canonical } from '../values/comparable.js';
import { dependencyOf } from '../values/encode.js';
import { ALL_COLUMNS, type TableDependencies, WHOLE_TABLE } from '../values/scheme.js';
import { type Conjunction, disjunctiveForm, type Formula, type Source } from './formula.js';
import { columnsOf, compile } from './predicate.js';
import { ALWAYS, type Expression, given, joinedConditions, projectionOf } from './projection.js';
import type { JoinedRow, JoinedRowKey, WatchedDependency, WatchedTable } from './watch.js';

/**
 * One table reference in a query's SQL, as far as it is understood. A table reference may be passed several times,
 * with different columns read under different bounds.
 */
export interface Occurrence {
  readonly table: string;
  /** its source in the formula; left out: the formula says nothing about it */
  readonly source?: Source | undefined;
  /**
   * Columns whose change matters even if the row satisfies the condition before and after it, or {@link ALL_COLUMNS}; left
   * out: any change, even if it only moves the row. A column
   * is omitted only if the formula contains all conditions on it exactly (see `Projection.exact`).
   */
  readonly reads?: readonly string[] | undefined;
  /** columns that a result bound compares */
  readonly bounded?: readonly string[] | undefined;
  /**
   * Each of its rows that matters is one that another row refers to, by a foreign key that the database enforces, has
   * validated, and does not defer. So a row that is being inserted, or has been deleted, does not matter.
   */
  readonly referenced?: boolean | undefined;
  /** how it is joined to table references before it */
  readonly joins?: readonly JoinedColumn[] | undefined;
  /** other table references whose rows can be looked up for its rows; the result bounds cover the columns of both */
  readonly joinedRows?:
    | readonly { readonly occurrence: number; readonly on: JoinedRowKey; readonly isMany: boolean }[]
    | undefined;
}

/** A column by which a table reference is joined: equal to a column of another one. */
export interface JoinedColumn {
  readonly own: string;
  /** index of the other table reference */
  readonly occurrence: number;
  readonly column: string;
  /** a condition on its rows also excludes rows of the other table reference */
  readonly decides: boolean;
}

export interface DependencyOptions {
  /** the maximum number of dependencies per table */
  readonly limit: number;
  readonly granularity: Granularity;
}

const ON_WHOLE_TABLE: WatchedDependency = { scheme: WHOLE_TABLE, values: '' };

/**
 * The dependencies of a query, by table.
 *
 * A row matters to a query if it can be part of one of its joined rows. So the condition is projected on each table
 * reference: equalities in conjunctions become dependencies, everything else a predicate. Without such a condition
 * the dependency is the whole table.
 */
export function dependenciesOf(
  formula: Formula,
  occurrences: readonly Occurrence[],
  { limit, granularity }: DependencyOptions,
): readonly WatchedTable[] {
  const conjunctions = granularity === 'table' ? [] : disjunctiveForm(formula, limit);
  const all = [...occurrences.entries()];
  return [...Map.groupBy(all, ([, { table }]) => table)].map(([table, ofTable]) => {
    if (granularity === 'table') {
      return { table, dependencies: [ON_WHOLE_TABLE] };
    }
    const among = (some: readonly Conjunction[]) =>
      merged(
        ofTable.flatMap(each =>
          ofOccurrence(formula, fixedIn(some, each[0], occurrences), each, granularity, {
            joinedRows: joinedRowsOf(formula, each[1], occurrences),
            key: keyOf(each[0], occurrences),
          }),
        ),
      );
    const found = among(conjunctions);
    const few = found.length > limit ? among(ANY) : found;
    // a condition that no row satisfies has no dependencies; an entry must have one
    return { table, dependencies: few.length === 0 || few.length > limit ? [ON_WHOLE_TABLE] : few };
  });
}

const ANY: readonly Conjunction[] = [new Map()];
const NOTHING_FIXED: ReadonlyMap<string, Canonical> = new Map();

/**
 * The values that each conjunction fixes for the rows of a table reference.
 *
 * With a bound, only the rows in the result matter, so that values from other tables would not be worth more stamps.
 */
function fixedIn(
  conjunctions: readonly Conjunction[],
  index: number,
  occurrences: readonly Occurrence[],
): readonly ReadonlyMap<string, Canonical>[] {
  const { source, bounded } = occurrences[index]!;
  const isOwn = conjunctions.length > 1 && bounded;
  return distinct(
    conjunctions.map(
      conjunction =>
        (isOwn ? conjunction.get(source!) : joinedValues(conjunction, index, occurrences)) ?? NOTHING_FIXED,
    ),
  );
}

/** Values of the rows that can take part: each is joined to a row that has the values required of that. */
function joinedValues(
  conjunction: Conjunction,
  index: number,
  occurrences: readonly Occurrence[],
): ReadonlyMap<string, Canonical> {
  const values = new Map(requiredValues(conjunction, index, occurrences));
  for (const { own, occurrence, column } of occurrences[index]!.joins ?? []) {
    addValue(values, own, joinedValues(conjunction, occurrence, occurrences).get(column));
  }
  return values;
}

/**
 * Values that every row of the table reference in the result has: by its own conditions, and by those of table
 * references that are joined to it, which NULL does not satisfy.
 */
function requiredValues(
  conjunction: Conjunction,
  index: number,
  occurrences: readonly Occurrence[],
): ReadonlyMap<string, Canonical> {
  const values = new Map(conjunction.get(occurrences[index]!.source!));
  for (const [i, { joins = [] }] of occurrences.entries()) {
    for (const { own, occurrence, column, decides } of joins) {
      if (occurrence === index && decides) {
        addValue(values, column, requiredValues(conjunction, i, occurrences).get(own));
      }
    }
  }
  return values;
}

/** If two conditions fix a column to different values, no row satisfies both, so one is wide enough. */
function addValue(values: Map<string, Canonical>, column: string, value: Canonical | undefined): void {
  // NULL is joined to nothing, but a condition may fix a missing row's columns to it
  if (value !== undefined && value !== null && !values.has(column)) {
    values.set(column, value);
  }
}

function ofOccurrence(
  formula: Formula,
  fixed: readonly ReadonlyMap<string, Canonical>[],
  [index, occurrence]: [number, Occurrence],
  granularity: Granularity,
  {
    joinedRows,
    key,
  }: { readonly joinedRows: readonly Joined[]; readonly key: readonly string[] | undefined },
): WatchedDependency[] {
  const { source, reads, bounded = [], referenced = false } = occurrence;
  if (granularity !== 'full') {
    return fixed.map(values => dependencyOf(values));
  }
  const expression = source ? projectionOf(formula, source).expression : ALWAYS;
  return fixed.flatMap(values => {
    const rest = given(expression, values);
    return rest.type === 'never' ? [] : [watching(values, rest)];
  });

  function watching(values: ReadonlyMap<string, Canonical>, rest: Expression): WatchedDependency {
    const joined = joinedRows.flatMap(({ alternative, ...joinedRow }) => {
      const unless = given(alternative, values);
      return unless.type === 'always' ? [] : [{ joinedRow, unless }];
    });
    const alternatives = joined.flatMap(({ unless }) => [...columnsOf(unless)]);
    const tested = [...columnsOf(rest), ...bounded, ...alternatives];
    const isWhole = values.size + tested.length === 0 && reads?.includes(ALL_COLUMNS);
    const dependency = dependencyOf(values, isWhole ? undefined : reads, tested);
    const { tests } = dependency.scheme;
    return tests
      ? {
          ...dependency,
          watches: [
            {
              occurrence: index,
              predicate: compile(rest, tests),
              expression: rest,
              referenced,
              joinedRows: joined.map(({ joinedRow, unless }) => ({
                ...joinedRow,
                ...(unless.type !== 'never' && {
                  unless: { expression: unless, predicate: compile(unless, tests) },
                }),
              })),
              ...(key && { key }),
            },
          ],
        }
      : dependency;
  }
}

/** A joined row whose alternative has not been compiled. */
type Joined = JoinedRow & { readonly alternative: Expression };

function joinedRowsOf(
  formula: Formula,
  { source: own, joinedRows = [] }: Occurrence,
  occurrences: readonly Occurrence[],
): readonly Joined[] {
  return joinedRows.flatMap(({ occurrence, on, isMany }) => {
    const { table, source } = occurrences[occurrence]!;
    const conditions = source ? joinedConditions(formula, own, source) : [];
    return conditions.map(({ expression, unless }) => ({
      ...{ occurrence, table, on, isMany, expression },
      alternative: unless,
    }));
  });
}

/** The key by which other table references join it. */
function keyOf(index: number, occurrences: readonly Occurrence[]): readonly string[] | undefined {
  const all = occurrences.flatMap(({ joinedRows = [] }) => joinedRows);
  const byKey = all.find(({ occurrence, isMany }) => occurrence === index && !isMany);
  return byKey?.on.map(([, column]) => column);
}

function distinct(
  fixed: readonly ReadonlyMap<string, Canonical>[],
): readonly ReadonlyMap<string, Canonical>[] {
  return [
    ...new Map(
      fixed.map(values => {
        const { scheme, values: encoded } = dependencyOf(values);
        return [`${scheme.id}:${encoded}`, values];
      }),
    ).values(),
  ];
}

/** These dependencies, and the whole of other tables. */
export function andWholly(
  parts: readonly WatchedTable[],
  tables: readonly string[],
): readonly WatchedTable[] {
  const whole = new Set(tables);
  return [
    ...parts.filter(({ table }) => !whole.has(table)),
    ...[...whole].map(table => ({ table, dependencies: [ON_WHOLE_TABLE] })),
  ];
}

/**
 * The union of dependencies, by table.
 *
 * @param limit the maximum number of dependencies per table; beyond it, the whole table
 */
export function anyOf(parts: readonly TableDependencies[], limit: number): TableDependencies[] {
  return [...Map.groupBy(parts, ({ table }) => table)].map(([table, ofTable]) => {
    const found = merged(ofTable.flatMap(({ dependencies }) => dependencies));
    return { table, dependencies: found.length > limit ? [ON_WHOLE_TABLE] : found };
  });
}

/** Merges equal dependencies and their watches. A dependency on any change of the whole table replaces all others. */
function merged(dependencies: readonly WatchedDependency[]): readonly WatchedDependency[] {
  if (dependencies.some(({ scheme }) => scheme.id === WHOLE_TABLE.id)) {
    return [ON_WHOLE_TABLE];
  }
  const byId = Map.groupBy(dependencies, ({ scheme, values }) => `${scheme.id}:${values}`);
  return [...byId.values()].map(same =>
    same[0]!.watches ? { ...same[0]!, watches: same.flatMap(({ watches }) => watches ?? []) } : same[0]!,
  );
}
