import {
  type AnyEntity,
  DriverException,
  type EntityMetadata,
  type EntityProperty,
  helper,
  Utils,
} from '@mikro-orm/core';
import type { SqlEntityManager } from '@mikro-orm/sql';
import type { Question } from './arbitrary.js';

/** An EntityManager's answer, as text. MikroORM may fail at what it finds, and then must fail at what is cached. */
export function answerOf(em: SqlEntityManager, question: Question): Promise<string> {
  return read(em, question).catch(error => {
    if (!(error instanceof DriverException)) {
      return String(error);
    }
    throw error;
  });
}

async function read(em: SqlEntityManager, question: Question): Promise<string> {
  const { entity, where, options, kind } = structuredClone(question);
  const name = entity as never;
  switch (kind) {
    case 'count':
      return String(await em.count(name, where as never));
    case 'both': {
      const [rows, count] = await em.findAndCount(name, where as never, options as never);
      return JSON.stringify([contentsOf(rows as object[]), count]);
    }
    default:
      return JSON.stringify(contentsOf((await em.find(name, where as never, options as never)) as object[]));
  }
}

/** Whether it is one statement, which sees one state of the database. */
export function isSingle({ kind, options }: Question): boolean {
  return kind !== 'both' && (options.strategy === 'joined' || (options.populate as unknown[]).length === 0);
}

function contentsOf(rows: readonly object[]): unknown[] {
  return rows.map(row => contentOf(row, []));
}

/** Everything that was loaded of an entity. */
function contentOf(entity: object, path: readonly object[]): unknown {
  const wrapped = helper(entity as AnyEntity);
  if (!wrapped.isInitialized() || path.includes(entity)) {
    return wrapped.getPrimaryKey();
  }
  const meta = wrapped.__meta as EntityMetadata;
  const behind = [...path, entity];
  return Object.fromEntries(
    (meta.props as EntityProperty[]).map(({ name }) => {
      const value = (entity as Record<string, any>)[name];
      if (Utils.isCollection(value)) {
        const items = value.isInitialized() ? value.getItems().map(item => contentOf(item, behind)) : '?';
        return [name, Array.isArray(items) ? items.map(item => JSON.stringify(item)).sort() : items];
      }
      return [name, Utils.isEntity(value) ? contentOf(value, behind) : value];
    }),
  );
}
