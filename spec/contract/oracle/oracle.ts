import type { Backend } from './backends.js';
import type { Database } from './databases.js';
import type { History } from './history.js';
import { Disagreement, World } from './world.js';

/**
 * Plays histories, and compares with ORMs without a cache.
 *
 * The ORM itself may fail: it may report an unchanged entity as changed, or fail at a valid write. A failure that also
 * occurs without a cache is not the cache's.
 */
export class Oracle {
  readonly world: World;
  readonly #backend: Backend;
  readonly #newDatabase: () => Promise<Database>;
  #control: World | undefined;

  private constructor(world: World, backend: Backend, newDatabase: () => Promise<Database>) {
    this.world = world;
    this.#backend = backend;
    this.#newDatabase = newDatabase;
  }

  static async create(newDatabase: () => Promise<Database>, backend: Backend): Promise<Oracle> {
    try {
      return new Oracle(await World.create(await newDatabase(), backend), backend, newDatabase);
    } catch (error) {
      await backend.end();
      throw error;
    }
  }

  /** @throws Disagreement */
  async play(history: History): Promise<void> {
    try {
      await this.world.play(history);
    } catch (error) {
      if (!(error instanceof Disagreement && (await this.#isTheOrms(error, history)))) {
        throw error;
      }
      this.world.tally.ormError(error.message);
    }
  }

  async close(): Promise<void> {
    await this.world.close();
    await this.#control?.close();
    await this.#backend.end();
  }

  async #isTheOrms({ message }: Disagreement, history: History): Promise<boolean> {
    this.#control ??= await World.create(await this.#newDatabase());
    try {
      await this.#control.play(history);
    } catch (error) {
      return error instanceof Disagreement && error.message === message;
    }
    return false;
  }
}
