import fc, { type Arbitrary } from 'fast-check';
import { question } from './wheres.js';

/** A question in one of its forms. */
export interface Asked {
  readonly entity: string;
  readonly where: object;
  readonly options: Record<string, unknown>;
  /** counts rows */
  readonly counts: boolean;
}

const FIELDS: Record<string, readonly string[]> = {
  Article: ['title', 'price', 'views', 'author', 'category'],
  Author: ['name', 'bornOn'],
  Category: ['name', 'parent'],
  Comment: ['text', 'article'],
  Tag: ['name'],
  ArticleTranslation: ['title'],
  Post: ['title'],
};

const SORTED: Record<string, readonly string[]> = {
  Article: ['title', 'price', 'views', 'publishedAt', 'slug'],
  Author: ['name', 'bornOn'],
  Category: ['name'],
  Comment: ['text', 'approved'],
  Tag: ['name'],
  ArticleTranslation: ['title'],
  Post: ['title', 'pinned'],
};

const RANGES: Record<string, Record<string, readonly unknown[]>> = {
  Article: {
    price: ['1', '1.5', '2.5'],
    views: [0n, 1n],
    publishedAt: [new Date('2024-01-01'), new Date('2024-01-02')],
  },
  Author: { bornOn: ['2024-01-01', '2024-01-02'], name: ['a', 'b'] },
  Category: { id: [1, 2, 3] },
};

const direction = fc.constantFrom('asc', 'desc', 'asc nulls first', 'desc nulls last');

export const asked: Arbitrary<Asked> = fc
  .tuple(question, fc.nat(9), fc.nat(9))
  .chain(([{ entity, where, options }, way, range]) => {
    const fields = FIELDS[entity]!;
    const key = entity === 'ArticleTranslation' ? ['article', 'locale'] : ['id'];
    const ranges = RANGES[entity];
    const within =
      range < 5 && ranges
        ? fc.constantFrom(...Object.keys(ranges)).chain(name =>
            fc
              .record({
                op: fc.constantFrom('$gt', '$gte', '$lt', '$lte', '$ne'),
                value: fc.constantFrom(...ranges[name]!),
              })
              .map(({ op, value }) => ({ [name]: { [op]: value } })),
          )
        : fc.constant({});
    const sorted = fc
      .tuple(fc.constantFrom(...SORTED[entity]!), direction, direction)
      .map(([by, one, other]) => [{ [by]: one }, ...key.map(name => ({ [name]: other }))]);
    const page = fc.record({
      limit: fc.constantFrom(1, 2, 3),
      offset: fc.constantFrom(undefined, undefined, 1),
      orderBy: sorted,
    });
    const some = fc.subarray([...fields], { minLength: 1 }).map(names => ({ fields: names }));
    const with$ = (more: Arbitrary<object>) => more.map(each => ({ ...options, ...each }));
    const given: Arbitrary<Record<string, unknown>> =
      way < 3
        ? fc.constant(options)
        : way < 5
          ? with$(page)
          : way < 6
            ? with$(page.map(each => ({ ...each, populate: [] })))
            : way < 7
              ? with$(some.map(each => ({ ...each, populate: [], limit: undefined })))
              : fc.tuple(some, page).map(([one, other]) => ({ ...options, ...one, ...other, populate: [] }));
    return fc.record({
      entity: fc.constant(entity),
      where: fc
        .tuple(fc.constantFrom(where, where, {}), within)
        .map(([one, other]) => ({ ...one, ...other })),
      options: given,
      counts: fc.constant(way === 9),
    });
  });
