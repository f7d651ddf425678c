import type { CompiledQuery, QueryResult } from 'kysely';
import { conflictSql } from '../changes/conflict.js';
import type { Image } from '../changes/image.js';
import type { Journal } from '../changes/journal.js';
import { lockingSql, type Query } from '../changes/rewrite.js';
import type { Delete, Insert, Update } from '../changes/statement.js';
import type { Scheme } from '../store/store.js';
import { cascades } from './affected.js';
import type { Catalog, Table } from './catalog.js';
import { Tracer } from './tracer.js';

type Result = QueryResult<any>;

export interface RowWrite {
  readonly statement: Insert | Update | Delete;
  readonly table: Table;
  readonly catalog: Catalog;
  readonly journal: Journal;
  readonly query: CompiledQuery;
  readonly ask: (sql: string, parameters: readonly unknown[]) => Promise<Result>;
  /** the schemes that readers of a table use, as far as this process knows */
  readonly schemes: (table: string) => Promise<readonly Scheme[]>;
  readonly maxRows: number;
}

/**
 * Runs a statement that writes to one table, and records the rows as they were and as they are, both as the database
 * has stored them.
 *
 * New rows, and old ones that are deleted, come from RETURNING. What an UPDATE does not set is the same before and
 * after it, so its old rows are only asked for if it sets a column that some scheme compares or tests: of RETURNING
 * too, since PostgreSQL 18; of older ones, the rows are read and locked beforehand.
 */
export async function writeRows(write: RowWrite): Promise<Result> {
  const { statement } = write;
  const tracer = await Tracer.of(write);
  switch (statement.kind) {
    case 'insert':
      return statement.conflict.kind === 'update' ? upsert(write, statement, tracer) : insert(tracer);
    case 'update':
      return update(write, statement, tracer);
    case 'delete':
      return remove(write, tracer);
  }
}

async function insert(tracer: Tracer): Promise<Result> {
  const { result, images } = await tracer.run();
  tracer.recordInserts(images);
  return result;
}

async function remove({ catalog, table }: RowWrite, tracer: Tracer): Promise<Result> {
  const { result, images } = await tracer.run();
  tracer.recordDeletes(images);
  if (images.length > 0) {
    tracer.widen(cascades(catalog, table, 'delete'));
  }
  return result;
}

async function update(write: RowWrite, statement: Update, tracer: Tracer): Promise<Result> {
  const { catalog, table, query, maxRows } = write;
  const set = columnsSet(table, statement.set);
  const locked = await lockIfNeeded(tracer, set, () =>
    lockingSql(statement, tracer.expression, maxRows + 1, query.parameters),
  );
  if (locked && locked.length > maxRows) {
    const result = await write.ask(query.sql, query.parameters);
    tracer.widenAll();
    tracer.widen(cascades(catalog, table, 'update', set));
    return result;
  }
  const { result, images } = await tracer.run({ old: tracer.mustKnow(set) });
  tracer.recordUpdates(locked, images, set);
  return result;
}

async function upsert(write: RowWrite, statement: Insert, tracer: Tracer): Promise<Result> {
  const { table, query } = write;
  const set = columnsSet(table, statement.conflict.kind === 'update' ? statement.conflict.set : []);
  const locked = await lockIfNeeded(tracer, set, () =>
    conflictSql(statement, table.types, tracer.expression, query.parameters),
  );
  const { result, images } = await tracer.run({ inserted: true, old: tracer.mustKnow(set) });
  tracer.recordInserts(images.filter(image => image.inserted));
  tracer.recordUpdates(
    locked,
    images.filter(image => !image.inserted),
    set,
  );
  return result;
}

async function lockIfNeeded(
  tracer: Tracer,
  set: ReadonlySet<string>,
  query: () => Query | undefined,
): Promise<Image[] | undefined> {
  const locking = !tracer.returnsOld && tracer.mustKnow(set) ? query() : undefined;
  return locking && tracer.ask(locking);
}

/** They are not in the catalog's list, but a query may name them. */
const SYSTEM_COLUMNS = ['cmax', 'cmin', 'ctid', 'tableoid', 'xmax', 'xmin'];

/** All columns that an update may change. */
function columnsSet(table: Table, named: readonly string[]): ReadonlySet<string> {
  const columns = table.rewritten ? table.types.keys() : [...named, ...table.generated];
  return new Set([...SYSTEM_COLUMNS, ...columns]);
}
