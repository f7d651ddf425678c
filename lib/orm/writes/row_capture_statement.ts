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

/** Runs a statement on rows, and reads and records what it tells. */
export class RowCapture {
  readonly #write: RowWrite;
  readonly #format: ImageFormat;
  /** those that some scheme compares or tests, and those by which rows of other tables follow this one's */
  readonly #watched: ReadonlySet<string>;
  /** the images are not all there are */
  #isTruncated = false;
  /** RETURNING can also give rows as they were */
  readonly returnsOld: boolean;

  static async of(write: RowWrite): Promise<RowCapture> {
    // a row of an heir is also a row of the tables that it inherits from
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

  /** Are there columns among these whose old values are worth asking for? */
  mustKnow(set: ReadonlySet<string>): boolean {
    return [...this.#watched].some(column => set.has(storedColumn(column)));
  }

  async ask(query: Query): Promise<Image[]> {
    const { rows } = await this.#write.ask(query.sql, query.parameters);
    return this.#images(rows);
  }

  /**
   * The statement itself: its result as it would have been, and the images of the rows that it touched.
   *
   * @param request.old rows as they were, where RETURNING can tell
   * @param request.inserted whether each was inserted, where that can be told
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

  /** Images of all rows of a large table, say, would take up memory here without being of use. */
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
    // an update always leaves its lock in `xmax`; of partitioned tables, RETURNING may have no such column
    return inserted && !this.#write.table.partitioned ? { inserted: `(${qualifier}.xmax = 0)` } : {};
  }

  #images(rows: readonly any[]): Image[] {
    return rows.map(row => this.#format.read(row[IMAGE_COLUMN]));
  }

  recordInserts(images: readonly Image[]): void {
    for (const image of images) {
      this.#eachTable(name => this.#write.journal.record(name, { new: image }));
    }
    // where a row is inserted is decided by a partitioned table only; an heir gets none of what its parent gets
    if (this.#write.table.partitioned) {
      this.#widenHeirs(images);
    }
  }

  /** @returns the rows as they were; `undefined` for those not known */
  recordDeletes(images: readonly Image[]): (Image | undefined)[] {
    for (const image of images) {
      this.#eachTable(name => this.#write.journal.record(name, { old: image }));
    }
    this.#widenHeirs(images);
    return this.#isTruncated ? [...images, undefined] : [...images];
  }

  /**
   * @param locked the rows as they were before, if they were asked for: they are found by key, and an updated row that
   * is not among them has another one, or started to match in between
   * @returns the rows as they were that may have been changed such that others follow; `undefined` for those not known
   */
  recordUpdates(
    locked: readonly Image[] | undefined,
    images: readonly Image[],
    set: ReadonlySet<string>,
  ): (Image | undefined)[] {
    const { table, journal } = this.#write;
    // one row may have been given the key that another had
    const isSameKey =
      !table.key?.some(column => set.has(column)) || (locked?.length === 1 && images.length === 1);
    const byKey = new Map((isSameKey ? locked : undefined)?.map(image => [this.#keyOf(image), image]));
    const left: (Image | undefined)[] = [];
    for (const image of images) {
      const key = this.#keyOf(image);
      const old = image.old ? { ...image, row: image.old } : key === undefined ? undefined : byKey.get(key);
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
    this.#widenHeirs(images);
    return this.#isTruncated ? [...left, undefined] : left;
  }

  /** Whether it could not be asked if it was inserted. */
  #mayBeNew(image: Image): boolean {
    return this.#write.statement.kind === 'insert' && image.inserted === undefined;
  }

  /** The database hands on what looks different, equal or not. */
  #referencedChanged(before: Image, after: Image, set: ReadonlySet<string>): boolean {
    const referenced = this.#write.table.onUpdate.flatMap(key => key.referenced);
    const columns = new Set(referenced.filter(column => set.has(column)));
    return this.#format.differing(before.row, after.row, columns).size > 0;
  }

  #keyOf(image: Image): string | undefined {
    const { key } = this.#write.table;
    return key && JSON.stringify(key.map(column => fieldOf(image, column)));
  }

  /** A row of an heir is a row of the tables that it inherits from. */
  #eachTable(record: (name: string) => void): void {
    this.#write.table.ancestors.forEach(record);
  }

  /** Rows of a table may be stored in its partitions, which have names of their own. */
  #widenHeirs(images: readonly Image[]): void {
    const { table } = this.#write;
    if (images.length > 0) {
      this.widen(table.descendants.filter(name => name !== table.fullName));
    }
  }

  /** Anything in the table itself may have changed. */
  widenAll(): void {
    this.widen([...this.#write.table.ancestors, ...this.#write.table.descendants]);
  }

  widen(tables: Iterable<string>): void {
    for (const table of tables) {
      this.#write.journal.widen(table);
    }
  }
}

/** They are not in the catalog's list, but a query may name them, and every update changes them. */
export const SYSTEM_COLUMNS = ['cmax', 'cmin', 'ctid', 'tableoid', 'xmax', 'xmin'];

/** Then `old` in RETURNING may be something else; a name with escapes may be any. */
const MAY_NAME_OLD = /\bold\b|u&/i;

const formats = new WeakMap<Table, Map<string, ImageFormat>>();
/** Of a table. Which paths within its columns are looked at changes with what is asked. */
const MAX_FORMATS = 100;

/** The format of these columns, and paths within them, as far as they can be compared. */
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
