import type { Row, RowChange } from './change.js';

/**
 * The effect of changed rows on a dependency such as `city(country=FR)`, `city(country=MC; membership)` or `city`, in
 * words; `undefined` if no old or new row matches it.
 */
export function effectOn(
  dependency: string,
  table: string,
  changes: readonly RowChange[],
): string | undefined {
  const [, dependsOn, condition = ''] = /^(\w+)(?:\((.*)\))?$/.exec(dependency) ?? [];
  const comparisons = condition
    .split('; ')[0]!
    .split(' and ')
    .filter(part => /^\w+=/.test(part));
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
