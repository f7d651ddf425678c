import type { QueryResult } from 'kysely';
import { SYSTEM_COLUMNS } from '../../changes/affected_dependencies.js';
import type { Image } from '../../changes/row_image.js';
import { conflictSql } from '../../sql/conflicting_rows.js';
import { lockingSql, type Query } from '../../sql/rewrite.js';
import type { Insert, Update } from '../../sql/statement.js';
import { cascades } from '../catalog/propagation.js';
import type { Table } from '../catalog/table.js';
import { CascadeCapture } from './cascade_capture.js';
import { RowCapture } from './row_capture_statement.js';
import type { RowWrite } from './row_write.js';

type Result = QueryResult<any>;

/**
 * Runs a statement that writes to one table, and records its rows as they were and as they are, as the database stores
 * them.
 *
 * Inserted and deleted rows come from RETURNING. Columns that an UPDATE does not set stay the same, so old rows are only
 * read if it sets a column that some scheme compares or tests: by RETURNING since PostgreSQL 18, otherwise the rows are
 * read and locked beforehand.
 */
export async function writeRows(write: RowWrite): Promise<Result> {
  const { statement } = write;
  const capture = await RowCapture.of(write);
  switch (statement.kind) {
    case 'insert':
      return statement.conflict.kind === 'update' ? upsert(write, statement, capture) : insert(capture);
    case 'update':
      return update(write, statement, capture);
    case 'delete':
      return remove(write, capture);
  }
}

async function insert(capture: RowCapture): Promise<Result> {
  const { result, images } = await capture.run();
  capture.recordInserts(images);
  return result;
}

async function remove(write: RowWrite, capture: RowCapture): Promise<Result> {
  const cascade = await CascadeCapture.lock(write, 'delete');
  const { result, images } = await capture.run();
  await recordCascades(write, capture, capture.recordDeletes(images), 'delete', undefined, cascade);
  return result;
}

async function update(write: RowWrite, statement: Update, capture: RowCapture): Promise<Result> {
  const { catalog, table, query, maxRows } = write;
  const set = columnsSet(table, statement.set);
  const cascade = await CascadeCapture.lock(write, 'update', set);
  const locked = await lockIfNeeded(capture, set, () =>
    lockingSql(statement, capture.expression, maxRows + 1, query.parameters),
  );
  if (locked && locked.length > maxRows) {
    const result = await write.ask(query.sql, query.parameters);
    capture.widenAll();
    capture.widen(cascades(catalog, table, 'update', set));
    return result;
  }
  const { result, images } = await capture.run({ old: capture.mustKnow(set) });
  await recordCascades(write, capture, capture.recordUpdates(locked, images, set), 'update', set, cascade);
  return result;
}

/** @param left old images of rows whose referenced columns changed or went; `undefined` for an unknown row */
async function recordCascades(
  { catalog, table }: RowWrite,
  capture: RowCapture,
  left: readonly (Image | undefined)[],
  change: 'update' | 'delete',
  set?: ReadonlySet<string>,
  cascade?: CascadeCapture,
): Promise<void> {
  if (left.length === 0) {
    return;
  }
  if (cascade && left.every(old => old && cascade.covers(old))) {
    await cascade.record();
  } else {
    capture.widen(cascades(catalog, table, change, set));
  }
}

async function upsert(write: RowWrite, statement: Insert, capture: RowCapture): Promise<Result> {
  const { table, query } = write;
  const set = columnsSet(table, statement.conflict.kind === 'update' ? statement.conflict.set : []);
  const locked = await lockIfNeeded(capture, set, () =>
    conflictSql(statement, table.types, capture.expression, query.parameters),
  );
  const { result, images } = await capture.run({ inserted: true, old: capture.mustKnow(set) });
  capture.recordInserts(images.filter(image => image.inserted));
  const updated = images.filter(image => !image.inserted);
  await recordCascades(write, capture, capture.recordUpdates(locked, updated, set), 'update', set);
  return result;
}

async function lockIfNeeded(
  capture: RowCapture,
  set: ReadonlySet<string>,
  query: () => Query | undefined,
): Promise<Image[] | undefined> {
  const locking = !capture.returnsOld && capture.mustKnow(set) ? query() : undefined;
  return locking && capture.ask(locking);
}

/** All columns that an update may change. */
function columnsSet(table: Table, named: readonly string[]): ReadonlySet<string> {
  const columns = table.rewritten ? table.types.keys() : [...named, ...table.generated];
  return new Set([...SYSTEM_COLUMNS, ...columns]);
}
