import type { AnyEntity, Collection } from '@mikro-orm/core';
import type { SqlEntityManager } from '@mikro-orm/postgresql';
import { Slug } from '../../../fixtures/legacy/slug.js';
import type { Where } from './conditions.js';
import { fresh } from './fresh.js';
import { entityOf, type Kind, modelOf } from './model.js';
import { Pointer } from './pointer.js';
import type { Data } from './rows.js';
import type { Copy, Delete, Insert, ListEdit, Update, Upsert, Write } from './writes.js';

/** Makes a write. Its rows may be missing. */
export async function performWrite(em: SqlEntityManager, write: Write): Promise<unknown> {
  switch (write.kind) {
    case 'create':
      em.create(entityOf(em, write.entity), resolved(em, write.data) as never);
      return write.flush && em.flush();
    case 'edit': {
      const { pick } = write;
      const entity =
        typeof pick === 'number'
          ? pickFrom(em, write.entity, pick)
          : await em.findOne(entityOf(em, write.entity), fresh(pick));
      if (entity) {
        em.assign(entity, resolved(em, write.data) as never);
      }
      return write.flush && em.flush();
    }
    case 'remove': {
      const entity = pickFrom(em, write.entity, write.pick);
      if (entity) {
        em.remove(entity);
      }
      return write.flush && em.flush();
    }
    case 'list':
      return editList(em, write);
    case 'flush':
      return em.flush();
    case 'clear':
      return em.clear();
    case 'insert':
      return insert(em, write);
    case 'update':
      return update(em, write);
    case 'delete':
      return remove(em, write);
    case 'upsert':
      return upsert(em, write);
    case 'clone':
      return em.clone(entityOf(em, write.entity), fresh(write.where), fresh(write.data) as never);
    case 'copy':
      return copy(em, write);
    case 'truncate':
      return (em as any).createQueryBuilder(entityOf(em, write.entity)).truncate().execute();
    case 'sql':
      return em.execute(write.sql, fresh(write.parameters) as unknown[]);
  }
}

/** Replaces pointers by entities. */
function resolved(em: SqlEntityManager, data: Data): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(data).map(([name, value]) => [
      name,
      value instanceof Pointer ? referenceTo(em, value.entity, { id: value.id }) : fresh(value),
    ]),
  );
}

/** Whether the write changes only memory until the next flush. */
export function staysInMemory(write: Write): boolean {
  return 'flush' in write && !write.flush;
}

function pickFrom(em: SqlEntityManager, kind: Kind, pick: number | Where): AnyEntity | undefined {
  if (typeof pick !== 'number') {
    return referenceTo(em, kind, pick);
  }
  const known = [...em.getUnitOfWork().getIdentityMap()].filter(
    entity => entity instanceof entityOf(em, kind),
  );
  return known.length > 0 ? (known[pick % known.length] as AnyEntity) : undefined;
}

function referenceTo(em: SqlEntityManager, kind: Kind, key: Where): AnyEntity {
  const values = Object.keys(modelOf(kind).key).map(name => key[name]);
  return em.getReference(entityOf(em, kind), (values.length > 1 ? values : values[0]) as never) as AnyEntity;
}

async function editList(em: SqlEntityManager, write: ListEdit): Promise<void> {
  const owner = pickFrom(em, write.entity, write.pick) as any;
  const list: Collection<any> | undefined = owner?.[write.collection];
  if (!list) {
    return;
  }
  // only `remove()` requires it
  if ((write.initialised || write.how === 'remove') && !list.isInitialized()) {
    await list.init();
  }
  const target = modelOf(write.entity).toMany[write.collection]!.target();
  const items = write.items.map(key => referenceTo(em, target, key));
  switch (write.how) {
    case 'add':
      list.add(items);
      break;
    case 'remove':
      list.remove(items);
      break;
    case 'set':
      list.set(items);
      break;
    case 'removeAll':
      list.removeAll();
      break;
  }
  if (write.flush) {
    await em.flush();
  }
}

async function insert(em: SqlEntityManager, { via, entity, rows }: Insert): Promise<unknown> {
  if (via === 'builder') {
    return (em as any).createQueryBuilder(entityOf(em, entity)).insert(fresh(rows)).execute();
  }
  return rows.length === 1
    ? em.insert(entityOf(em, entity), fresh(rows[0]) as never)
    : em.insertMany(entityOf(em, entity), fresh(rows) as never);
}

async function update(em: SqlEntityManager, { via, entity, where, data }: Update): Promise<unknown> {
  switch (via) {
    case 'em':
      return em.nativeUpdate(entityOf(em, entity), fresh(where), fresh(data) as never);
    case 'builder':
      if (Object.keys(data).length === 0) {
        return undefined;
      }
      return (em as any)
        .createQueryBuilder(entityOf(em, entity))
        .update(fresh(data))
        .where(fresh(where))
        .execute();
    case 'kysely': {
      const set = inColumns(entity, data);
      if (Object.keys(set).length === 0) {
        return undefined;
      }
      const statement = kysely(em).updateTable(modelOf(entity).table).set(set);
      return matching(statement, entity, where).execute();
    }
  }
}

async function remove(em: SqlEntityManager, { via, entity, where }: Delete): Promise<unknown> {
  switch (via) {
    case 'em':
      return em.nativeDelete(entityOf(em, entity), fresh(where));
    case 'builder':
      return (em as any).createQueryBuilder(entityOf(em, entity)).delete(fresh(where)).execute();
    case 'kysely':
      return matching(kysely(em).deleteFrom(modelOf(entity).table), entity, where).execute();
  }
}

async function copy(em: SqlEntityManager, { entity, where, columns }: Copy): Promise<unknown> {
  const class_ = entityOf(em, entity);
  const properties = em.getMetadata().get(class_).properties;
  // another version may lack some of them
  const names = columns.filter(name => name in properties);
  const source = (em as any).createQueryBuilder(class_).select(names).where(fresh(where));
  return (em as any).createQueryBuilder(class_).insertFrom(source, { columns: names }).execute();
}

async function upsert(
  em: SqlEntityManager,
  { via, entity, rows, ignore, options: given }: Upsert,
): Promise<unknown> {
  if (via === 'builder') {
    const key = Object.keys(modelOf(entity).key);
    const builder = (em as any).createQueryBuilder(entityOf(em, entity)).insert(fresh(rows)).onConflict(key);
    return (ignore ? builder.ignore() : builder.merge()).execute();
  }
  const options: any = ignore ? { onConflictAction: 'ignore' } : fresh(given);
  return rows.length === 1
    ? em.upsert(entityOf(em, entity), fresh(rows[0]) as never, options)
    : em.upsertMany(entityOf(em, entity), fresh(rows) as never, options);
}

function kysely(em: SqlEntityManager): any {
  return em.getKysely();
}

function matching(statement: any, kind: Kind, where: Where): any {
  return Object.entries(inColumns(kind, where)).reduce(
    (narrowed, [column, value]) => narrowed.where(column, value === null ? 'is' : '=', value),
    statement,
  );
}

/** The data by column, in the form that the database takes. */
function inColumns(kind: Kind, data: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const { fields, toOne, key } = modelOf(kind);
  return Object.fromEntries(
    Object.entries(data).map(([name, value]) => {
      // the keys `id` and `locale` are no relations
      const reference = toOne[name] || (name in key && name !== 'id' && name !== 'locale');
      const column = reference ? `${name}_id` : (fields[name]?.column ?? name);
      return [column, value instanceof Slug || typeof value === 'bigint' ? String(value) : fresh(value)];
    }),
  );
}
