import { type Collection, type EntityManager, Reference, wrap } from '@mikro-orm/core';
import { fresh } from './fresh.js';
import { entityOf, type Kind, modelOf } from './model.js';
import { performAggregate, performBuilderRead } from './perform_builder.js';
import type { Caching, ListRead, PopulateRead, Query, Read, ReferenceRead } from './reads.js';

/**
 * Makes a read.
 *
 * @param cached whether the EntityManager has a cache, and takes options for it
 */
export async function performRead(em: EntityManager, read: Read, cached: boolean): Promise<unknown> {
  em.setFilterParams('tenant', { tenant: read.tenant });
  switch (read.kind) {
    case 'query':
      return query(em, read, cached);
    case 'collection':
      return collection(em, read);
    case 'reference':
      return reference(em, read);
    case 'populate':
      return populate(em, read);
    case 'builder':
      return performBuilderRead(em, read);
    case 'aggregate':
      return performAggregate(em, read);
  }
}

async function query(em: EntityManager, read: Query, cached: boolean): Promise<unknown> {
  const { how, entity, caching } = read;
  const where = fresh(read.where);
  const options: any = fresh(read.options);
  if (cached && caching === 'call') {
    options.cacheops = { timeout: 100 };
  } else if (cached && caching === 'not') {
    options.cacheops = false;
  }
  const repository: any = cached ? scoped(em, entity, caching) : em.getRepository(entityOf(em, entity));
  const all = { ...options, where };
  switch (how) {
    case 'findAll':
    case 'findByCursor':
      return repository[how](all);
    case 'countBy': {
      const { groupBy, ...rest } = all;
      return (em as any).countBy(entityOf(em, entity), groupBy, rest);
    }
    case 'exists':
      // the method exists only with the extension
      return cached ? repository.exists(where, options) : (await repository.count(where, options)) > 0;
    default:
      return repository[how](where, options);
  }
}

function scoped(em: EntityManager, kind: Kind, caching: Caching): unknown {
  const repository = em.getRepository(entityOf(em, kind));
  switch (caching) {
    case 'repository':
      return repository.cache({ timeout: 50 });
    case 'repository of some ops':
      return repository.cache({ ops: ['get', 'count'] });
    case 'not, by repository':
      return repository.nocache();
    default:
      return repository;
  }
}

async function collection(em: EntityManager, read: ListRead): Promise<unknown> {
  const owner: any = await em.findOne(entityOf(em, read.entity), fresh(read.owner));
  const list: Collection<any> | undefined = owner?.[read.collection];
  if (!list) {
    return undefined;
  }
  const options: any = { ...fresh(read.options), ...(read.where && { where: fresh(read.where) }) };
  switch (read.how) {
    case 'load':
      return (await list.load(options)).getItems();
    case 'init':
      return (await list.init(options)).getItems();
    case 'loadItems':
      return list.loadItems(options);
    case 'loadCount':
      return list.loadCount(options);
    case 'matching':
      return list.matching(options);
  }
}

async function reference(em: EntityManager, read: ReferenceRead): Promise<unknown> {
  const { key, relation } = read;
  const options: any = fresh(read.options);
  if (!relation) {
    const values = Object.keys(modelOf(read.entity).key).map(name => key[name]);
    const held = em.getReference(
      entityOf(em, read.entity),
      (values.length > 1 ? values : values[0]) as never,
    );
    return wrap(held).init(options);
  }
  const holder: any = await em.findOne(entityOf(em, read.entity), fresh(key));
  const held = holder?.[relation];
  return held && (Reference.isReference(held) ? held.load(options) : wrap(held).init(options));
}

async function populate(em: EntityManager, read: PopulateRead): Promise<unknown> {
  const { filters, ...options } = fresh(read.options) as any;
  const list = await em.find(entityOf(em, read.entity), fresh(read.where), { filters });
  return em.populate(list, [...read.populate] as never, { ...options, filters });
}
