import type { AbstractSqlDriver } from '@mikro-orm/sql';
import type { CatalogCache } from '../catalog/catalog_cache.js';
import type { Settings } from '../catalog/settings.js';
import type { Ask, Catalog } from '../catalog/table.js';
import type { PoolSettings } from './pool_settings.js';
import { NON_DEFAULT_SETTINGS } from './session.js';
import { describeParsers } from './type_parsers.js';

/**
 * What decides about the result of a query beside the query, the database and the entities: the settings of the sessions
 * that answer it, and what the process makes of their answers.
 *
 * Each change makes a new object. As long as it is the same object, nothing has changed meanwhile.
 */
export interface EnvironmentState {
  readonly text: string;
  /** values are parsed as node-postgres and the ORM do it: what a result holds is what the database does */
  readonly isPlain: boolean;
}

export interface Loaded {
  readonly catalog: Catalog;
  readonly surroundings: EnvironmentState;
}

/** How long it is not looked again for a session as they come up, where there was none. */
const RETRY_MS = 1000;

/** Keeps track of it, without asking the database. */
export class Environment {
  readonly #driver: AbstractSqlDriver;
  readonly #pool: PoolSettings;
  #parsers: string | undefined;
  /** for which they were looked at */
  #catalog: Catalog | undefined;
  #nextTry = 0;
  #changes = 0;
  #zone: string | undefined;
  #current: EnvironmentState | undefined;

  constructor(driver: AbstractSqlDriver, pool: PoolSettings) {
    this.#driver = driver;
    this.#pool = pool;
  }

  /** `undefined` as long as no session has told what it is like */
  get current(): EnvironmentState | undefined {
    const { current: settings, changes } = this.#pool;
    const zone = process.env.TZ;
    if (!this.#current || changes !== this.#changes || zone !== this.#zone) {
      this.#changes = changes;
      this.#zone = zone;
      this.#current =
        settings?.isUnderstood && this.#parsers !== undefined ? this.#describe(settings) : undefined;
    }
    return this.#current;
  }

  /**
   * The catalog, read by a session as they come up and not by one whose role or search path was changed, and what else
   * decides.
   *
   * @returns a reason if there is no such session at hand, if its answers are not understood, or if the catalog cannot be
   *   read
   */
  async load(database: CatalogCache, ask: Ask): Promise<Loaded | string> {
    let catalog = await database.get(ask);
    if (catalog.obstacle !== undefined) {
      return catalog.obstacle;
    }
    const settings = this.#pool.current;
    if (settings?.isUnderstood && !isOf(catalog, settings) && performance.now() > this.#nextTry) {
      catalog = await database.refreshed(ask);
      this.#nextTry = performance.now() + RETRY_MS;
    }
    if (!settings?.isUnderstood || !isOf(catalog, settings)) {
      return NON_DEFAULT_SETTINGS;
    }
    if (this.#catalog !== catalog) {
      const parsers = await describeParsers(this.#driver, catalog);
      this.#catalog = catalog;
      if (parsers !== this.#parsers) {
        this.#parsers = parsers;
        this.#current = undefined;
      }
    }
    const surroundings = this.current;
    // another session may have come up meanwhile
    return surroundings && isOf(catalog, this.#pool.current!)
      ? { catalog, surroundings }
      : NON_DEFAULT_SETTINGS;
  }

  #describe(settings: Settings): EnvironmentState {
    const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
    return {
      text: JSON.stringify([settings.digest, timeZone, this.#parsers]),
      isPlain: this.#parsers === '',
    };
  }
}

function isOf({ user, path }: Catalog, settings: Settings): boolean {
  return settings.user === user && settings.path === path.join();
}
