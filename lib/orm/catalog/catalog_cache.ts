import type { Seal } from '../../store/store.js';
import { askDatabaseName, loadCatalog } from './catalog.js';
import { isRefusal, reasonOf, unreadableCatalog } from './rights.js';
import type { Ask, Catalog } from './table.js';

/** Takes a lease on what is defined in a database; `undefined` if there is none to be had. */
export type LeaseCatalog = (database: string, ask: Ask) => Promise<Seal | undefined>;

/**
 * The catalog as it was last read.
 *
 * It goes with the stamp of what is defined in the database, leased *before* anything was read. Who defines something
 * marks and settles that as any writer does its tables. A reader that leases what its query depends on leases it once
 * more, as the last (see {@link confirm}): so it stores nothing by a catalog that another process has outdated.
 *
 * Whoever reads it anew does so on a connection of its own, because in a
 * single-connection database (PGlite) a second one would wait for the first forever.
 */
export class CatalogCache {
  #catalog: Catalog | undefined;
  #loading: Promise<Catalog> | undefined;
  #name: string | undefined;
  readonly #identity: () => Promise<string | undefined>;
  readonly #warn: (reason: string) => void;
  readonly #lease: LeaseCatalog;
  #hasWarned = false;

  /**
   * @param identity names the database where the server's own identifier does not tell it from others
   * @param warn is told once what the role lacks, if it may not ask what has to be asked
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

  /** What the database is called, as soon as that is known. */
  get name(): string | undefined {
    return this.#catalog?.database ?? this.#name;
  }

  /** @param isCommitted what is read is what everybody finds now, and not only the transaction in which it is asked for */
  async get(ask: Ask, isCommitted = true): Promise<Catalog> {
    return this.#catalog ?? this.#load(ask, isCommitted);
  }

  /** For a name that the catalog does not have: the table may be newer than it. */
  async refreshed(ask: Ask, isCommitted = true): Promise<Catalog> {
    this.forget();
    return this.#load(ask, isCommitted);
  }

  /**
   * After a lease that ends with the stamp of what is defined in the database: the rest of its seal, if that is the
   * stamp of this catalog. If not, the catalog is out of date.
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
  }

  /** What is connected next may be another database. */
  disconnected(): void {
    this.forget();
    this.#name = undefined;
  }

  async #load(ask: Ask, isCommitted: boolean): Promise<Catalog> {
    const loading = this.#read(ask, isCommitted);
    this.#loading = loading;
    const catalog = await loading;
    // forgotten meanwhile: good enough for who asked, but not for those who come later
    if (this.#loading === loading) {
      this.#catalog = catalog;
    }
    return catalog;
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
