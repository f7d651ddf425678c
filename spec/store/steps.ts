import type { Found } from '../../lib/store/store.js';
import type { RowDelta } from '../../lib/values/row_delta.js';
import type { Scheme } from '../../lib/values/scheme.js';

type Row = object;

/** A row as it was and as it is; either may be missing. */
export interface RowChange<R extends Row> {
  readonly before: R | undefined;
  readonly after: R | undefined;
  /** its writer knows the columns that are compared, and no others */
  readonly vague?: boolean;
}

/** The touched values of a scheme. */
export function touchedBy<R extends Row>(
  scheme: Scheme,
  changes: readonly RowChange<R>[],
): Map<string, readonly RowDelta[] | undefined> {
  const touched = new Map<string, RowDelta[] | undefined>();
  const touch = (row: R, step: RowDelta, vague = false) => {
    const values = valuesOf(scheme, row);
    const before = touched.has(values) ? touched.get(values) : [];
    touched.set(values, scheme.tests && before && !vague ? [...before, step] : undefined);
  };
  const image = (row: R) => (scheme.tests ?? []).map(column => valueIn(row, column));
  for (const { before, after, vague } of changes) {
    if (before && after && valuesOf(scheme, before) === valuesOf(scheme, after)) {
      const differs = (column: string) => valueIn(before, column) !== valueIn(after, column);
      const read = scheme.reads ? scheme.reads.some(differs) : true;
      if (read || scheme.tests?.some(differs)) {
        touch(after, [image(before), image(after), read ? 1 : 0], vague);
      }
    } else {
      if (before) {
        touch(before, [image(before), null, 1], vague);
      }
      if (after) {
        touch(after, [null, image(after), 1], vague);
      }
    }
  }
  return touched;
}

/**
 * Whether something that has happened since an entry was sealed matters to it.
 *
 * @param testedOn which rows of a table take part, by the values of all tests of the schemes
 */
export function matters({ moved }: Found, testedOn: (table: string) => Row): boolean {
  return moved.some(({ table, dependency: { scheme }, steps }) => {
    const tested = testedOn(table);
    const takesPart = (image: RowDelta[0]) =>
      image !== null && scheme.tests!.every((column, i) => image[i] === valueIn(tested, column));
    return steps.some(([before, after, read]) => {
      const [was, is] = [takesPart(before), takesPart(after)];
      return (was || is) && (was !== is || read === 1);
    });
  });
}

export function valuesOf({ columns }: Scheme, row: Row): string {
  return columns.map(column => valueIn(row, column)).join();
}

function valueIn(row: Row, column: string): string {
  return (row as Record<string, string>)[column]!;
}
