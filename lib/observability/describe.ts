import { type Expression, leavesOf } from '../query/projection.js';
import type { Test } from '../query/test.js';
import type { WatchedDependency } from '../query/watch.js';
import type { EntryAddress, Moved } from '../store/store.js';
import type { Canonical } from '../values/comparable.js';
import { decodeValues } from '../values/encode.js';
import { readableName } from '../values/path.js';
import { ALL_COLUMNS, type Dependency } from '../values/scheme.js';

/**
 * The dependencies of an entry in words: `article(category=7 and price<10; reads title)`, or just `article` for the
 * whole table. Columns are listed unless the whole row is read; `membership` means that only the set of rows matters.
 */
export function describeDependencies(address: EntryAddress): string[] {
  return address.tables.flatMap(({ table, dependencies }) => {
    const name = shortName(table);
    return dependencies.map(dependency => {
      const parts = [conditionsOf(dependency), readsOf(dependency)].filter(part => part !== '');
      return parts.length > 0 ? `${name}(${parts.join('; ')})` : name;
    });
  });
}

/** See `ReadEvent.checks`. */
export function describeChecks({ tables }: EntryAddress): string[] {
  return tables.flatMap(({ table, dependencies }) =>
    dependencies.flatMap((dependency: Dependency & Partial<WatchedDependency>) => {
      const { scheme, watches = [] } = dependency;
      const joined = watches.flatMap(({ joinedRows }) => joinedRows.map(each => shortName(each.table)));
      const compared = [
        ...(scheme.tests ?? []).map(readableName),
        ...[...new Set(joined)].map(name => `the row of ${name} that it refers to`),
      ];
      const fixed = fixedOf(dependency).join(' and ');
      return compared.length === 0
        ? []
        : [`${shortName(table)}${fixed === '' ? '' : `(${fixed})`}: ${compared.join(', ')}`];
    }),
  );
}

/**
 * The change that made an entry a miss, in words: the table, what happened, and the row as far as the delta tells it.
 * `article: price 12 → 9 where category=7`.
 */
export function describeCause({ table, dependency, steps }: Moved): string {
  const { tests = [], reads } = dependency.scheme;
  const [old, now, read] = steps.at(-1)!;
  const differs = (i: number) => old !== null && now !== null && old[i] !== now[i];
  const same = [
    ...fixedOf(dependency),
    ...tests.flatMap((column, i) => (differs(i) ? [] : [equality(column, (now ?? old)![i]!)])),
  ];
  return `${shortName(table)}: ${whatHappened()}${same.length > 0 ? ` where ${same.join(' and ')}` : ''}`;

  function whatHappened(): string {
    if (!old || !now) {
      return read === 2
        ? `a row was ${now ? 'inserted' : 'deleted'}`
        : `a row ${now ? 'began' : 'ceased'} to match`;
    }
    const changes = tests.flatMap((column, i) =>
      differs(i) ? [`${readableName(column)} ${valueText(old[i]!)} → ${valueText(now[i]!)}`] : [],
    );
    return changes.length > 0
      ? changes.join(', ')
      : `${reads && !reads.includes(ALL_COLUMNS) ? reads.join(' or ') : 'a column'} changed`;
  }
}

function equality(column: string, value: Canonical): string {
  return `${readableName(column)}=${valueText(value)}`;
}

function fixedOf({ scheme: { columns }, values }: Dependency): string[] {
  return columns.length === 0
    ? []
    : decodeValues(values).map((value, i) => equality(columns[i] ?? '', value));
}

function conditionsOf(dependency: Dependency & Partial<WatchedDependency>): string {
  const { watches } = dependency;
  const tests = new Set((watches ?? []).map(({ expression }) => describeExpression(expression)));
  tests.delete('');
  const tested = tests.size > 1 ? `(${[...tests].join(' or ')})` : [...tests].join('');
  return [...fixedOf(dependency), ...(tested === '' ? [] : [tested])].join(' and ');
}

function readsOf({ scheme: { columns, reads } }: Dependency): string {
  if (!reads || reads.includes(ALL_COLUMNS)) {
    return '';
  }
  const others = reads.filter(column => !columns.includes(column));
  return others.length > 0 ? `reads ${others.join(', ')}` : 'membership';
}

function describeExpression(expression: Expression): string {
  switch (expression.type) {
    case 'always':
      return '';
    case 'never':
      return 'never';
    case 'in':
      return expression.values.length === 1
        ? `${readableName(expression.column)}=${valueText(expression.values[0]!)}`
        : `${readableName(expression.column)} in ${listText(expression.values)}`;
    case 'test':
      return `${readableName(expression.column)}${describeTest(expression.test)}`;
    default: {
      const parts = expression.parts.map(part =>
        leavesOf(part).length > 1 && part.type !== expression.type
          ? `(${describeExpression(part)})`
          : describeExpression(part),
      );
      return parts.join(` ${expression.type} `);
    }
  }
}

function describeTest(test: Test): string {
  switch (test.type) {
    case 'one of':
      return ` in ${listText([...test.values])}`;
    case 'none of':
      return test.values.size === 0
        ? ' is not null'
        : test.values.size === 1
          ? `!=${[...test.values][0]}`
          : ` not in ${listText([...test.values])}`;
    case '~':
    case '!~':
    case 'like':
    case 'not like':
      return ` ${test.type} ${test.pattern}`;
    case '<':
    case '<=':
    case '>':
    case '>=':
      return `${test.type}${test.kind === 'instant' ? instantText(test.value) : test.value}`;
    case 'as':
      return describeTest(test.test);
    default:
      return ` ${test.type} ${listText([...test.elements])}`;
  }
}

const SHOWN = 5;

function listText(values: readonly Canonical[]): string {
  const shown = values.slice(0, SHOWN).map(valueText).join(', ');
  return values.length > SHOWN ? `(${shown}, … ${values.length} in total)` : `(${shown})`;
}

/** @param microseconds since 1970, or `infinity` or `-infinity` */
function instantText(microseconds: string): string {
  const date = new Date(Number(microseconds) / 1000);
  return Number.isNaN(date.getTime()) ? microseconds : date.toISOString();
}

function valueText(value: Canonical): string {
  return value === null ? 'null' : value;
}

/** A table's name without its database, and without the default schema. */
export function shortName(table: string): string {
  return table.slice(table.indexOf('/') + 1).replace(/^public\./, '');
}
