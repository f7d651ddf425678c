import type { EntryAddress, Found } from '../../../lib/store/store.js';
import type { Actor, Scene, Step } from './actor.js';
import type { Cast } from './cast.js';
import { TinyDatabase } from './database.js';
import type { ExploredStore } from './explored_store.js';
import { StaleHit } from './flaw.js';
import { Looker } from './looker.js';
import { Loss } from './loss.js';
import { addressesOf, CATALOG_ADDRESS, holds, type Query } from './query.js';
import { Reader } from './reader.js';
import { Resealer } from './resealer.js';
import type { Keeps } from './rules.js';
import { Writer } from './writer.js';

/** A cast at one moment of its history. */
export class World {
  hits = 0;
  readonly #queries: readonly Query[];

  private constructor(
    readonly cast: Cast,
    readonly scene: Scene,
    readonly actors: readonly Actor[],
  ) {
    this.#queries = distinct([
      ...cast.readers,
      ...(cast.eager ?? []),
      ...(cast.resealers ?? []),
      ...(cast.lookers ?? []),
      ...(cast.cached ?? []),
    ]);
  }

  static async open(cast: Cast, store: ExploredStore, keeps: Keeps): Promise<World> {
    const {
      rows,
      cached,
      readers,
      eager = [],
      writers,
      resealers = [],
      lookers = [],
      crashes = 0,
      losses,
    } = cast;
    const database = new TinyDatabase(rows);
    const scene: Scene = {
      store,
      database,
      keeps,
      awaited: new Map(),
      missed: new Set(),
      crashes,
      owed: new Set(),
    };
    const world = new World(cast, scene, [
      ...writers.map((part, i) => new Writer(`W${i + 1}`, part, scene)),
      ...readers.map((query, i) => new Reader(`R${i + 1}`, query, scene)),
      ...eager.map((query, i) => new Reader(`E${i + 1}`, query, scene, true)),
      ...resealers.map((query, i) => new Resealer(`S${i + 1}`, query, scene)),
      ...lookers.map((query, i) => new Looker(`L${i + 1}`, query, scene)),
      ...(losses
        ? [
            new Loss(
              addressesOfAll([...readers, ...eager, ...(cached ?? [])]),
              losses.of,
              losses.count,
              scene,
            ),
          ]
        : []),
    ]);
    for (const query of cached ?? []) {
      await world.#answer(query);
    }
    scene.missed.clear();
    await world.#notice();
    return world;
  }

  /** The steps possible now. */
  steps(): Step[] {
    return this.actors.flatMap(actor => actor.steps());
  }

  async take(step: Step): Promise<void> {
    await step.take();
    await this.#notice();
  }

  /** @throws StaleHit if a read that starts now would get another answer than the database's */
  async check(): Promise<void> {
    // a process that owes invalidations asks the database; other processes may get the entries that it would have
    // dropped
    if (this.scene.owed.size > 0 && this.scene.keeps('untrusted while owed')) {
      return;
    }
    for (const query of this.#queries) {
      for (const found of await this.#find(query)) {
        this.hits++;
        const now = this.scene.database.select(query);
        if (String(found.payload) !== now) {
          throw new StaleHit(
            `${nameOf(query)} gets ${found.payload} from the cache, but ${now} from the database`,
          );
        }
      }
    }
  }

  /** The answers of the cache to processes with either catalog. */
  async #find(query: Query): Promise<Found[]> {
    const { store, keeps } = this.scene;
    const found: Found[] = [];
    for (const address of addressesOf(query)) {
      const each = await store.read(address);
      if (holds(query, each, keeps)) {
        found.push(each);
      }
    }
    return found;
  }

  /**
   * Checks the state after the last step: a read must fill the cache.
   *
   * @throws Error if the read cannot fill it
   */
  async close(): Promise<void> {
    for (const query of this.#queries) {
      // the reader that lifts a quarantine may still meet dead writers
      await this.#answer(query);
      await this.#answer(query);
      if (query.redefined) {
        await this.#answer(query); // the reader had read the catalog before
      }
      if ((await this.#find(query)).length === 0) {
        throw new Error(`${nameOf(query)} is not cached, although all actors have ended`);
      }
      await this.check();
    }
  }

  async #notice(): Promise<void> {
    const { missed } = this.scene;
    for (const query of this.#queries) {
      const { key } = query.address;
      if (!missed.has(key) && (query.redefined || (await this.#find(query)).length === 0)) {
        missed.add(key); // with one of the two catalogs, at least
      }
    }
  }

  /** Equal for two moments with the same continuations. */
  get state(): string {
    const { store, database, awaited, missed, crashes, owed } = this.scene;
    const text = JSON.stringify([
      store.state,
      // two readers of the same query are interchangeable
      this.actors.map(actor => JSON.stringify(actor.state)).sort(),
      database.state,
      [...awaited],
      [...missed].sort(),
      crashes,
      [...owed].sort(),
    ]);
    // number the tokens in the order of their appearance
    const tokens = new Map<string, string>();
    return text.replace(/~\d+/g, token => {
      const name = tokens.get(token) ?? `~${tokens.size}`;
      tokens.set(token, name);
      return name;
    });
  }

  async #answer(query: Query): Promise<void> {
    this.scene.missed.add(query.address.key);
    const reader = new Reader('R', query, this.scene);
    for (let steps = reader.steps(); steps.length > 0; steps = reader.steps()) {
      await steps[0]!.take();
    }
  }
}

function addressesOfAll(queries: readonly Query[]): EntryAddress[] {
  const isRedefined = queries.some(query => query.redefined);
  return [...distinct(queries).flatMap(addressesOf), ...(isRedefined ? [CATALOG_ADDRESS] : [])];
}

function nameOf({ address }: Query): string {
  return `The query for ${address.key}`;
}

function distinct(queries: readonly Query[]): Query[] {
  return [...new Map(queries.map(query => [query.address.key, query])).values()];
}
