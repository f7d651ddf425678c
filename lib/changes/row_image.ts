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

/** A row as the database holds it, as far as it is known. */
export interface Row {
  /** where each known column is in the values; shared by the rows of a format */
  readonly positions: ReadonlyMap<string, number>;
  readonly values: readonly Canonical[];
  /** of what kind each known column is to whoever has read it */
  readonly kinds: ReadonlyMap<string, Comparable>;
  /** the values as the database writes them, which also tells those apart that are equal: 1.0 and 1.00 */
  readonly stored: readonly (string | null)[];
}

/** What one row of a result told about the row that was written or locked. */
export interface Image {
  /** the transaction's id, as `pg_xact_status` takes it */
  readonly xid: string;
  /** whether INSERT … ON CONFLICT inserted the row, rather than updating one; `undefined` if it was not asked */
  readonly inserted: boolean | undefined;
  readonly row: Row;
  /** what the row was before; `undefined` if it was not asked, or if there was none */
  readonly old?: Row | undefined;
}

/** What is asked for beside the row itself. */
export interface ImageRequest {
  /** tells inserted rows from updated ones: a condition */
  readonly inserted?: string | undefined;
  /** by what the row as it was before is qualified */
  readonly old?: string | undefined;
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
  readonly #kinds: ReadonlyMap<string, Comparable>;
  /** how many arrays it takes to pass a row */
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
    const parts = ['pg_current_xact_id()::text', inserted ?? 'null::boolean', ...rows.flatMap(this.#arrays)];
    return `json_build_array(${parts.join(', ')})::text`;
  }

  /** One SQL expression of type text: the row, and nothing that would give a transaction an id. */
  rowExpression(qualifier: string): string {
    return `json_build_array(${this.#arrays(qualifier).join(', ')})::text`;
  }

  /** @param text what the {@link rowExpression} gave */
  readRow(text: string): Row {
    return this.#row((JSON.parse(text) as (string | null)[][]).flat());
  }

  /** @param text what the {@link expression} gave */
  read(text: string): Image {
    const [xid, inserted, ...arrays] = JSON.parse(text) as [string, boolean | null, ...(string | null)[][]];
    const old = arrays.length > this.#chunks && inserted !== true;
    return {
      xid,
      inserted: inserted ?? undefined,
      row: this.#row(arrays.slice(0, this.#chunks).flat()),
      old: old ? this.#row(arrays.slice(this.#chunks).flat()) : undefined,
    };
  }

  /**
   * Which of these columns may look different in two rows of this format. Those that images do not have may.
   *
   * Equal is not the same here: who reads a decimal is given 1.0 and then 1.00, so what is compared is what is stored.
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
 * Whether all that can be seen of such a value is in what an image has of it: casts strip a bpchar's blanks, and an
 * array does not tell where its subscripts begin.
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

function chunks(values: readonly string[]): string[][] {
  const chunks: string[][] = [];
  for (let start = 0; start < values.length; start += MAX_ARGUMENTS) {
    chunks.push(values.slice(start, start + MAX_ARGUMENTS));
  }
  return chunks;
}
