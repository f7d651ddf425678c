import type { MikroORM } from '@mikro-orm/postgresql';
import { AbstractSqlDriver } from '@mikro-orm/sql';
import { EXISTS } from '../../../lib/orm/reads/exists.js';
import { difference } from './difference.js';
import { describeValue } from './snapshot.js';
import { areSameRows } from './unordered.js';

function describeRows(given: unknown): string[] {
  return Array.isArray(given) ? given.map(describeValue) : [describeValue(given)];
}

/**
 * Repeats each query of a cached driver in the database, in the same transaction, and compares the rows. A long-lived
 * EntityManager merges rows into known entities, so that its entities do not show a difference.
 */
export class Shadow {
  /** since they were last returned */
  #differences: string[] = [];
  #watches = false;

  follow(orm: MikroORM): void {
    const driver = orm.em.getDriver() as unknown as Record<string, (...args: any[]) => Promise<unknown>>;
    const plain = AbstractSqlDriver.prototype as unknown as typeof driver;
    for (const method of ['find', 'count']) {
      const cached = driver[method]!;
      driver[method] = async (...args) => {
        const given = await cached.apply(driver, args);
        if (this.#watches) {
          const asked = await plain[method]!.apply(driver, args);
          // a query that only tests for existence stops counting at one
          const isMarked = method === 'count' && EXISTS in (args[2] ?? {});
          const [found, expected] = [given, asked].map(rows => describeRows(isMarked ? !!rows : rows));
          const isOrdered = Object.keys(args[2]?.orderBy ?? {}).length > 0;
          if (!areSameRows(found!, expected!, isOrdered)) {
            this.#differences.push(`${method}\n${difference(found!.join('\n'), expected!.join('\n'))}`);
          }
        }
        return given;
      };
    }
  }

  /** The differences found during this run. */
  async watch<T>(run: () => Promise<T>): Promise<{ result: T; differences: string[] }> {
    this.#differences = [];
    this.#watches = true;
    try {
      const result = await run();
      return { result, differences: this.#differences };
    } finally {
      this.#watches = false;
    }
  }
}
