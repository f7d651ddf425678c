import {
  type Canonical,
  type Comparable,
  canonicalOfStored,
  storedExpression,
} from '../values/comparable.js';
import { quoteName } from './names.js';

/** The output column that carries images. */
export const IMAGE_COLUMN = '__cacheops';

/** PostgreSQL passes at most 100 arguments to a function. */
const MAX_ARGUMENTS = 100;

export interface ImageColumn {
  readonly name: string;
  readonly kind: Comparable;
}

/** A row as the database holds it, without what cannot be compared. */
export interface Row {
  /** where each column is in the values; shared by the rows of a format */
  readonly positions: ReadonlyMap<string, number>;
  readonly values: readonly Canonical[];
}

/** What one row of a result told about the row that was written or locked. */
export interface Image {
  /** the transaction's id, as `pg_xact_status` takes it */
  readonly xid: string;
  /** whether INSERT … ON CONFLICT inserted the row, rather than updating one; `undefined` if it was not asked */
  readonly inserted: boolean | undefined;
  readonly row: Row;
}

/**
 * How images of a table's rows are asked for, and how they are read.
 *
 * ```ts
 * const format = new ImageFormat([{ name: 'id', kind: 'integer' }]);
 * const sql = `update "book" … returning ${format.expression('"book"')} as "${IMAGE_COLUMN}"`;
 * const { xid, row } = format.read(result.rows[0][IMAGE_COLUMN]);
 * ```
 */
export class ImageFormat {
  readonly #columns: readonly ImageColumn[];
  readonly #positions: ReadonlyMap<string, number>;

  constructor(columns: readonly ImageColumn[]) {
    this.#columns = columns;
    this.#positions = new Map(columns.map(({ name }, i) => [name, i]));
  }

  /**
   * One SQL expression of type text.
   *
   * @param qualifier the table's alias or name, quoted
   * @param asksInserted for INSERT … ON CONFLICT DO UPDATE: also tells inserted rows from updated ones, by the lock
   * that an update always leaves in `xmax`. Not for partitioned tables, which may have no such column in RETURNING
   */
  expression(qualifier: string, asksInserted = false): string {
    const inserted = asksInserted ? `(${qualifier}.xmax = 0)` : 'null::boolean';
    const values = this.#columns.map(({ name, kind }) =>
      storedExpression(kind, `${qualifier}.${quoteName(name)}`),
    );
    const arrays = chunks(values).map(chunk => `json_build_array(${chunk.join(', ')})`);
    return `json_build_array(${['pg_current_xact_id()::text', inserted, ...arrays].join(', ')})::text`;
  }

  /** @param text what the {@link expression} gave */
  read(text: string): Image {
    const [xid, inserted, ...arrays] = JSON.parse(text) as [string, boolean | null, ...(string | null)[][]];
    const values = arrays.flat().map((value, i) => canonicalOfStored(this.#columns[i]!.kind, value));
    return { xid, inserted: inserted ?? undefined, row: { positions: this.#positions, values } };
  }
}

/** Removes the images from result rows, in place. */
export function withoutImage<Row extends object>(rows: readonly Row[]): readonly Row[] {
  for (const row of rows as readonly { [IMAGE_COLUMN]?: unknown }[]) {
    delete row[IMAGE_COLUMN];
  }
  return rows;
}

function chunks(values: readonly string[]): string[][] {
  const chunks: string[][] = [];
  for (let start = 0; start < values.length; start += MAX_ARGUMENTS) {
    chunks.push(values.slice(start, start + MAX_ARGUMENTS));
  }
  return chunks;
}
