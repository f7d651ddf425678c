import type { Canonical } from '../values/comparable.js';
import { encodeValues, schemeOf } from '../values/encode.js';
import { type Dependency, type TableDependencies, WHOLE_TABLE } from '../values/scheme.js';
import { type Conjunction, disjunctiveForm, type Formula, type Source } from './formula.js';
import { columnsOf, compile } from './predicate.js';
import { ALWAYS, type Expression, given, viewOf } from './view.js';
import type { JoinedRow, JoinedRowKey, Watch, WatchedDependency, WatchedTable } from './watch.js';

/**
 * One occurrence of a table in a query's SQL, as far as it is understood. It may be given several times, each reading
 * other columns under another bound.
 */
export interface Occurrence {
  readonly table: string;
  /** what the formula calls it; left out: the formula says nothing of it */
  readonly source?: Source | undefined;
  /**
   * Columns whose change matters to the result even where a row satisfies the condition before and after it; left out:
   * any. All columns but those of which everything that the SQL says is exactly in the formula (see `View.exact`).
   */
  readonly reads?: readonly string[] | undefined;
  /** columns that a bound on it will look at */
  readonly bounded?: readonly string[] | undefined;
  /**
   * It is joined by a foreign key that refers to it, which the database enforces, has validated, and does not defer. So
   * nothing refers to a row that is only being inserted, nor any more to one that is being deleted.
   */
  readonly referenced?: boolean | undefined;
  /** other occurrences, to whose rows its own are joined by their whole key; the columns of both are guarded */
  readonly joinedRows?: readonly { readonly occurrence: number; readonly on: JoinedRowKey }[] | undefined;
}

/**
 * How finely a query's dependencies tell what matters to it: `table`: every change of its tables; `equality`: of rows
 * that have the values which the condition fixes columns to; `full`: moreover, what of it is read, and what else the
 * condition says.
 */
export type Granularity = 'table' | 'equality' | 'full';

export interface DependencyOptions {
  /** the most dependencies a table */
  readonly limit: number;
  readonly granularity: Granularity;
}

const ON_WHOLE_TABLE: WatchedDependency = { scheme: WHOLE_TABLE, values: '' };

/**
 * The occurrences of each table where the formula speaks of as many as the SQL has. Otherwise some occurrence is one
 * that the formula does not speak of: one for all, of which nothing is known.
 *
 * @param counts how often each table stands in the SQL
 */
export function occurrencesOf(
  sources: readonly Source[],
  counts: ReadonlyMap<string, number>,
): readonly Occurrence[] {
  return [...counts].flatMap(([table, count]): readonly Occurrence[] => {
    const ofTable = sources.filter(source => source.table === table);
    return ofTable.length === count ? ofTable.map(source => ({ table, source })) : [{ table }];
  });
}

/**
 * What a query depends on, table by table.
 *
 * A row matters to a query if it can take part in one of its joined rows, so for each occurrence of a table the
 * condition is projected on it: the conjunctions, each reduced to what it says of this occurrence by equality, and what
 * else it says as a predicate. What says nothing of it leaves the whole table.
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
          ofOccurrence(formula, some, each, granularity, {
            joinedRows: joinedPairOf(formula, each[1], occurrences),
            key: keyOf(each[0], occurrences),
          }),
        ),
      );
    const found = among(conjunctions);
    const few = found.length > limit ? among(ANY) : found;
    // a condition that no row can satisfy leaves none; an entry must have one
    return { table, dependencies: few.length === 0 || few.length > limit ? [ON_WHOLE_TABLE] : few };
  });
}

const ANY: readonly Conjunction[] = [new Map()];
const NOTHING_FIXED: ReadonlyMap<string, Canonical> = new Map();

function ofOccurrence(
  formula: Formula,
  conjunctions: readonly Conjunction[],
  [index, occurrence]: [number, Occurrence],
  granularity: Granularity,
  { joinedRows, key }: Pick<Watch, 'joinedRows'> & { readonly key: readonly string[] | undefined },
): WatchedDependency[] {
  const { source, reads, bounded = [], referenced = false } = occurrence;
  const fixed = distinct(
    (source ? conjunctions : ANY).map(conjunction => conjunction.get(source!) ?? NOTHING_FIXED),
  );
  if (granularity !== 'full') {
    return fixed.map(values => dependencyOn(values));
  }
  const expression = source ? viewOf(formula, source).expression : ALWAYS;
  return fixed.flatMap(values => {
    const rest = given(expression, values);
    return rest.type === 'never' ? [] : [watching(values, rest)];
  });

  function watching(values: ReadonlyMap<string, Canonical>, rest: Expression): WatchedDependency {
    const dependency = dependencyOn(values, reads, [...columnsOf(rest), ...bounded]);
    const { columns, tests } = dependency.scheme;
    return tests
      ? {
          ...dependency,
          watches: [
            {
              occurrence: index,
              predicate: compile(rest, tests),
              expression: rest,
              referenced: referenced && columns.length === 0,
              joinedRows,
              ...(key && { key }),
            },
          ],
        }
      : dependency;
  }
}

function joinedPairOf(
  formula: Formula,
  { joinedRows = [] }: Occurrence,
  occurrences: readonly Occurrence[],
): readonly JoinedRow[] {
  return joinedRows.flatMap(({ occurrence, on }) => {
    const { table, source } = occurrences[occurrence]!;
    const expression = source ? viewOf(formula, source).expression : ALWAYS;
    return expression.type === 'always' ? [] : [{ occurrence, table, on, expression }];
  });
}

/** By which it is the joined row of others. */
function keyOf(index: number, occurrences: readonly Occurrence[]): readonly string[] | undefined {
  const all = occurrences.flatMap(({ joinedRows = [] }) => joinedRows);
  return all.find(({ occurrence }) => occurrence === index)?.on.map(([, column]) => column);
}

function distinct(
  fixed: readonly ReadonlyMap<string, Canonical>[],
): readonly ReadonlyMap<string, Canonical>[] {
  return [
    ...new Map(
      fixed.map(values => {
        const { scheme, values: encoded } = dependencyOn(values);
        return [`${scheme.id}:${encoded}`, values];
      }),
    ).values(),
  ];
}

function dependencyOn(
  fixed: ReadonlyMap<string, Canonical>,
  reads?: readonly string[],
  tests?: readonly string[],
): Dependency {
  const scheme = schemeOf([...fixed.keys()], reads, tests);
  return { scheme, values: encodeValues(scheme.columns.map(column => fixed.get(column)!)) };
}

/** What depends on these, and on the whole of others. */
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
 * What depends on any of these: each table once, with all dependencies on it.
 *
 * @param limit of dependencies on a table, beyond which it is the whole table
 */
export function anyOf(parts: readonly TableDependencies[], limit: number): TableDependencies[] {
  return [...Map.groupBy(parts, ({ table }) => table)].map(([table, ofTable]) => {
    const found = merged(ofTable.flatMap(({ dependencies }) => dependencies));
    return { table, dependencies: found.length > limit ? [ON_WHOLE_TABLE] : found };
  });
}

/**
 * No dependency is needed twice; who depends on it in several ways watches it in all of them. A dependency on the whole
 * table, whatever changes, makes every other superfluous.
 */
function merged(dependencies: readonly WatchedDependency[]): readonly WatchedDependency[] {
  if (dependencies.some(({ scheme }) => scheme.id === WHOLE_TABLE.id)) {
    return [ON_WHOLE_TABLE];
  }
  const byId = Map.groupBy(dependencies, ({ scheme, values }) => `${scheme.id}:${values}`);
  return [...byId.values()].map(same =>
    same[0]!.watches ? { ...same[0]!, watches: same.flatMap(({ watches }) => watches ?? []) } : same[0]!,
  );
}
