import type { QueryResult } from 'kysely';
import { type Image, ImageFormat, type ImageRequest, withoutImage } from '../../changes/row_image.js';
import {
  boundedSql,
  COUNT_COLUMN,
  columnQualifier,
  IMAGE_COLUMN,
  isBounded,
  type Query,
  returningSql,
} from '../../sql/rewrite.js';
import { storedColumn } from '../../values/path.js';
import type { Scheme } from '../../values/scheme.js';
import { type ComparableColumn, pathColumn, type Table } from '../catalog/table.js';
import type { RowWrite } from './row_write.js';

type Result = QueryResult<any>;

/** Runs a statement with row images added to RETURNING, and records them in the journal. */
export class RowCapture {
  readonly #write: RowWrite;
  readonly #format: ImageFormat;
  /** columns that some scheme compares or tests, and referenced columns of foreign keys with actions */
  readonly #watched: ReadonlySet<string>;
  /** there are more rows than images */
  #isTruncated = false;
  /** RETURNING can also return rows as they were */
  readonly returnsOld: boolean;

  static async of(write: RowWrite): Promise<RowCapture> {
    // a row of an inheritance child is also a row of its ancestors
    const schemes = await Promise.all(write.table.ancestors.map(write.schemes));
    return new RowCapture(write, schemes.flat());
  }

  private constructor(write: RowWrite, schemes: readonly Scheme[]) {
    const { table, statement, catalog } = write;
    this.#write = write;
    this.#watched = new Set([
      ...table.onUpdate.flatMap(key => key.referenced),
      ...schemes.flatMap(scheme => [...scheme.columns, ...(scheme.tests ?? [])]),
    ]);
    this.#format = formatOf(table, new Set([...this.#watched, ...(table.key ?? [])]));
    this.returnsOld = catalog.returnsOld && !MAY_NAME_OLD.test(statement.sql);
  }

  get expression(): string {
    return this.#format.expression(columnQualifier(this.#write.statement));
  }

  /** Whether a column among these is watched, so that old rows must be read. */
  mustKnow(set: ReadonlySet<string>): boolean {
    return [...this.#watched].some(column => set.has(storedColumn(column)));
  }

  async ask(query: Query): Promise<Image[]> {
    const { rows } = await this.#write.ask(query.sql, query.parameters);
    return this.#images(rows);
  }

  /**
   * Runs the statement.
   *
   * @param request.old whether to return old rows, if RETURNING can
   * @param request.inserted whether to return which rows were inserted, if that can be known
   * @returns the result without the images, and the images
   */
  async run(
    request: { old?: boolean; inserted?: boolean } = {},
  ): Promise<{ result: Result; images: Image[] }> {
    const { statement, query, ask, table } = this.#write;
    const qualifier = columnQualifier(statement);
    const expression = this.#format.expression(qualifier, this.#requestOf(qualifier, request));
    if (!statement.returning && !isBounded(statement, table.key)) {
      return this.#runBounded(expression);
    }
    const result = await ask(returningSql(statement, expression), query.parameters);
    const images = this.#images(result.rows);
    return { result: { ...result, rows: statement.returning ? [...withoutImage(result.rows)] : [] }, images };
  }

  /** Returns a limited number of images, because those of a large table would only take up memory. */
  async #runBounded(expression: string): Promise<{ result: Result; images: Image[] }> {
    const { statement, query, ask, maxRows } = this.#write;
    const { rows } = await ask(boundedSql(statement, expression, maxRows + 1), query.parameters);
    if (rows.length > maxRows) {
      this.widenAll();
      this.#isTruncated = true;
    }
    const result = { rows: [], numAffectedRows: BigInt(rows[0]?.[COUNT_COLUMN] ?? 0) };
    return { result, images: this.#images(rows) };
  }

  #requestOf(qualifier: string, { old, inserted }: { old?: boolean; inserted?: boolean }): ImageRequest {
    if (this.returnsOld) {
      return {
        ...(old && { old: 'old' }),
        ...(inserted && { inserted: '(old.ctid is null)' }),
      };
    }
    // an update always sets `xmax`; RETURNING of a partitioned table may lack that column
    return inserted && !this.#write.table.partitioned ? { inserted: `(${qualifier}.xmax = 0)` } : {};
  }

  #images(rows: readonly any[]): Image[] {
    return rows.map(row => this.#format.read(row[IMAGE_COLUMN]));
  }

  recordInserts(images: readonly Image[]): void {
    for (const image of images) {
      this.#eachTable(name => this.#write.journal.record(name, { new: image }));
    }
    // only a partitioned table stores rows in its descendants; an inheritance child gets none of its parent's
    if (this.#write.table.partitioned) {
      this.#widenDescendants(images);
    }
  }

  /** @returns the old images; `undefined` stands for unknown rows */
  recordDeletes(images: readonly Image[]): (Image | undefined)[] {
    for (const image of images) {
      this.#eachTable(name => this.#write.journal.record(name, { old: image }));
    }
    this.#widenDescendants(images);
    return this.#isTruncated ? [...images, undefined] : [...images];
  }

  /**
   * @param locked old images, if they were read. An updated row is found there by key; one that is missing has a new key,
   *   or started to match in between.
   * @returns old images of rows whose referenced columns may have changed; `undefined` for an unknown row
   */
  recordUpdates(
    locked: readonly Image[] | undefined,
    images: readonly Image[],
    set: ReadonlySet<string>,
  ): (Image | undefined)[] {
    const { table, journal } = this.#write;
    // an update of keys may give a row the old key of another
    const isSameKey =
      !table.key?.some(column => set.has(column)) || (locked?.length === 1 && images.length === 1);
    const byKey = new Map((isSameKey ? locked : undefined)?.map(image => [this.#keyOf(image), image]));
    const left: (Image | undefined)[] = [];
    for (const image of images) {
      const old = image.old ? { ...image, row: image.old } : this.#find(image, byKey);
      if (old) {
        const changed = this.#format.differing(old.row, image.row, set);
        this.#eachTable(name => journal.record(name, { old, new: image, changed }));
      } else {
        this.#eachTable(name => journal.recordUpdate(name, image, set, !this.#mayBeNew(image)));
      }
      if (!old || this.#referencedChanged(old, image, set)) {
        left.push(old);
      }
    }
    this.#widenDescendants(images);
    return this.#isTruncated ? [...left, undefined] : left;
  }

  /** Whether the image may be of an inserted row. */
  #mayBeNew(image: Image): boolean {
    return this.#write.statement.kind === 'insert' && image.inserted === undefined;
  }

  /** The database acts on values with a different text, even if they are equal. */
  #referencedChanged(before: Image, after: Image, set: ReadonlySet<string>): boolean {
    const referenced = this.#write.table.onUpdate.flatMap(key => key.referenced);
    const columns = new Set(referenced.filter(column => set.has(column)));
    return this.#format.differing(before.row, after.row, columns).size > 0;
  }

  #find(image: Image, byKey: ReadonlyMap<string | undefined, Image>): Image | undefined {
    const key = byKey.size > 0 ? this.#keyOf(image) : undefined;
    return key === undefined ? undefined : byKey.get(key);
  }

  #keyOf(image: Image): string | undefined {
    const { key } = this.#write.table;
    return key && JSON.stringify(key.map(column => fieldOf(image, column)));
  }

  /** A row of an inheritance child is also a row of its ancestors. */
  #eachTable(record: (name: string) => void): void {
    this.#write.table.ancestors.forEach(record);
  }

  /** Rows of a table may be stored in its partitions, which have their own names. */
  #widenDescendants(images: readonly Image[]): void {
    const { table } = this.#write;
    if (images.length > 0) {
      this.widen(table.descendants.filter(name => name !== table.fullName));
    }
  }

  widenAll(): void {
    this.widen([...this.#write.table.ancestors, ...this.#write.table.descendants]);
  }

  widen(tables: Iterable<string>): void {
    for (const table of tables) {
      this.#write.journal.widen(table);
    }
  }
}

/** `old` in RETURNING may then have another meaning; a name with escapes may be `old`. */
const MAY_NAME_OLD = /\bold\b|u&/i;

const formats = new WeakMap<Table, Map<string, ImageFormat>>();
/** The maximum number of formats of a table: the paths within its columns vary with the queries. */
const MAX_FORMATS = 100;

/** The format of those columns and paths among these names that are comparable. */
export function formatOf(table: Table, names: ReadonlySet<string>): ImageFormat {
  const columns = [
    ...table.columns.filter(({ name }) => names.has(name)),
    ...[...names].flatMap((name): ComparableColumn[] => pathColumn(table, name)).sort(byName),
  ];
  const key = columns.map(({ name }) => name).join('\0');
  let known = formats.get(table);
  if (!known) {
    known = new Map();
    formats.set(table, known);
  }
  let format = known.get(key);
  if (!format) {
    format = new ImageFormat(columns);
    if (known.size >= MAX_FORMATS) {
      known.clear();
    }
    known.set(key, format);
  }
  return format;
}

function byName(a: ComparableColumn, b: ComparableColumn): number {
  return a.name < b.name ? -1 : 1;
}

export function fieldOf(image: Image, column: string): string | null | undefined {
  const position = image.row.positions.get(column);
  return position === undefined ? undefined : image.row.values[position];
}
