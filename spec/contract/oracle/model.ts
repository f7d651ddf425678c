import type { EntityClass, EntityManager } from '@mikro-orm/core';
import type fc from 'fast-check';
import { BUNDLES, MEASURES, WORDINGS } from './borders.js';
import { SHAPES } from './shapes.js';
import type { Values } from './values.js';
import * as v from './values.js';

/** The generator's description of an entity. */
export interface Model {
  readonly table: string;
  readonly key: Readonly<Record<string, Values>>;
  /** whether the program provides the key */
  readonly natural?: boolean;
  readonly fields: Readonly<Record<string, Field>>;
  readonly toOne: Readonly<Record<string, ToOne>>;
  readonly toMany: Readonly<Record<string, ToMany>>;
  /** whether it has subtypes: a key alone does not determine the type of its row */
  readonly isRoot?: boolean;
  /** its rows are stored in several tables */
  readonly isSplit?: boolean;
  /** it has no rows of its own */
  readonly isAbstract?: boolean;
  /** it cannot be written */
  readonly isReadOnly?: boolean;
  /** names of filters; `tenant` takes a parameter */
  readonly filters?: readonly string[];
}

export interface Field {
  readonly values: Values;
  readonly column?: string;
  readonly nullable?: boolean;
  /** required in a new row */
  readonly required?: boolean;
  /** `<` and `>` are useful for it */
  readonly ordered?: boolean;
  readonly text?: boolean;
  /** only the unit of work can write it */
  readonly isComplex?: boolean;
  /** the database computes it */
  readonly isGenerated?: boolean;
  /** it does not take the usual comparisons */
  readonly silent?: boolean;
  /** further conditions for queries */
  readonly conditions?: fc.Arbitrary<unknown>;
  /** its type, and the values that raw SQL sets it to */
  readonly literals?: { readonly type: string; readonly values: readonly string[] };
}

export interface ToOne {
  readonly target: () => Kind;
  readonly column?: string;
  readonly nullable?: boolean;
  /** `Ref<T>` */
  readonly wrapped?: boolean;
}

export interface ToMany {
  readonly target: () => Kind;
  readonly many?: boolean;
  readonly owner?: boolean;
}

const required = true;
const nullable = true;
const ordered = true;
const text = true;
const silent = true;

const CONTENT = {
  table: 'content',
  key: { id: v.ids(5) },
  toOne: {},
  toMany: {},
};
const title: Field = { values: v.titles, required, text, ordered };

export const MODELS = {
  Article: {
    table: 'article',
    key: { id: v.ids(6) },
    fields: {
      title,
      slug: { values: v.slugs, nullable },
      body: { values: v.titles, text },
      status: { values: v.of('draft', 'published', 'archived') },
      price: { values: v.prices, nullable, ordered },
      publishedAt: { values: v.instants, column: 'published_at', nullable, ordered },
      views: { values: v.views, ordered },
    },
    toOne: {
      category: { target: () => 'Category', nullable },
      author: { target: () => 'Author', wrapped: true },
    },
    toMany: {
      tags: { target: () => 'Tag', many: true, owner: true },
      comments: { target: () => 'Comment' },
      translations: { target: () => 'ArticleTranslation' },
    },
  },
  ArticleTranslation: {
    table: 'article_translation',
    key: { article: v.ids(6), locale: v.of('en', 'de', 'pt-BR') },
    natural: true,
    fields: { title, body: { values: v.titles, text } },
    toOne: {},
    toMany: {},
  },
  Author: {
    table: 'author',
    key: { id: v.ids(5) },
    fields: {
      name: { values: v.titles, required, text },
      email: {
        values: v.of('a@x', 'b@x', 'c@x', 'd@x', 'e@x', 'f@x', 'g@x', 'h@x', 'i@x'),
        required,
        text,
      },
      reputation: { values: v.of(0, 1, 2, -5), ordered },
      bornOn: { values: v.days, column: 'born_on', nullable, ordered },
      settings: { values: v.settings, nullable, silent },
      home: { values: v.addresses, nullable, silent },
      office: { values: v.addresses, nullable, silent },
    },
    toOne: {},
    toMany: { articles: { target: () => 'Article' } },
  },
  Category: {
    table: 'category',
    key: { id: v.ids(5) },
    fields: { name: { values: v.titles, required, text } },
    toOne: { parent: { target: () => 'Category', nullable } },
    toMany: { children: { target: () => 'Category' } },
  },
  Comment: {
    table: 'comment',
    key: { id: v.uuids },
    natural: true,
    fields: {
      text: { values: v.titles, required, text },
      approved: { values: v.booleans },
      createdAt: { values: v.instants, column: 'created_at', required, ordered },
    },
    toOne: { article: { target: () => 'Article' }, author: { target: () => 'Author', nullable } },
    toMany: {},
  },
  Content: {
    ...CONTENT,
    isRoot: true,
    isAbstract: true,
    fields: { title, type: { values: v.of('page', 'post', 'video') } },
  },
  Page: { ...CONTENT, fields: { title, markup: { values: v.titles, text, nullable } } },
  Post: {
    ...CONTENT,
    fields: { title, text: { values: v.titles, text, nullable }, pinned: { values: v.booleans, nullable } },
  },
  Video: {
    ...CONTENT,
    fields: { title, seconds: { values: v.of(1, 60), nullable, ordered } },
  },
  Tag: {
    table: 'tag',
    key: { id: v.ids(4) },
    fields: { name: { values: v.of('red', 'green', 'blue', 'Blue', 'black'), required, text } },
    toOne: {},
    toMany: { articles: { target: () => 'Article', many: true } },
  },
  Project: {
    table: 'project',
    key: { id: v.ids(4) },
    fields: {
      tenant: { values: v.of(1, 2), required },
      code: { values: v.codes, required },
      closed: { values: v.booleans },
    },
    toOne: {
      lead: { target: () => 'Author', nullable, wrapped: true },
    },
    toMany: { tasks: { target: () => 'Task' } },
    filters: ['tenant'],
  },
  Budget: {
    table: 'budget',
    key: { id: v.ids(3) },
    fields: { amount: { values: v.amounts, required, ordered } },
    toOne: { project: { target: () => 'Project' } },
    toMany: {},
    filters: ['tenant'],
  },
  Task: {
    table: 'task',
    key: { id: v.ids(5) },
    fields: {
      title,
      done: { values: v.booleans },
      weight: { values: v.weights, nullable, ordered },
      attachment: { values: v.bytes, nullable },
      labels: { values: v.labels, nullable, silent },
      due: { values: v.moments, nullable, ordered },
      notes: { values: v.titles, nullable, text },
    },
    toOne: {
      project: { target: () => 'Project' },
      after: { target: () => 'Task', nullable },
    },
    toMany: { watchers: { target: () => 'Author', many: true, owner: true } },
    filters: ['open', 'tenant'],
  },
  Measure: {
    table: 'measure',
    key: { id: v.ids(5) },
    fields: MEASURES,
    toOne: {},
    toMany: { bundles: { target: () => 'Bundle' } },
  },
  Wording: {
    table: 'wording',
    key: { id: v.ids(5) },
    fields: WORDINGS,
    toOne: {},
    toMany: { bundles: { target: () => 'Bundle' } },
  },
  Bundle: {
    table: 'bundle',
    key: { id: v.ids(6) },
    fields: BUNDLES,
    toOne: {
      measure: { target: () => 'Measure', nullable },
      wording: { target: () => 'Wording', nullable },
    },
    toMany: {},
  },
  ...SHAPES,
} as const satisfies Record<string, Omit<Model, 'toOne' | 'toMany'> & { toOne: object; toMany: object }>;

export type Kind = keyof typeof MODELS;

export const KINDS = Object.keys(MODELS) as Kind[];

export function modelOf(kind: Kind): Model {
  return MODELS[kind] as unknown as Model;
}

/** The ORM's class for this entity. */
export function entityOf(em: EntityManager, kind: Kind): EntityClass<any> {
  return em.getMetadata().getByClassName(kind).class as EntityClass<any>;
}
