import type { QueryResult } from 'kysely';
import type { Image } from '../../changes/row_image.js';
import { conflictSql } from '../../sql/conflicting_rows.js';
import { lockingSql, type Query } from '../../sql/rewrite.js';
import type { Insert, Update } from '../../sql/statement.js';
import { cascades } from '../catalog/propagation.js';
import type { Table } from '../catalog/table.js';
import { CascadeCapture } from './cascade_capture.js';
import { RowCapture, SYSTEM_COLUMNS } from './row_capture_statement.js';
import type { RowWrite } from './row_write.js';

type Result = QueryResult<any>;

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
  const tracer = await RowCapture.of(write);
  switch (statement.kind) {
    case 'insert':
      return statement.conflict.kind === 'update' ? upsert(write, statement, tracer) : insert(tracer);
    case 'update':
      return update(write, statement, tracer);
    case 'delete':
      return remove(write, tracer);
  }
}

async function insert(tracer: RowCapture): Promise<Result> {
  const { result, images } = await tracer.run();
  tracer.recordInserts(images);
  return result;
}

async function remove(write: RowWrite, tracer: RowCapture): Promise<Result> {
  const cascade = await CascadeCapture.lock(write, 'delete');
  const { result, images } = await tracer.run();
  await follow(write, tracer, tracer.recordDeletes(images), 'delete', undefined, cascade);
  return result;
}

async function update(write: RowWrite, statement: Update, tracer: RowCapture): Promise<Result> {
  const { catalog, table, query, maxRows } = write;
  const set = columnsSet(table, statement.set);
  const cascade = await CascadeCapture.lock(write, 'update', set);
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
  await follow(write, tracer, tracer.recordUpdates(locked, images, set), 'update', set, cascade);
  return result;
}

/** @param left the rows as they were that others referred to; `undefined` for those not known */
async function follow(
  { catalog, table }: RowWrite,
  tracer: RowCapture,
  left: readonly (Image | undefined)[],
  fate: 'update' | 'delete',
  set?: ReadonlySet<string>,
  cascade?: CascadeCapture,
): Promise<void> {
  if (left.length === 0) {
    return;
  }
  if (cascade && left.every(old => old && cascade.covers(old))) {
    await cascade.record();
  } else {
    tracer.widen(cascades(catalog, table, fate, set));
  }
}

async function upsert(write: RowWrite, statement: Insert, tracer: RowCapture): Promise<Result> {
  const { table, query } = write;
  const set = columnsSet(table, statement.conflict.kind === 'update' ? statement.conflict.set : []);
  const locked = await lockIfNeeded(tracer, set, () =>
    conflictSql(statement, table.types, tracer.expression, query.parameters),
  );
  const { result, images } = await tracer.run({ inserted: true, old: tracer.mustKnow(set) });
  tracer.recordInserts(images.filter(image => image.inserted));
  const updated = images.filter(image => !image.inserted);
  await follow(write, tracer, tracer.recordUpdates(locked, updated, set), 'update', set);
  return result;
}

async function lockIfNeeded(
  tracer: RowCapture,
  set: ReadonlySet<string>,
  query: () => Query | undefined,
): Promise<Image[] | undefined> {
  const locking = !tracer.returnsOld && tracer.mustKnow(set) ? query() : undefined;
  return locking && tracer.ask(locking);
}

/** All columns that an update may change. */
function columnsSet(table: Table, named: readonly string[]): ReadonlySet<string> {
  const columns = table.rewritten ? table.types.keys() : [...named, ...table.generated];
  return new Set([...SYSTEM_COLUMNS, ...columns]);
}
