import { wrap } from '@mikro-orm/core';
import { getCacheops, type InvalidationEvent } from '../lib/index.js';
import { claimEqual } from './claim.js';
import type { Orm } from './database.js';
import type { Write } from './writes.js';

/** One row, by column. */
export type Row = Readonly<Record<string, unknown>>;

/** Without `before` it was inserted, without `after` deleted. */
export interface RowChange {
  readonly before: Row | undefined;
  readonly after: Row | undefined;
}

/** Writes, and asks the database which rows have changed. The invalidation event must report the same rows. */
export async function make(write: Write, orm: Orm): Promise<RowChange[]> {
  const cache = getCacheops(orm);
  const reported: InvalidationEvent[] = [];
  const listen = (event: InvalidationEvent) => reported.push(event);
  const before = await rowsOf(write, orm);
  cache.events.on('invalidation', listen);
  await write.run(orm.em.fork());
  cache.events.off('invalidation', listen);
  // from now on, no background work can prevent a result from being stored
  await cache.idle();
  const after = await rowsOf(write, orm);

  const keys = new Set([...before.keys(), ...after.keys()]);
  const changes = [...keys]
    .map(key => ({ before: before.get(key), after: after.get(key) }))
    .filter(change => JSON.stringify(change.before) !== JSON.stringify(change.after));
  claimEqual(
    `${write.title}: the invalidation event`,
    reported.flatMap(event => event.tables).map(change => ({ ...change, table: shortName(change.table) })),
    changes.length > 0 ? [{ table: write.table, ...numbersOf(changes), all: false }] : [],
  );
  return changes;
}

export function numbersOf(changes: readonly RowChange[]) {
  const inserted = changes.filter(({ before }) => !before).length;
  const deleted = changes.filter(({ after }) => !after).length;
  return { inserted, updated: changes.length - inserted - deleted, deleted };
}

/** Without the cache, by primary key. */
async function rowsOf(write: Write, orm: Orm): Promise<Map<unknown, Row>> {
  const entities = await getCacheops(orm).disabled(() => write.rows(orm.em.fork()));
  return new Map(
    entities.map(entity => [wrap(entity, true).getPrimaryKey(), wrap(entity).toObject() as unknown as Row]),
  );
}

/** A table's name without its database and schema. */
function shortName(table: string): string {
  return table.replace(/^.*[/.]/, '');
}
