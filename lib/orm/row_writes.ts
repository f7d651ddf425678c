import type { CompiledQuery, QueryResult } from 'kysely';
import { conflictSql } from '../changes/conflict.js';
import { IMAGE_COLUMN, type Image, ImageFormat, withoutImage } from '../changes/image.js';
import type { Journal } from '../changes/journal.js';
import { columnQualifier, lockingSql, type Query, returningSql } from '../changes/rewrite.js';
import type { Delete, Insert, Update } from '../changes/statement.js';
import type { Scheme } from '../store/store.js';
import { cascades } from './affected.js';
import type { Catalog, Table } from './catalog.js';

type Result = QueryResult<any>;

export interface RowWrite {
  readonly statement: Insert | Update | Delete;
  readonly table: Table;
  readonly catalog: Catalog;
  readonly journal: Journal;
  readonly query: CompiledQuery;
  readonly ask: (sql: string, parameters: readonly unknown[]) => Promise<Result>;
  readonly schemes: () => Promise<readonly Scheme[]>;
  readonly maxRows: number;
}

/**
 * Runs a statement that writes to one table, and records the rows as they were and as they are, both as the database
 * has stored them.
 *
 * New rows, and old ones that are deleted, come from RETURNING. What an UPDATE does not set is the same before and
 * after it, so its old rows are only read (and locked) beforehand if it sets a column that some scheme compares.
 */
export async function writeRows(write: RowWrite): Promise<Result> {
  const { statement, table } = write;
  const asksInserted =
    statement.kind === 'insert' && statement.conflict.kind === 'update' && !table.partitioned;
  const tracer = new Tracer(write, asksInserted);
  switch (statement.kind) {
    case 'insert':
      return statement.conflict.kind === 'update' ? upsert(write, statement, tracer) : insert(write, tracer);
    case 'update':
      return update(write, statement, tracer);
    case 'delete':
      return remove(write, tracer);
  }
}

async function insert(write: RowWrite, tracer: Tracer): Promise<Result> {
  const { result, images } = await tracer.run();
  for (const image of images) {
    tracer.eachTable(name => write.journal.record(name, { new: image }));
  }
  tracer.widenPartitions(images);
  return result;
}

async function remove(write: RowWrite, tracer: Tracer): Promise<Result> {
  const { result, images } = await tracer.run();
  for (const image of images) {
    tracer.eachTable(name => write.journal.record(name, { old: image }));
  }
  tracer.widenHeirs(images);
  if (images.length > 0) {
    tracer.widen(cascades(write.catalog, write.table, 'delete'));
  }
  return result;
}

async function update(write: RowWrite, statement: Update, tracer: Tracer): Promise<Result> {
  const set = columnsSet(write.table, statement.set);
  const locking =
    (await tracer.mustKnow(set)) &&
    lockingSql(statement, tracer.expression, write.maxRows + 1, write.query.parameters);
  const old = locking ? await tracer.lock(locking) : [];
  if (old.length > write.maxRows) {
    const result = await write.ask(write.query.sql, write.query.parameters);
    tracer.eachTable(name => write.journal.widen(name));
    tracer.widen(cascades(write.catalog, write.table, 'update', set));
    return result;
  }
  const { result, images } = await tracer.run();
  tracer.recordUpdates(old, images, set);
  return result;
}

async function upsert(write: RowWrite, statement: Insert, tracer: Tracer): Promise<Result> {
  const set = columnsSet(write.table, statement.conflict.kind === 'update' ? statement.conflict.set : []);
  const locking =
    (await tracer.mustKnow(set)) &&
    conflictSql(statement, write.table.types, tracer.expression, write.query.parameters);
  const old = locking ? await tracer.lock(locking) : [];
  const { result, images } = await tracer.run();
  for (const image of images) {
    if (image.inserted) {
      tracer.eachTable(name => write.journal.record(name, { new: image }));
    }
  }
  tracer.widenPartitions(images);
  tracer.recordUpdates(
    old,
    images.filter(image => !image.inserted),
    set,
  );
  return result;
}

/** All columns that an update may change. */
function columnsSet(table: Table, named: readonly string[]): ReadonlySet<string> {
  return new Set(table.rewritten ? table.types.keys() : [...named, ...table.generated]);
}

/** Runs the statement, and reads and records what it tells. */
class Tracer {
  readonly #write: RowWrite;
  readonly #format: ImageFormat;
  readonly #asksInserted: boolean;

  constructor(write: RowWrite, asksInserted: boolean) {
    this.#write = write;
    this.#format = new ImageFormat(write.table.columns);
    this.#asksInserted = asksInserted;
  }

  get expression(): string {
    return this.#format.expression(columnQualifier(this.#write.statement));
  }

  /** Is there a scheme whose columns these are, so that old values are worth a query? */
  async mustKnow(set: ReadonlySet<string>): Promise<boolean> {
    const { table, schemes } = this.#write;
    // the schemes of an ancestor are not asked for
    return (
      table.ancestors.length > 1 ||
      table.onUpdate.some(key => key.referenced.some(column => set.has(column))) ||
      (await schemes()).some(scheme => scheme.columns.some(column => set.has(column)))
    );
  }

  async lock(query: Query): Promise<Image[]> {
    const { rows } = await this.#write.ask(query.sql, query.parameters);
    return this.#images(rows);
  }

  /** The statement itself: its result as it would have been, and the images of the rows that it touched. */
  async run(): Promise<{ result: Result; images: Image[] }> {
    const { statement, query, ask } = this.#write;
    const expression = this.#format.expression(columnQualifier(statement), this.#asksInserted);
    const result = await ask(returningSql(statement, expression), query.parameters);
    const images = this.#images(result.rows);
    return { result: { ...result, rows: statement.returning ? [...withoutImage(result.rows)] : [] }, images };
  }

  #images(rows: readonly any[]): Image[] {
    return rows.map(row => this.#format.read(row[IMAGE_COLUMN]));
  }

  /** Pairs rows by key: an updated row that was not locked before started to match in between. */
  recordUpdates(old: readonly Image[], images: readonly Image[], set: ReadonlySet<string>): void {
    const { table, journal, catalog } = this.#write;
    const locked = new Map(old.map(image => [this.#keyOf(image), image]));
    let keysChanged = false;
    for (const image of images) {
      const before = this.#keyOf(image) === undefined ? undefined : locked.get(this.#keyOf(image));
      if (before) {
        this.eachTable(name => journal.record(name, { old: before, new: image }));
      } else {
        this.eachTable(name => journal.recordUpdate(name, image, set));
      }
      keysChanged ||= !before || this.#referencedChanged(before, image);
    }
    this.widenHeirs(images);
    if (images.length > 0 && keysChanged) {
      this.widen(cascades(catalog, table, 'update', set));
    }
  }

  #referencedChanged(before: Image, after: Image): boolean {
    const referenced = this.#write.table.onUpdate.flatMap(key => key.referenced);
    return referenced.some(column => fieldOf(before, column) !== fieldOf(after, column));
  }

  #keyOf(image: Image): string | undefined {
    const { key } = this.#write.table;
    return key && JSON.stringify(key.map(column => fieldOf(image, column)));
  }

  /** A row of an heir is a row of the tables that it inherits from. */
  eachTable(record: (name: string) => void): void {
    this.#write.table.ancestors.forEach(record);
  }

  /** Where a row is inserted is decided by a partitioned table only; an heir gets none of what its parent gets. */
  widenPartitions(images: readonly Image[]): void {
    if (this.#write.table.partitioned) {
      this.widenHeirs(images);
    }
  }

  /** Rows of a table may be stored in its partitions, which have names of their own. */
  widenHeirs(images: readonly Image[]): void {
    if (images.length > 0) {
      this.widen(this.#write.table.heirs.filter(name => name !== this.#write.table.fullName));
    }
  }

  widen(tables: Iterable<string>): void {
    for (const table of tables) {
      this.#write.journal.widen(table);
    }
  }
}

function fieldOf(image: Image, column: string): string | null | undefined {
  const position = image.row.positions.get(column);
  return position === undefined ? undefined : image.row.values[position];
}
