import fc from 'fast-check';
import { record, seldom, someOf } from './arbitrary.js';
import { type AggregateRead, aggregateReads, type BuilderRead, builderReads } from './builder_reads.js';
import { conditions, keyOf, type Where, wheres } from './conditions.js';
import { type Kind, modelOf } from './model.js';
import { kindsOf, type Topic } from './topics.js';

/** A read that any EntityManager can make. */
export type Read = Query | ListRead | ReferenceRead | PopulateRead | BuilderRead | AggregateRead;

export interface Query {
  readonly kind: 'query';
  readonly how:
    | 'find'
    | 'findAll'
    | 'findOne'
    | 'findOneOrFail'
    | 'findAndCount'
    | 'findByCursor'
    | 'count'
    | 'countBy'
    | 'exists';
  readonly entity: Kind;
  readonly where: Where;
  readonly options: Options;
  readonly caching: Caching;
  /** parameter of the EntityManager's filter `tenant` */
  readonly tenant: number;
}

/** A collection of one entity. */
export interface ListRead {
  readonly kind: 'collection';
  readonly how: 'init' | 'load' | 'matching' | 'loadItems' | 'loadCount';
  readonly entity: Kind;
  readonly owner: Where;
  readonly collection: string;
  readonly where: Where | undefined;
  readonly options: Options;
  readonly tenant: number;
}

/** A row by its reference, or by a reference in another row. */
export interface ReferenceRead {
  readonly kind: 'reference';
  readonly entity: Kind;
  readonly key: Where;
  readonly relation: string | undefined;
  readonly options: Options;
  readonly tenant: number;
}

/** Relations that are populated after the find. */
export interface PopulateRead {
  readonly kind: 'populate';
  readonly entity: Kind;
  readonly where: Where;
  readonly populate: readonly string[];
  readonly options: Options;
  readonly tenant: number;
}

export type Options = Readonly<Record<string, unknown>>;

/** How a read asks for caching, or against it. */
export type Caching =
  | 'profile'
  | 'call'
  | 'repository'
  | 'repository of some ops'
  | 'not'
  | 'not, by repository';

const caching: fc.Arbitrary<Caching> = fc.oneof(
  { weight: 12, arbitrary: fc.constant<Caching>('profile') },
  {
    weight: 3,
    arbitrary: fc.constantFrom<Caching>(
      'call',
      'repository',
      'repository of some ops',
      'not',
      'not, by repository',
    ),
  },
);

const tenant = fc.constantFrom(1, 2);
const HINTS: Readonly<Partial<Record<Kind, readonly string[]>>> = {
  Article: [
    'author',
    'category',
    'tags',
    'comments',
    'comments.author',
    'translations',
    'category.parent',
    'tags:ref',
    'author:ref',
  ],
  ArticleTranslation: ['article', 'article.author', 'article.tags'],
  Author: ['articles', 'articles.category', 'articles.tags'],
  Category: ['parent', 'children', 'parent.parent', 'children.children'],
  Comment: ['article', 'author', 'article.category'],
  Tag: ['articles', 'articles.author', 'articles:ref'],
  Project: ['lead', 'budget', 'tasks', 'tasks.watchers', 'lead.articles'],
  Budget: ['project', 'project.tasks', 'project.lead'],
  Task: ['project', 'after', 'watchers', 'project.lead', 'notes', 'watchers:ref'],
  Bundle: ['measure', 'wording', 'measure.bundles'],
  Measure: ['bundles', 'bundles.wording'],
  Wording: ['bundles', 'bundles.measure'],
  Vehicle: ['shelf', 'shelf.items'],
  Taxi: ['shelf', 'shelf.favourites'],
  Being: ['eats', 'eats.eats'],
  Dog: ['eats'],
  Shelf: ['items', 'placements', 'favourites', 'remarks', 'placements.item', 'items.goesWith'],
  Item: ['goesWith', 'suits', 'shelves', 'remarks', 'goesWith.suits', 'suits:ref'],
  Placement: ['shelf', 'item', 'item.remarks', 'shelf.favourites'],
  Remark: ['subject'],
};

function hints(kind: Kind): fc.Arbitrary<readonly string[] | undefined> {
  const all = HINTS[kind];
  return all ? seldom(1, someHints(all, 3)) : fc.constant(undefined);
}

/** A relation is not loaded both as references and as entities. */
function someHints(all: readonly string[], max: number): fc.Arbitrary<readonly string[]> {
  return someOf(all, 1, max).map(some =>
    some.filter(
      hint =>
        !hint.endsWith(':ref') ||
        !some.some(other => relationOf(other) === relationOf(hint) && other !== hint),
    ),
  );
}

function relationOf(hint: string): string {
  return hint.split(/[.:]/)[0]!;
}

const strategy = seldom(3, fc.constantFrom('joined', 'select-in', 'balanced'));

function byKey(kind: Kind): Record<string, unknown>[] {
  return Object.keys(modelOf(kind).key).map(name => ({ [name]: 'asc' }));
}

function order(kind: Kind): fc.Arbitrary<Record<string, unknown>[]> {
  const { fields, toOne } = modelOf(kind);
  const keys = byKey(kind);
  const names = Object.keys(fields).filter(name => !fields[name]!.silent || fields[name]!.ordered);
  const direction = fc.constantFrom('asc', 'desc', 'asc nulls first', 'desc nulls last');
  const byField = fc
    .tuple(fc.constantFrom(...names), direction)
    .map(([name, how]) => [{ [name]: how }, ...keys]);
  const relations = Object.keys(toOne);
  const byRelation = fc
    .constantFrom(...relations, 'id')
    .map(name => (name === 'id' ? keys : [{ [name]: { id: 'desc' } }, ...keys]));
  return fc.oneof(
    { weight: 2, arbitrary: fc.constant(keys) },
    { weight: 4, arbitrary: byField },
    { weight: 1, arbitrary: byRelation },
  );
}

/** What is loaded of the entities: `fields`, `exclude` or everything. */
function selection(kind: Kind): fc.Arbitrary<Options> {
  const model = modelOf(kind);
  // without the discriminator, the ORM cannot choose the class
  const own = [...Object.keys(model.fields), ...Object.keys(model.toOne)].filter(name => name !== 'type');
  const deep = Object.entries(model.toOne).flatMap(([name, { target }]) =>
    Object.keys(modelOf(target()).fields)
      .slice(0, 2)
      .map(field => `${name}.${field}`),
  );
  const some = someOf([...own, ...deep], 1, 4);
  return fc.oneof(
    { weight: 6, arbitrary: fc.constant({}) },
    { weight: 2, arbitrary: some.map(fields => ({ fields })) },
    { weight: 1, arbitrary: someOf(own, 1, 3).map(exclude => ({ exclude })) },
  );
}

function filters(kind: Kind): fc.Arbitrary<Options> {
  const names = modelOf(kind).filters;
  if (!names) {
    return fc.constant({});
  }
  return fc.oneof(
    { weight: 2, arbitrary: fc.constant({}) },
    { weight: 2, arbitrary: fc.constant({ filters: ['tenant'] }) },
    { weight: 1, arbitrary: fc.constantFrom(1, 2).map(t => ({ filters: { tenant: { tenant: t } } })) },
    ...(names.includes('open') ? [{ weight: 1, arbitrary: fc.constant({ filters: { open: true } }) }] : []),
  );
}

function window(how: Query['how'], kind: Kind): fc.Arbitrary<Options> {
  if (how === 'findByCursor') {
    return fc.oneof(
      fc.integer({ min: 1, max: 3 }).map(first => ({ first })),
      fc.integer({ min: 1, max: 3 }).map(last => ({ last })),
      fc
        .tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 5 }))
        .map(([first, id]) => ({ first, after: { id } })),
      fc
        .tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 5 }))
        .map(([last, id]) => ({ last, before: { id } })),
      fc.integer({ min: 1, max: 3 }).map(first => ({ first, includeCount: false })),
      ...cursorsByField(kind),
    );
  }
  if (how !== 'find' && how !== 'findAll' && how !== 'findAndCount') {
    return fc.constant({});
  }
  return fc.oneof(
    { weight: 4, arbitrary: fc.constant({}) },
    { weight: 2, arbitrary: fc.integer({ min: 1, max: 3 }).map(limit => ({ limit })) },
    {
      weight: 1,
      arbitrary: fc
        .tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 0, max: 3 }))
        .map(([limit, offset]) => ({ limit, offset })),
    },
  );
}

/** Cursors in the order of a property, starting at a value that may be missing. */
function cursorsByField(kind: Kind): fc.Arbitrary<Options>[] {
  const { fields, key } = modelOf(kind);
  return Object.entries(fields)
    .filter(([, { ordered, silent, nullable }]) => ordered && !silent && !nullable)
    .map(([name, { values }]) =>
      fc
        .tuple(fc.integer({ min: 1, max: 3 }), values.stored, key.id!.stored)
        .chain(([number, value, id]) =>
          fc
            .constantFrom(
              { first: number, after: { [name]: value, id } },
              { last: number, before: { [name]: value, id } },
            )
            .map(page => ({ ...page, orderBy: { [name]: 'asc', id: 'asc' } })),
        ),
    );
}

function query(kind: Kind, topic: Topic): fc.Arbitrary<Query> {
  const hows = [
    'find',
    'find',
    'find',
    'findAll',
    'findOne',
    'findOne',
    'findOneOrFail',
    'findAndCount',
    'count',
    'count',
    'countBy',
    'exists',
  ] as const;
  const how = fc.constantFrom(
    ...hows,
    ...(Object.keys(modelOf(kind).key).length === 1 ? (['findByCursor'] as const) : []),
  );
  return how.chain(how => {
    const base = {
      kind: fc.constant('query' as const),
      how: fc.constant(how),
      entity: fc.constant(kind),
      where: wheres(kind, topic),
      caching,
      tenant,
    };
    if (how === 'count' || how === 'exists') {
      const options = fc.tuple(filters(kind), unions(kind, topic)).map(parts => Object.assign({}, ...parts));
      return record({ ...base, options: how === 'count' ? options : fc.constant({}) });
    }
    if (how === 'countBy') {
      const groups = ['Article', 'Comment', 'Task'].includes(kind)
        ? (Object.keys(modelOf(kind).toOne)[0] as string)
        : Object.keys(modelOf(kind).fields)[0]!;
      return record({ ...base, options: fc.constant({ groupBy: groups }) });
    }
    const options = fc
      .tuple(
        hints(kind),
        strategy,
        fc.boolean(),
        order(kind),
        selection(kind),
        filters(kind),
        window(how, kind),
        unions(kind, topic),
      )
      .map(([populate, strategy, sorted, given, ...rest]) => {
        const others = Object.assign({}, ...rest);
        // without ORDER BY, the cache cannot know which rows LIMIT takes
        const limited = how.startsWith('findOne') || 'limit' in others;
        const cursor = how === 'findByCursor' ? { id: 'asc' } : undefined;
        const orderBy = cursor ?? (sorted || limited ? given : undefined);
        return defined({ populate, strategy, orderBy, ...others });
      })
      .chain(options => populating(kind, options));
    return record({ ...base, options });
  });
}

/** Alternative conditions, each queried separately. */
function unions(kind: Kind, topic: Topic): fc.Arbitrary<Options> {
  const branches = fc.array(wheres(kind, topic), { minLength: 1, maxLength: 2 });
  return seldom(
    11,
    record({ unionWhere: branches, unionWhereStrategy: fc.constantFrom('union', 'union-all') }),
  ).map(options => options ?? {});
}

/** Selects and orders the populated rows. */
function populating(kind: Kind, options: Options): fc.Arbitrary<Options> {
  const hints = options.populate as readonly string[] | undefined;
  const hint = hints?.find(name => targetOf(kind, name));
  if (!hint) {
    return fc.constant(options);
  }
  const target = targetOf(kind, hint)!;
  const some = conditions(target, 0).map(condition => ({ [hint]: condition }));
  return fc
    .oneof<fc.MaybeWeightedArbitrary<Options>[]>(
      { weight: 6, arbitrary: fc.constant({}) },
      { weight: 1, arbitrary: fc.constantFrom('all', 'infer').map(populateWhere => ({ populateWhere })) },
      { weight: 1, arbitrary: some.map(populateWhere => ({ populateWhere })) },
      { weight: 1, arbitrary: some.map(populateFilter => ({ populateFilter })) },
      {
        weight: 1,
        arbitrary: order(target).map(([first]) => ({ populateOrderBy: { [hint]: first } })),
      },
    )
    .map(more => ({ ...options, ...more }));
}

function targetOf(kind: Kind, relation: string): Kind | undefined {
  const { toOne, toMany } = modelOf(kind);
  return (toOne[relation] ?? toMany[relation])?.target();
}

function collectionRead(kind: Kind): fc.Arbitrary<ListRead> {
  const { toMany } = modelOf(kind);
  return fc.constantFrom(...Object.keys(toMany)).chain(collection => {
    const target = toMany[collection]!.target();
    return fc.constantFrom('init', 'load', 'matching', 'loadItems', 'loadCount').chain(how => {
      const narrowed = how === 'init' || how === 'matching' || how === 'loadCount';
      const options: fc.Arbitrary<Options> =
        how === 'loadCount'
          ? fc.constant({})
          : fc
              .tuple(
                hints(target),
                how === 'matching' ? window('find', target) : fc.constant({}),
                how === 'init' || how === 'matching' ? seldom(1, order(target)) : fc.constant(undefined),
              )
              .map(([populate, limits, orderBy]) =>
                defined({
                  populate,
                  ...limits,
                  orderBy: orderBy ?? ('limit' in limits ? byKey(target) : undefined),
                }),
              );
      return record({
        kind: fc.constant('collection' as const),
        how: fc.constant(how as ListRead['how']),
        entity: fc.constant(kind),
        owner: keyOf(kind),
        collection: fc.constant(collection),
        where: narrowed ? seldom(1, conditions(target, 1)) : fc.constant(undefined),
        options,
        tenant,
      });
    });
  });
}

function referenceRead(kind: Kind): fc.Arbitrary<ReferenceRead> {
  const { toOne } = modelOf(kind);
  const names = Object.keys(toOne);
  return fc
    .oneof(fc.constant(undefined), names.length > 0 ? fc.constantFrom(...names) : fc.constant(undefined))
    .chain(relation => {
      const target = relation ? toOne[relation]!.target() : kind;
      return record({
        kind: fc.constant('reference' as const),
        entity: fc.constant(kind),
        key: keyOf(kind),
        relation: fc.constant(relation),
        options: hints(target).map(populate => defined({ populate })),
        tenant,
      });
    });
}

function populateRead(kind: Kind): fc.Arbitrary<PopulateRead> {
  return record({
    kind: fc.constant('populate' as const),
    entity: fc.constant(kind),
    where: conditions(kind, 0),
    populate: someHints(HINTS[kind]!, 2),
    options: fc.tuple(strategy, filters(kind)).map(([strategy, rest]) => defined({ strategy, ...rest })),
    tenant,
  });
}

export function reads(topic: Topic): fc.Arbitrary<Read> {
  const kinds = kindsOf(topic);
  const withLists = topic.kinds.filter(kind => Object.keys(modelOf(kind).toMany).length > 0);
  const withHints = topic.kinds.filter(kind => HINTS[kind]);
  return fc.oneof(
    { weight: 12, arbitrary: kinds.chain(kind => query(kind, topic)) },
    { weight: 2, arbitrary: kinds.chain(referenceRead) },
    { weight: 3, arbitrary: kinds.chain(kind => builderReads(kind, topic)) },
    { weight: 1, arbitrary: kinds.chain(kind => aggregateReads(kind, topic)) },
    ...(withLists.length > 0
      ? [{ weight: 3, arbitrary: fc.constantFrom(...withLists).chain(collectionRead) }]
      : []),
    ...(withHints.length > 0
      ? [{ weight: 2, arbitrary: fc.constantFrom(...withHints).chain(populateRead) }]
      : []),
  );
}

function defined(options: Record<string, unknown>): Options {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}
