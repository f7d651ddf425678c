import { quoteName } from '../sql/lexer/names.js';
import { IMAGE_COLUMN } from '../sql/rewrite.js';
import {
  type Canonical,
  type Comparable,
  canonicalOfStored,
  isArray,
  storedExpression,
} from '../values/comparable.js';
import { pathOf } from '../values/path.js';

/** PostgreSQL passes at most 100 arguments to a function. */
const MAX_ARGUMENTS = 100;

export interface ImageColumn {
  readonly name: string;
  readonly kind: Comparable;
}

/** The known columns of a row in the database. */
export interface Row {
  /** the index of each known column in `values`; shared by all rows of a format */
  readonly positions: ReadonlyMap<string, number>;
  readonly values: readonly Canonical[];
  /** the kind of each known column when the row was read */
  readonly kinds: ReadonlyMap<string, Comparable>;
  /** the values as the database writes them, which differ for equal values such as 1.0 and 1.00 */
  readonly stored: readonly (string | null)[];
}

/** The image of a row that was written or locked. */
export interface Image {
  /** the transaction's id in the form for `pg_xact_status` */
  readonly xid: string;
  /** whether INSERT … ON CONFLICT inserted the row, instead of updating it; `undefined` if not requested */
  readonly inserted: boolean | undefined;
  readonly row: Row;
  /** the row before the write; `undefined` if not requested, or if there was none */
  readonly old?: Row | undefined;
}

/** What an image contains in addition to the row. */
export interface ImageRequest {
  /** a condition that is true for inserted rows and false for updated ones */
  readonly inserted?: string | undefined;
  /** the qualifier of the row before the write */
  readonly old?: string | undefined;
}

/**
 * Builds the SQL for images of a table's rows, and reads them.
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
  readonly #kinds: ReadonlyMap<string, Comparable>;
  /** number of arrays that one row needs */
  readonly #chunks: number;

  constructor(columns: readonly ImageColumn[]) {
    this.#columns = columns;
    this.#positions = new Map(columns.map(({ name }, i) => [name, i]));
    this.#kinds = new Map(columns.map(({ name, kind }) => [name, kind]));
    this.#chunks = Math.ceil(columns.length / MAX_ARGUMENTS);
  }

  /**
   * One SQL expression of type text.
   *
   * @param qualifier the table's alias or name, quoted
   */
  expression(qualifier: string, { inserted, old }: ImageRequest = {}): string {
    const rows = old === undefined ? [qualifier] : [qualifier, old];
    const parts = [
      'pg_catalog.pg_current_xact_id()::pg_catalog.text',
      inserted ?? 'null::boolean',
      ...rows.flatMap(this.#arrays),
    ];
    return `json_build_array(${parts.join(', ')})::text`;
  }

  /** One SQL expression of type text: the row only, so that the transaction gets no id. */
  rowExpression(qualifier: string): string {
    return `json_build_array(${this.#arrays(qualifier).join(', ')})::text`;
  }

  /** @param text the result of {@link rowExpression} */
  readRow(text: string): Row {
    return this.#row(joined(JSON.parse(text) as (string | null)[][]));
  }

  /** @param text the result of {@link expression} */
  read(text: string): Image {
    const [xid, inserted, ...arrays] = JSON.parse(text) as [string, boolean | null, ...(string | null)[][]];
    const old = arrays.length > this.#chunks && inserted !== true;
    return {
      xid,
      inserted: inserted ?? undefined,
      row: this.#row(joined(arrays.slice(0, this.#chunks))),
      old: old ? this.#row(joined(arrays.slice(this.#chunks))) : undefined,
    };
  }

  /**
   * The columns that may differ between two rows of this format. Columns without an image count as different.
   *
   * Stored values are compared, because 1.0 and 1.00 are equal but look different to a reader.
   */
  differing(old: Row, now: Row, columns: ReadonlySet<string>): ReadonlySet<string> {
    const isSame = (column: string) => {
      const at = this.#positions.get(column);
      return at !== undefined && isWhole(this.#columns[at]!.kind) && old.stored[at] === now.stored[at];
    };
    return new Set([...columns].filter(column => !isSame(column)));
  }

  readonly #arrays = (qualifier: string): string[] => {
    const values = this.#columns.map(({ name, kind }) =>
      storedExpression(kind, columnExpression(qualifier, name)),
    );
    return chunks(values).map(chunk => `json_build_array(${chunk.join(', ')})`);
  };

  #row(stored: readonly (string | null)[]): Row {
    const values = stored.map((value, i) => canonicalOfStored(this.#columns[i]!.kind, value));
    return { positions: this.#positions, values, kinds: this.#kinds, stored };
  }
}

/**
 * Whether an image contains everything that a reader can see of such a value. Casts strip trailing blanks of a
 * bpchar, and the form of an array has no lower bounds.
 */
function isWhole(kind: Comparable): boolean {
  return kind !== 'padded' && !isArray(kind);
}

/** Removes the images from result rows, in place. */
export function withoutImage<Row extends object>(rows: readonly Row[]): readonly Row[] {
  for (const row of rows as readonly { [IMAGE_COLUMN]?: unknown }[]) {
    delete row[IMAGE_COLUMN];
  }
  return rows;
}

/** @param name of a column, or of a path within one */
function columnExpression(qualifier: string, name: string): string {
  const path = pathOf(name);
  if (!path) {
    return `${qualifier}.${quoteName(name)}`;
  }
  const keys = path.keys.map(key => `'${key}'::text`);
  const last = keys.pop();
  return `(${[`${qualifier}.${quoteName(path.column)}`, ...keys].join('->')}->>${last})`;
}

/** `flat()` is slow, and most tables have one chunk. */
function joined(arrays: readonly (string | null)[][]): readonly (string | null)[] {
  return arrays.length === 1 ? arrays[0]! : arrays.flat();
}

function chunks(values: readonly string[]): string[][] {
  const chunks: string[][] = [];
  for (let start = 0; start < values.length; start += MAX_ARGUMENTS) {
    chunks.push(values.slice(start, start + MAX_ARGUMENTS));
  }
  return chunks;
}
