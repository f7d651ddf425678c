import { type Ask, type Catalog, loadCatalog } from './catalog.js';
import { isRefusal, reasonOf, unreadableCatalog } from './rights.js';

/**
 * The catalog as it was last read. Whoever reads it anew does so on a connection of its own, because in a
 * single-connection database (PGlite) a second one would wait for the first forever.
 */
export class CatalogCache {
  #catalog: Catalog | undefined;
  #loading: Promise<Catalog> | undefined;
  readonly #identity: () => Promise<string | undefined>;
  readonly #warn: (reason: string) => void;
  #hasWarned = false;

  /**
   * @param identity names the database where the server's own identifier does not tell it from others
   * @param warn is told once what the role lacks, if it may not ask what has to be asked
   */
  constructor(identity: () => Promise<string | undefined>, warn: (reason: string) => void) {
    this.#identity = identity;
    this.#warn = warn;
  }

  get current(): Catalog | undefined {
    return this.#catalog;
  }

  async get(ask: Ask): Promise<Catalog> {
    return this.#catalog ?? this.#load(ask);
  }

  /** For a name that the catalog does not have: the table may be newer than it. */
  async refreshed(ask: Ask): Promise<Catalog> {
    this.forget();
    return this.#load(ask);
  }

  /** The schema may have changed. */
  forget(): void {
    this.#catalog = undefined;
    this.#loading = undefined;
  }

  async #load(ask: Ask): Promise<Catalog> {
    const loading = this.#read(ask);
    this.#loading = loading;
    const catalog = await loading;
    // forgotten meanwhile: good enough for who asked, but not for those who come later
    if (this.#loading === loading) {
      this.#catalog = catalog;
    }
    return catalog;
  }

  async #read(ask: Ask): Promise<Catalog> {
    try {
      return await loadCatalog(ask, await this.#identity());
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
