import {
  type AnyEntity,
  type EntityMetadata,
  type EntityName,
  type EntityProperty,
  helper,
} from '@mikro-orm/core';
import type { AbstractSqlDriver } from '@mikro-orm/sql';
import { Journal } from '../../changes/journal.js';
import { ImageFormat, type Row } from '../../changes/row_image.js';
import { shortName } from '../../observability/describe.js';
import type { CacheopsEvents } from '../../observability/events.js';
import { quoteName, quoteText } from '../../sql/lexer/names.js';
import { IMAGE_COLUMN } from '../../sql/rewrite.js';
import type { Store, TableChange } from '../../store/store.js';
import type { Canonical } from '../../values/comparable.js';
import { canonicalOfParameter } from '../../values/parameter.js';
import type { CatalogCache } from '../catalog/catalog_cache.js';
import type { Connect, Table } from '../catalog/table.js';
import { catalogOf } from '../protocol/virtual_tables.js';
import { newWriterId } from '../protocol/writer.js';

/** Manual invalidation, for changes that the extension does not see. */
export class Invalidation {
  readonly #driver: AbstractSqlDriver;
  readonly #database: CatalogCache;
  readonly #store: Store;
  readonly #connect: Connect;
  readonly #events: CacheopsEvents;

  constructor(
    driver: AbstractSqlDriver,
    database: CatalogCache,
    store: Store,
    connect: Connect,
    events: CacheopsEvents,
  ) {
    this.#driver = driver;
    this.#database = database;
    this.#store = store;
    this.#connect = connect;
    this.#events = events;
  }

  async object(entity: object, meta: EntityMetadata): Promise<void> {
    const tables = await this.#tablesOf(meta);
    const [table] = tables;
    const known = table && knownRow(entity, meta, table);
    const isAlone = tables.length === 1 && table?.ancestors.length === 1 && table.descendants.length === 1;
    if (!known || !isAlone || meta.inheritanceType === 'tpt') {
      return this.model(meta.class);
    }
    const journal = new Journal();
    const stored = await this.#storedRow(table, known);
    journal.record(table.fullName, { old: image(known), new: stored ?? image(known) });
    const writer = { id: newWriterId(), xid: undefined };
    await this.#store.mark(writer, journal.changes().map(dropping));
    await this.#store.settle(writer.id, [table.fullName]);
    this.#report([table.fullName], false);
  }

  async model(entity: EntityName<any>): Promise<void> {
    const meta = this.#driver.getMetadata().get(entity);
    const metas = [meta, ...(meta.allTPTDescendants ?? [])];
    for (let parent = meta.tptParent; parent; parent = parent.tptParent) {
      metas.push(parent);
    }
    const tables = (await Promise.all(metas.map(each => this.#tablesOf(each)))).flat();
    const names = [...new Set(tables.flatMap(table => [...table.ancestors, ...table.descendants]))];
    await this.#store.drop(names);
    this.#report(names, true);
  }

  /** @param names full names */
  async tables(names: readonly string[]): Promise<void> {
    await this.#store.drop(names);
    this.#report(names, true);
  }

  async all(): Promise<void> {
    const { name } = this.#database;
    // the definitions stay true, and they contain no rows
    await this.#store.clear(name === undefined ? [] : [catalogOf(name)]);
    this.#events.announceInvalidation(() => ({ everything: true }));
  }

  /** The rows of an entity without a schema may be in tables of its name in any schema. */
  async #tablesOf(meta: EntityMetadata): Promise<readonly Table[]> {
    const catalog = await this.#database.get(this.#connect);
    const named = catalog.named(meta.tableName);
    return meta.schema && meta.schema !== '*' ? named.filter(({ schema }) => schema === meta.schema) : named;
  }

  /** The row as it is stored now. */
  async #storedRow(table: Table, known: Row) {
    const format = new ImageFormat(table.columns);
    const conditions = (table.key ?? []).map(column => {
      const value = known.values[known.positions.get(column) ?? -1];
      return value === undefined ? undefined : `t.${quoteName(column)}::text = ${quoteText(value ?? '')}`;
    });
    if (conditions.length === 0 || conditions.includes(undefined)) {
      return undefined;
    }
    const from = `${quoteName(table.schema)}.${quoteName(table.name)} as t`;
    const sql = `select ${format.expression('t')} as ${quoteName(IMAGE_COLUMN)} from ${from} where ${conditions.join(' and ')}`;
    const [row] = await this.#connect(ask => ask(sql));
    return row && format.read(row[IMAGE_COLUMN]);
  }

  #report(tables: readonly string[], all: boolean): void {
    this.#events.announceInvalidation(() => ({
      tables: tables.map(table => ({
        table: shortName(table),
        inserted: 0,
        updated: all ? 0 : 1,
        deleted: 0,
        all,
      })),
    }));
  }
}

/** The row as the entity was loaded; without columns that were not loaded. */
function knownRow(entity: object, meta: EntityMetadata, table: Table): Row | undefined {
  const wrapped = helper(entity as AnyEntity);
  const data = (wrapped.__originalEntityData ?? {}) as Record<string, unknown>;
  const positions = new Map<string, number>();
  const values: Canonical[] = [];
  for (const prop of Object.values(meta.properties) as EntityProperty[]) {
    const column = prop.fieldNames?.length === 1 ? prop.fieldNames[0]! : undefined;
    const kind = column !== undefined && table.kinds.get(column);
    const value = kind && prop.name in data ? canonicalOfParameter(kind, data[prop.name] ?? null) : undefined;
    if (value !== undefined) {
      positions.set(column!, values.length);
      values.push(value);
    }
  }
  return table.key?.every(column => positions.has(column))
    ? { positions, values, kinds: table.kinds, stored: values }
    : undefined;
}

/**
 * Drops row deltas: the entity may have been loaded after the change, so its values may not be those that results
 * contain.
 */
function dropping({ table, touched }: TableChange): TableChange {
  return { table, touched: ({ reads, tests, ...scheme }) => touched(scheme) };
}

function image(row: Row) {
  return { xid: '', inserted: undefined, row };
}
