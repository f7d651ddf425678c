import type { Row, RowChange } from './change.js';

/**
 * What rows' changes mean for a dependency such as `city(country=FR)` or `city`, in words; `undefined` if none of
 * them, neither as it was nor as it is, satisfies its condition.
 */
export function effectOn(
  dependency: string,
  table: string,
  changes: readonly RowChange[],
): string | undefined {
  const [, dependsOn, condition = ''] = /^(\w+)(?:\((.*)\))?$/.exec(dependency) ?? [];
  const comparisons = condition.split(', ').filter(Boolean);
  const satisfies = (row: Row | undefined) =>
    row !== undefined &&
    comparisons.every(comparison => {
      const [column, value] = comparison.split('=');
      return String(row[column!]) === value;
    });
  const concerned =
    dependsOn === table ? changes.filter(it => satisfies(it.before) || satisfies(it.after)) : [];
  const [first] = concerned;
  if (!first) {
    return undefined;
  }
  const others = concerned.length > 1 ? ` and ${concerned.length - 1} more` : '';
  const verb = satisfies(first.before) ? (satisfies(first.after) ? 'changed' : 'left') : 'came';
  return `${(first.before ?? first.after)!.name}${others} ${verb}`;
}
