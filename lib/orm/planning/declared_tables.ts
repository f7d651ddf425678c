import type { EntityMetadata, MetadataStorage } from '@mikro-orm/core';
import type { AbstractSqlDriver } from '@mikro-orm/sql';
import { show } from '../../config/check.js';
import { CacheopsError } from '../../config/error.js';
import { didYouMean } from '../../config/nearest.js';
import type { TableSource, TableSources } from '../../config/options.js';
import { checkTables } from '../../config/profile.js';
import type { Unanalysable } from '../../sql/select/select_result.js';
import type { Catalog, Table } from '../catalog/table.js';
import { obstacleOf } from './select_analysis.js';

/** Full names of tables, sorted. */
export type TableNames = readonly string[];

/** Resolves the tables that the user declares (see `Profile.tables`). */
export class DeclaredTables {
  readonly #driver: AbstractSqlDriver;
  readonly #catalog: Catalog;
  readonly #forbidden: ReadonlyMap<string, string>;

  /** @param forbidden names of entities that are never cached, by the full names of their tables */
  constructor(driver: AbstractSqlDriver, catalog: Catalog, forbidden: ReadonlyMap<string, string>) {
    this.#driver = driver;
    this.#catalog = catalog;
    this.#forbidden = forbidden;
  }

  /**
   * @param schema the schema of entities that have none of their own
   * @param where the place of the declaration, for messages
   * @returns a reason if results that depend on them are not cached
   * @throws CacheopsError if one of them is neither an entity nor a table
   */
  find(given: TableSources, schema: string | undefined, where: string): TableNames | Unanalysable {
    const names = new Set<string>();
    for (const source of sourcesOf(given, where)) {
      for (const table of this.#tablesOf(source, schema, where)) {
        const obstacle = obstacleOf(table, this.#forbidden);
        if (obstacle) {
          return { reason: obstacle };
        }
        names.add(table.fullName);
      }
    }
    return [...names].sort();
  }

  #tablesOf(source: TableSource, schema: string | undefined, where: string): Table[] {
    const metadata = this.#driver.getMetadata();
    const entity = entityOf(source, metadata);
    if (!entity && typeof source !== 'string') {
      throw new CacheopsError(strangerMessage(source, where));
    }
    const named = entity
      ? familyOf(entity, metadata).map(meta => ({
          schema: meta.schema && meta.schema !== '*' ? meta.schema : schema,
          name: meta.tableName,
        }))
      : [nameIn(source as string)];
    return named.map(name => {
      const table = this.#catalog.resolve(name);
      if (!table) {
        const known = [...this.#catalog.tables.values()].map(each => each.name);
        const entities = [...metadata.getAll().values()].map(meta => meta.className);
        const hint = typeof source === 'string' ? didYouMean(source, [...entities, ...known]) : '';
        throw new CacheopsError(
          `${where}: ${describe(source)} is neither an entity with a table nor a table.${hint} Name tables that are there.`,
        );
      }
      if (!table.plain && !table.materialized && !table.unfollowed) {
        throw new CacheopsError(
          `${where}: ${describe(source)} is no table whose changes can be seen. Name the tables that it is made of.`,
        );
      }
      return table;
    });
  }
}

/**
 * Checks what can be checked without a database.
 *
 * @throws CacheopsError if a class is no entity, or one without a table
 */
export function checkNamedEntities(given: TableSources, metadata: MetadataStorage, where: string): void {
  for (const source of sourcesOf(given, where)) {
    const entity = entityOf(source, metadata);
    if (typeof source !== 'string' && !entity) {
      throw new CacheopsError(strangerMessage(source, where));
    }
    if (entity) {
      familyOf(entity, metadata);
    }
  }
}

function sourcesOf(given: TableSources, where: string): readonly TableSource[] {
  const sources = typeof given === 'function' ? given() : given;
  const checked = checkTables(sources, where);
  return typeof checked === 'function' ? [] : checked;
}

function entityOf(source: TableSource, metadata: MetadataStorage): EntityMetadata | undefined {
  return typeof source === 'string'
    ? [...metadata.getAll().values()].find(meta => meta.className === source)
    : (metadata.find(source as never) as EntityMetadata | undefined);
}

/** With table-per-type inheritance, the rows of one entity are in the tables of several. */
function familyOf(entity: EntityMetadata, metadata: MetadataStorage): EntityMetadata[] {
  if (entity.virtual || !entity.tableName) {
    throw new CacheopsError(
      `tables: ${entity.className} has no table. Name the entities or tables that it is made of.`,
    );
  }
  return entity.inheritanceType === 'tpt'
    ? [...metadata.getAll().values()].filter(({ root, tableName }) => root === entity.root && tableName)
    : [entity];
}

function strangerMessage(source: TableSource, where: string): string {
  return `${where}: ${describe(source)} is no entity of this ORM.`;
}

function nameIn(source: string) {
  const dot = source.lastIndexOf('.');
  return dot < 0
    ? { schema: undefined, name: source }
    : { schema: source.slice(0, dot), name: source.slice(dot + 1) };
}

function describe(source: TableSource): string {
  return typeof source === 'function' ? source.name : show(source);
}
