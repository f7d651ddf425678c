import type { AbstractSqlDriver } from '@mikro-orm/sql';
import type { CatalogCache } from '../catalog/catalog_cache.js';
import type { Settings } from '../catalog/settings.js';
import type { Catalog, Connect } from '../catalog/table.js';
import type { PoolSettings } from './pool_settings.js';
import { NON_DEFAULT_SETTINGS } from './session.js';
import { describeParsers } from './type_parsers.js';

/**
 * What a result depends on apart from query, database and entities: the settings of the sessions, and how the process
 * parses values. Each change makes a new object.
 */
export interface EnvironmentState {
  readonly text: string;
  /** values are parsed by node-postgres and the ORM without changes, so a result holds the database's values */
  readonly isPlain: boolean;
}

export interface Loaded {
  readonly catalog: Catalog;
  readonly environmentState: EnvironmentState;
}

/** The pause before the catalog is read again in search of a session with default settings, in milliseconds. */
const RETRY_MS = 1000;

/** Tracks the environment without asking the database. */
export class Environment {
  readonly #driver: AbstractSqlDriver;
  readonly #pool: PoolSettings;
  #parsers: string | undefined;
  /** the catalog that {@link #parsers} belongs to */
  #catalog: Catalog | undefined;
  #nextTry = 0;
  #changes = 0;
  #zone: string | undefined;
  #current: EnvironmentState | undefined;

  constructor(driver: AbstractSqlDriver, pool: PoolSettings) {
    this.#driver = driver;
    this.#pool = pool;
  }

  /** `undefined` until the settings of a session are known */
  get current(): EnvironmentState | undefined {
    const { current: settings, changes } = this.#pool;
    const zone = process.env.TZ;
    if (!this.#current || changes !== this.#changes || zone !== this.#zone) {
      this.#changes = changes;
      this.#zone = zone;
      this.#current =
        settings?.isUnderstood && this.#parsers !== undefined && !this.#pool.isMixed
          ? this.#describe(settings)
          : undefined;
    }
    return this.#current;
  }

  /** Sessions of the pool have custom settings that are not in a key: a function may read them. */
  get hasOwnSettings(): boolean {
    return this.#pool.hasOwn;
  }

  /**
   * The environment and the catalog, read by a session with the pool's role and search path.
   *
   * @returns a reason if there is no such session, if its settings are not supported, or if the catalog cannot be read
   */
  async load(database: CatalogCache, connect: Connect): Promise<Loaded | string> {
    let catalog = await database.get(connect);
    if (catalog.obstacle !== undefined) {
      return catalog.obstacle;
    }
    const settings = this.#pool.current;
    if (settings?.isUnderstood && !isOf(catalog, settings) && performance.now() > this.#nextTry) {
      catalog = await database.refreshed(connect);
      this.#nextTry = performance.now() + RETRY_MS;
    }
    if (!settings?.isUnderstood || this.#pool.isMixed || !isOf(catalog, settings)) {
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
    const environmentState = this.current;
    // another session may have been opened meanwhile
    return environmentState && isOf(catalog, this.#pool.current!)
      ? { catalog, environmentState }
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
