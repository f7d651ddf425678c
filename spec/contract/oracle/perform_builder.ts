import type { EntityManager } from '@mikro-orm/core';
import { raw } from '@mikro-orm/core';
import type { AggregateRead, BuilderRead } from './builder_reads.js';
import { fresh } from './fresh.js';
import { entityOf, modelOf } from './model.js';

export async function performBuilderRead(em: EntityManager, read: BuilderRead): Promise<unknown> {
  const { how, entity, join } = read;
  const builder = (em as any).createQueryBuilder(entityOf(em, entity), 'e');
  if (read.select) {
    builder.select(read.select.map(name => `e.${name}`));
  } else {
    builder.select('*');
  }
  if (join?.how === 'select') {
    builder.leftJoinAndSelect(`e.${join.relation}`, 'j');
  } else if (join) {
    builder[join.how === 'left' ? 'leftJoin' : 'innerJoin'](`e.${join.relation}`, 'j');
  }
  builder.where(fresh(read.where));
  if (read.orderBy && how !== 'getCount') {
    builder.orderBy(fresh(read.orderBy));
  }
  if (read.limit && how !== 'getCount') {
    builder.limit(read.limit);
  }
  return how === 'execute' ? builder.execute('all') : builder[how]();
}

export async function performAggregate(em: EntityManager, read: AggregateRead): Promise<unknown> {
  const { entity, groupBy, over, functions, atLeast } = read;
  const builder = (em as any).createQueryBuilder(entityOf(em, entity), 'e');
  const column = modelOf(entity).fields[over]?.column ?? over;
  const numbers = functions.map((name, i) =>
    name === 'count distinct'
      ? raw(`count(distinct e.??) as n${i}`, [column])
      : raw(`${name}(e.??) as n${i}`, [column]),
  );
  builder.select([...(groupBy ? [`e.${groupBy}`] : []), ...numbers]).where(fresh(read.where));
  if (groupBy) {
    builder.groupBy(`e.${groupBy}`);
    if (atLeast) {
      builder.having(raw('count(*) >= ?', [atLeast]));
    }
  }
  return builder.execute('all');
}
