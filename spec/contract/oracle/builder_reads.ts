import fc from 'fast-check';
import { record, seldom, someOf } from './arbitrary.js';
import { type Where, wheres } from './conditions.js';
import { type Kind, modelOf } from './model.js';
import type { Topic } from './topics.js';

/** A read through a query builder. */
export interface BuilderRead {
  readonly kind: 'builder';
  readonly how: 'getResult' | 'getResultAndCount' | 'getSingleResult' | 'getCount' | 'execute';
  readonly entity: Kind;
  readonly where: Where;
  readonly select: readonly string[] | undefined;
  /** a relation, and how it is joined */
  readonly join: { readonly how: 'select' | 'left' | 'inner'; readonly relation: string } | undefined;
  readonly orderBy: Readonly<Record<string, string>>[] | undefined;
  readonly limit: number | undefined;
  readonly tenant: number;
}

/** Aggregates over groups of rows. */
export interface AggregateRead {
  readonly kind: 'aggregate';
  readonly entity: Kind;
  readonly where: Where;
  readonly groupBy: string | undefined;
  readonly over: string;
  readonly functions: readonly ('count' | 'count distinct' | 'min' | 'max')[];
  readonly atLeast: number | undefined;
  readonly tenant: number;
}

const tenant = fc.constantFrom(1, 2);

export function builderReads(kind: Kind, topic: Topic): fc.Arbitrary<BuilderRead> {
  const { key, fields, toOne, toMany } = modelOf(kind);
  const keys = Object.keys(key);
  const own = Object.keys(fields).filter(name => !fields[name]!.silent && name !== 'type');
  const relations = [...Object.keys(toOne), ...Object.keys(toMany)];
  return record({
    kind: fc.constant('builder' as const),
    how: fc.constantFrom(
      'getResult',
      'getResult',
      'getResultAndCount',
      'getSingleResult',
      'getCount',
      'execute',
    ),
    entity: fc.constant(kind),
    where: wheres(kind, topic),
    select: seldom(
      3,
      someOf(own, 0, 2).map(names => [...keys, ...names]),
    ),
    join:
      relations.length > 0
        ? seldom(
            2,
            record({
              how: fc.constantFrom('select', 'select', 'left', 'inner'),
              relation: fc.constantFrom(...relations),
            }),
          )
        : fc.constant(undefined),
    orderBy: seldom(
      1,
      someOf(own, 0, 1).map(names => [...names, ...keys].map(name => ({ [`e.${name}`]: 'asc' }))),
    ),
    limit: seldom(3, fc.integer({ min: 1, max: 3 })),
    tenant,
  }).map(read => {
    const { orderBy, how, limit, join } = read;
    // without ORDER BY, the cache cannot know which rows LIMIT takes
    const isLimited = limit !== undefined || how === 'getSingleResult';
    return {
      ...read,
      orderBy: orderBy ?? (isLimited ? keys.map(name => ({ [`e.${name}`]: 'asc' })) : undefined),
      // the order of joined rows is unspecified as well
      limit: join && how === 'execute' ? undefined : limit,
    };
  }) as fc.Arbitrary<BuilderRead>;
}

export function aggregateReads(kind: Kind, topic: Topic): fc.Arbitrary<AggregateRead> {
  const { fields, toOne } = modelOf(kind);
  const sortable = Object.keys(fields).filter(name => fields[name]!.ordered && !fields[name]!.silent);
  const groups = [...Object.keys(fields).filter(name => !fields[name]!.silent), ...Object.keys(toOne)];
  const anything = groups.length > 0 ? groups : ['id'];
  return record({
    kind: fc.constant('aggregate' as const),
    entity: fc.constant(kind),
    where: wheres(kind, topic),
    groupBy: seldom(1, fc.constantFrom(...anything)),
    over: fc.constantFrom(...(sortable.length > 0 ? sortable : ['id'])),
    functions: someOf(['count', 'count distinct', 'min', 'max'] as const, 1, 2),
    atLeast: seldom(3, fc.integer({ min: 1, max: 2 })),
    tenant,
  });
}
