import { type EntityMetadata, Type } from '@mikro-orm/core';
import type { Options } from '@mikro-orm/postgresql';
import type { Setting } from './session.js';

/** An instant as text that names its type. */
class LabelledInstant extends Type<unknown, unknown> {
  override convertToDatabaseValue(value: unknown): unknown {
    return typeof value === 'string' ? value.replace(/^at /, '') : value;
  }

  override convertToJSValue(value: unknown): unknown {
    return value instanceof Date ? `at ${value.toISOString()}` : value && `at ${value}`;
  }

  override compareAsType(): string {
    return 'any';
  }
}

/**
 * Versions of one program on the same tables and the same store, as during a rolling update. Property names, and so
 * queries, are the same, but their meaning may differ.
 */
export type Version = (meta: EntityMetadata) => void;

interface Meta {
  tableName: string;
  collection: string;
  readonly properties: Record<string, any>;
  readonly filters: Record<string, unknown>;
}

type Changes = Readonly<Record<string, (meta: Meta) => void>>;

const FILTERS: Changes = {
  Task({ filters }) {
    filters.open = { name: 'open', cond: { done: false, weight: { $ne: null } } };
  },
  Project({ filters }) {
    filters.tenant = {
      name: 'tenant',
      cond: ({ tenant }: { tenant: number }) => ({ tenant: { $ne: tenant } }),
    };
  },
};

const PROPERTIES: Changes = {
  Article(meta) {
    // this version lacks it; the database has a default
    delete meta.properties.body;
    meta.properties.views.runtimeType = 'string';
    meta.properties.publishedAt.type = LabelledInstant;
  },
  // swaps two properties
  ArticleTranslation(meta) {
    meta.properties.title.fieldNames = ['body'];
    meta.properties.body.fieldNames = ['title'];
  },
  Author(meta) {
    delete meta.properties.settings;
    meta.properties.reputation.default = 1;
  },
  Budget(meta) {
    meta.tableName = meta.collection = 'allotment';
  },
  Comment(meta) {
    meta.properties.article.eager = true;
  },
  Task(meta) {
    delete meta.properties.labels;
    meta.properties.notes.lazy = false;
  },
  Measure(meta) {
    meta.properties.big.runtimeType = 'string';
    meta.properties.date.type = LabelledInstant;
    delete meta.properties.span;
  },
};

/** The table for the budgets of the newer version. */
export const CREATE_ALLOTMENT = `
create table allotment (id serial primary key, amount numeric(8, 1) not null,
  project_id int not null unique references project on update cascade on delete cascade)`;

export const VERSIONS: readonly Version[] = [
  () => {},
  // a filter is part of the query, so entries are shared with the other versions
  meta => FILTERS[meta.className]?.(meta as unknown as Meta),
  meta => PROPERTIES[meta.className]?.(meta as unknown as Meta),
  // the first version again, with other settings
  () => {},
];

/** Options of the ORM of a version, where each version has its own connections. */
export const OPTIONS: readonly Partial<Options>[] = [
  {},
  { driverOptions: { options: '-c application_name=oracle -c work_mem=1MB' } },
  { forceUtcTimezone: false },
  {
    driverOptions: {
      options:
        '-c timezone=Asia/Kolkata -c extra_float_digits=0 -c intervalstyle=iso_8601 -c bytea_output=escape',
    },
  },
];

/** What a hook of the pool sets first in each connection of a version. */
export const HOOKED: readonly (readonly Setting[])[] = [
  [],
  [],
  [
    { name: 'search_path', value: 'elsewhere, public' },
    { name: 'datestyle', value: 'ISO, DMY' },
  ],
  [],
];
