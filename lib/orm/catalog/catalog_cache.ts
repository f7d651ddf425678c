import type { Seal } from '../../store/store.js';
import { askDatabaseName, loadCatalog } from './catalog.js';
import { isRefusal, reasonOf, unreadableCatalog } from './rights.js';
import type { Ask, Catalog, Connect } from './table.js';

/** Takes a lease on the definitions of a database; `undefined` if none is granted. */
export type LeaseCatalog = (database: string, ask: Ask) => Promise<Seal | undefined>;

/**
 * The catalog as it was last read, with the stamp of the definitions, leased *before* they were read.
 *
 * DDL marks and settles the definitions as a writer does its tables. A reader leases them again with its query, as the
 * last dependency (see {@link confirm}), so it stores nothing by a catalog that another process has outdated.
 *
 * Concurrent callers share one load. Each connects first, so the one that loads has its connection: otherwise it could
 * wait for one that a caller holds, as in a single-connection database (PGlite).
 */
export class CatalogCache {
  #catalog: Catalog | undefined;
  /** a load of what is committed, since it was last forgotten */
  #loading: Promise<Catalog> | undefined;
  /** how often it was forgotten */
  #forgotten = 0;
  #name: string | undefined;
  readonly #identity: () => Promise<string | undefined>;
  readonly #warn: (reason: string) => void;
  readonly #lease: LeaseCatalog;
  #hasWarned = false;

  /**
   * @param identity identifies the database if the server's own identifier does not
   * @param warn called once with the rights that the role lacks
   */
  constructor(
    identity: () => Promise<string | undefined>,
    warn: (reason: string) => void,
    lease: LeaseCatalog,
  ) {
    this.#identity = identity;
    this.#warn = warn;
    this.#lease = lease;
  }

  get current(): Catalog | undefined {
    return this.#catalog;
  }

  /** The name of the database, once it is known. */
  get name(): string | undefined {
    return this.#catalog?.database ?? this.#name;
  }

  /** @param isCommitted the connection sees committed definitions only, not those of an open transaction */
  async get(connect: Connect, isCommitted = true): Promise<Catalog> {
    return this.#catalog ?? connect(ask => this.#load(ask, isCommitted));
  }

  /** Reads the catalog again, for example for a name that it lacks: the table may be newer. */
  async refreshed(connect: Connect, isCommitted = true): Promise<Catalog> {
    this.forget();
    return this.get(connect, isCommitted);
  }

  /**
   * Splits a seal that ends with the stamp of the definitions.
   *
   * @returns the rest of the seal; `undefined` if the stamp is not the catalog's, which is then out of date
   */
  confirm(catalog: Catalog, seal: Seal): Seal | undefined {
    const end = `,${catalog.stamp}`;
    if (catalog.stamp !== undefined && seal.endsWith(end)) {
      return seal.slice(0, -end.length);
    }
    if (this.#catalog === catalog) {
      this.forget();
    }
    return undefined;
  }

  /** The schema may have changed. */
  forget(): void {
    this.#catalog = undefined;
    this.#loading = undefined;
    this.#forgotten++;
  }

  /** The next connection may be to another database. */
  disconnected(): void {
    this.forget();
    this.#name = undefined;
  }

  async #load(ask: Ask, isCommitted: boolean): Promise<Catalog> {
    // a load in flight is as good as a catalog that was loaded earlier; if it fails, this caller loads
    const shared = this.#catalog ?? (isCommitted ? await this.#loading?.catch(() => undefined) : undefined);
    if (shared) {
      return shared;
    }
    const loading = this.#read(ask, isCommitted);
    if (isCommitted) {
      this.#loading = loading;
    }
    const known = this.#forgotten;
    try {
      const catalog = await loading;
      // if it was forgotten meanwhile, it is good enough for those who wait for it, but not for later callers
      if (this.#forgotten === known && (isCommitted || !this.#catalog)) {
        this.#catalog = catalog;
      }
      return catalog;
    } finally {
      if (this.#loading === loading) {
        this.#loading = undefined;
      }
    }
  }

  async #read(ask: Ask, isCommitted: boolean): Promise<Catalog> {
    try {
      const identity = await this.#identity();
      this.#name ??= await askDatabaseName(ask, identity);
      const name = this.#name;
      const stamp = isCommitted ? await this.#lease(name, ask) : undefined;
      const catalog = await loadCatalog(ask, identity);
      this.#name = catalog.database;
      return catalog.database === name ? { ...catalog, stamp } : catalog;
    } catch (error) {
      if (!isRefusal(error)) {
        throw error;
      }
      const reason = await reasonOf(error, ask);
      if (!this.#hasWarned) {
        this.#hasWarned = true;
        this.#warn(reason);
      }
      return unreadableCatalog();
    }
  }
}
