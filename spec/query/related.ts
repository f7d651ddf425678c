import fc, { type Arbitrary } from 'fast-check';
import type { Asked } from './asked.js';
import { TO_MANY, TO_ONE } from './wheres.js';

type Where = Record<string, unknown>;

/*
 * Simple questions about relations. The blog has so few rows that none satisfies a complex question, and changes of
 * rows outside the result do not matter.
 */

const name = fc.constantFrom('a', 'b', 'c');

/** Conditions on a text: equality, conditions that a row decides, and conditions that are not understood. */
const text: Arbitrary<unknown> = fc.oneof(
  { arbitrary: name, weight: 4 },
  { arbitrary: name.map(value => ({ $ne: value })), weight: 2 },
  fc.subarray(['a', 'b', 'c'], { minLength: 2, maxLength: 2 }).map($in => ({ $in })),
  { arbitrary: name.map(value => ({ $ilike: `${value}%` })), weight: 2 },
);

const OWN: Record<string, Arbitrary<Where>> = {
  Article: fc.oneof(
    text.map(title => ({ title })),
    fc.constantFrom('draft', 'published').map(status => ({ status })),
    fc.constantFrom(0n, 1n).map(views => ({ views: { $gte: views } })),
  ),
  Author: text.map(value => ({ name: value })),
  Category: text.map(value => ({ name: value })),
  Tag: text.map(value => ({ name: value })),
  Comment: fc.oneof(
    text.map(value => ({ text: value })),
    fc.boolean().map(approved => ({ approved })),
  ),
  ArticleTranslation: text.map(title => ({ title })),
};

/** Conditions on the rows of a relation, or of a relation behind that. */
function related(entity: string, deep = true): Arbitrary<Where> {
  const one = Object.entries(TO_ONE[entity] ?? {}).map(([relation, target]) =>
    condition(target, deep).map(where => ({ [relation]: where })),
  );
  const many = Object.entries(TO_MANY[entity] ?? {}).map(([relation, target]) =>
    fc
      .tuple(fc.constantFrom('', '', '$some', '$none', '$every'), condition(target, false))
      .map(([operator, where]) => ({ [relation]: operator ? { [operator]: where } : where })),
  );
  return fc.oneof(...one, ...many) as Arbitrary<Where>;
}

function condition(entity: string, deep: boolean): Arbitrary<Where> {
  return deep && entity in TO_ONE
    ? fc.oneof({ arbitrary: OWN[entity]!, weight: 4 }, related(entity, false))
    : OWN[entity]!;
}

function where(entity: string): Arbitrary<Where> {
  const own = OWN[entity]!;
  const relation = related(entity);
  return fc.oneof(
    { arbitrary: relation, weight: 4 },
    { arbitrary: fc.tuple(own, relation).map(([a, b]) => ({ ...a, ...b })), weight: 4 },
    { arbitrary: own, weight: 1 },
    fc.tuple(relation, relation).map(parts => ({ $and: parts })),
    fc.tuple(own, relation).map(parts => ({ $or: parts })),
    fc.tuple(own, relation).map(([$not, rest]) => ({ ...rest, $not })),
    relation.map($not => ({ $not })),
  );
}

function about(entity: string): Arbitrary<Asked> {
  const key = entity === 'ArticleTranslation' ? ['article', 'locale'] : ['id'];
  const relations = Object.keys({ ...TO_ONE[entity], ...TO_MANY[entity] });
  const sorted = fc.constantFrom(...Object.keys(SORTED[entity]!));
  const page = fc
    .record({ by: sorted, limit: fc.constantFrom(1, 2, 3), offset: fc.constantFrom(undefined, undefined, 1) })
    .map(({ by, limit, offset }) => ({
      limit,
      ...(offset && { offset }),
      orderBy: [{ [by]: 'asc' }, ...key.map(column => ({ [column]: 'desc' }))],
    }));
  const options = fc
    .tuple(
      fc.oneof(
        { arbitrary: fc.constant([]), weight: 2 },
        fc.constantFrom(...relations).map(each => [each]),
      ),
      fc.option(page, { nil: {}, freq: 1 }),
      fc.constantFrom('all', 'infer'),
    )
    .map(([populate, paged, populateWhere]) => ({ populate, populateWhere, strategy: 'joined', ...paged }));
  return fc.record({
    entity: fc.constant(entity),
    where: where(entity),
    options: options as Arbitrary<Record<string, unknown>>,
    counts: fc.nat(3).map(n => n === 0),
  });
}

const SORTED: Record<string, Where> = {
  Article: { title: 1, views: 1, price: 1 },
  Author: { name: 1 },
  Category: { name: 1 },
  Tag: { name: 1 },
  Comment: { text: 1 },
  ArticleTranslation: { title: 1 },
};

export const askedOfRelations: Arbitrary<Asked> = fc.oneof(
  { arbitrary: about('Article'), weight: 4 },
  ...['Author', 'Category', 'Tag', 'Comment', 'ArticleTranslation'].map(about),
);
