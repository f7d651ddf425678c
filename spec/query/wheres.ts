import fc, { type Arbitrary } from 'fast-check';

type Where = Record<string, unknown>;

/** A question about the blog of `fixtures/legacy`, answered by one statement. */
export interface Question {
  readonly entity: string;
  readonly where: Where;
  readonly options: Record<string, unknown>;
}

// few values, so that rows match
const NUMBERS = [1, 2, 3];
const NAMES = ['a', 'b', 'c'];
const DATES = ['2024-01-01', '2024-01-02'];

/** Equality with a value in all its forms, and other operators. */
function column(values: readonly unknown[], nullable = false): Arbitrary<unknown> {
  const value = fc.constantFrom(...(nullable ? [...values, null] : values));
  const some = fc.subarray([...values]);
  return fc.oneof(
    { arbitrary: value, weight: 8 },
    fc.record({ $eq: value }),
    { arbitrary: fc.record({ $in: some }), weight: 2 },
    { arbitrary: fc.record({ $ne: value }), weight: 3 },
    fc.record({ $nin: some }),
    fc.record({ $gt: fc.constantFrom(...values) }),
    fc.record({ $in: some, $ne: value }),
    fc.record({ $not: fc.record({ $eq: value }) }),
  );
}

/** One or two of these. */
function allOf(entries: Record<string, Arbitrary<unknown>>): Arbitrary<Where> {
  const names = Object.keys(entries);
  return fc
    .subarray(names, { minLength: 1, maxLength: Math.min(names.length, 2) })
    .chain(chosen => fc.record(Object.fromEntries(chosen.map(name => [name, entries[name]!]))));
}

function grouped(entries: Record<string, Arbitrary<unknown>>, inner: Arbitrary<Where>): Arbitrary<Where> {
  const conditions = allOf(entries);
  const parts = fc.array(inner, { minLength: 1, maxLength: 2 });
  return fc.oneof(
    { arbitrary: conditions, weight: 6 },
    fc.record({ $and: parts }),
    { arbitrary: fc.record({ $or: parts }), weight: 2 },
    { arbitrary: fc.record({ $not: inner }), weight: 3 },
    fc.tuple(conditions, parts).map(([own, $or]) => ({ ...own, $or })),
  );
}

function toOne(target: Arbitrary<Where>): Arbitrary<unknown> {
  return fc.oneof(
    { arbitrary: target, weight: 3 },
    { arbitrary: column(NUMBERS, true), weight: 2 },
    fc.record({ id: column(NUMBERS) }),
    fc.record({ $or: fc.array(target, { minLength: 1, maxLength: 2 }) }),
  );
}

function toMany(target: Arbitrary<Where>): Arbitrary<unknown> {
  return fc.oneof(
    { arbitrary: target, weight: 4 },
    fc.record({ $some: target }),
    fc.record({ $none: target }),
    fc.record({ $every: target }),
    fc.constant({ $none: {} }),
  );
}

const COLUMNS: Record<string, Record<string, Arbitrary<unknown>>> = {
  Article: {
    id: column(NUMBERS),
    title: column(NAMES),
    slug: column(NAMES, true),
    status: column(['draft', 'published']),
    price: column(['1', '1.00', '2.5'], true),
    publishedAt: column(
      DATES.map(date => new Date(date)),
      true,
    ),
    views: column([0n, 1n]),
  },
  Author: {
    id: column(NUMBERS),
    name: column(NAMES),
    bornOn: column(DATES, true),
    home: fc.record({ city: column(NAMES) }),
    office: fc.record({ city: fc.constantFrom(...NAMES) }),
  },
  Category: { id: column(NUMBERS), name: column(NAMES) },
  Comment: { text: column(NAMES), approved: column([true, false]) },
  Tag: { name: column(NAMES) },
  ArticleTranslation: { locale: column(NAMES), title: column(NAMES) },
  Post: { title: column(NAMES), pinned: column([true, false], true) },
};

export const TO_ONE: Record<string, Record<string, string>> = {
  Article: { category: 'Category', author: 'Author' },
  Category: { parent: 'Category' },
  Comment: { author: 'Author', article: 'Article' },
  ArticleTranslation: { article: 'Article' },
};

export const TO_MANY: Record<string, Record<string, string>> = {
  Article: { tags: 'Tag', comments: 'Comment', translations: 'ArticleTranslation' },
  Author: { articles: 'Article' },
  Category: { children: 'Category' },
  Tag: { articles: 'Article' },
};

/** @param depth the maximum nesting of relations and groups */
function where(entity: string, depth = 2): Arbitrary<Where> {
  const columns = COLUMNS[entity]!;
  if (depth === 0) {
    return allOf(columns);
  }
  const relations = (
    of: Record<string, string> | undefined,
    condition: (target: Arbitrary<Where>) => Arbitrary<unknown>,
  ) =>
    Object.fromEntries(
      Object.entries(of ?? {}).map(([name, target]) => [name, condition(where(target, depth - 1))]),
    );
  const entries = { ...columns, ...relations(TO_ONE[entity], toOne), ...relations(TO_MANY[entity], toMany) };
  return grouped(entries, where(entity, depth - 1));
}

const RELATIONS = {
  Article: [
    'author',
    'category',
    'category.parent',
    'category.children',
    'tags',
    'comments',
    'comments.author',
    'translations',
  ],
  Author: ['articles', 'articles.category', 'articles.tags'],
  Category: ['parent', 'children', 'parent.children', 'children.parent'],
  Comment: ['author', 'article', 'article.category', 'article.author'],
  Tag: ['articles', 'articles.author'],
  ArticleTranslation: ['article', 'article.category'],
  Post: [],
} as const;

function about(entity: keyof typeof RELATIONS): Arbitrary<Question> {
  const options = fc.record({
    populate: fc.subarray([...RELATIONS[entity]]),
    populateWhere: fc.constantFrom('all', 'infer'),
    limit: fc.constantFrom(undefined, undefined, 1, 2),
  });
  return fc.record({
    entity: fc.constant(entity),
    where: where(entity),
    options: options.map(given => ({
      ...given,
      strategy: 'joined',
      orderBy: { [entity === 'ArticleTranslation' ? 'locale' : 'id']: 'asc' },
    })),
  });
}

export const question: Arbitrary<Question> = fc.oneof(
  { arbitrary: about('Article'), weight: 3 },
  about('Author'),
  { arbitrary: about('Category'), weight: 3 },
  about('Comment'),
  about('Tag'),
  about('ArticleTranslation'),
  about('Post'),
);
