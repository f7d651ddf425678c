import { AsyncLocalStorage } from 'node:async_hooks';
import type { MikroORM } from '@mikro-orm/postgresql';
import { describeValue } from './snapshot.js';

/** What a driver returned, query by query. */
type Found = unknown[];

interface Run {
  readonly found: Found;
  /** what is returned instead, if it is the same but for the order of rows */
  readonly imposed: Found | undefined;
  /** a query of the driver may make others */
  isInside: boolean;
}

type Method = (...args: any[]) => Promise<unknown>;

/**
 * Without ORDER BY, an update that changes no result may give its rows another order. What MikroORM counts as loaded, and the
 * snapshots for change sets, depend on the order in which it meets the rows. An ORM without a cache that is given the rows in
 * the order of the cache must give the same.
 */
export class RowOrder {
  readonly #run = new AsyncLocalStorage<Run>();

  follow(orm: MikroORM): void {
    const driver = orm.em.getDriver() as unknown as Record<string, Method>;
    for (const name of ['find', 'loadFromPivotTable']) {
      const method = driver[name]!;
      driver[name] = (...args) => this.#perform(() => method.apply(driver, args), isOrderedBy(args[2]));
    }
  }

  async record<T>(read: () => Promise<T>): Promise<{ result: T; found: Found }> {
    const run: Run = { found: [], imposed: undefined, isInside: false };
    return { result: await this.#run.run(run, read), found: run.found };
  }

  /** Reads once more, with the rows of each query in the order that was found before. */
  impose<T>(imposed: Found, read: () => Promise<T>): Promise<T> {
    return this.#run.run({ found: [], imposed, isInside: false }, read);
  }

  async #perform(query: () => Promise<unknown>, isOrdered: boolean): Promise<unknown> {
    const run = this.#run.getStore();
    if (!run || run.isInside) {
      return query();
    }
    // in the order in which the queries are sent, not in that of their answers
    const index = run.found.push(undefined) - 1;
    const own = await this.#run.run({ ...run, isInside: true }, query);
    const imposed = run.imposed?.[index];
    const rows = imposed && canonical(imposed, isOrdered) === canonical(own, isOrdered) ? imposed : own;
    run.found[index] = structuredClone(rows); // the ORM changes it
    return rows;
  }
}

function isOrderedBy(options: { orderBy?: object } | undefined): boolean {
  return Object.keys(options?.orderBy ?? {}).length > 0;
}

/** A description that is the same for lists of another order. */
function canonical(value: unknown, isOrdered = false): string {
  if (Array.isArray(value)) {
    const items = value.map(item => canonical(item));
    return `[${(isOrdered ? items : items.sort()).join()}]`;
  }
  if (typeof value === 'object' && value && Object.getPrototypeOf(value) === Object.prototype) {
    const parts = Object.entries(value).map(([name, part]) => `${name}: ${canonical(part, isOrdered)}`);
    return `{${parts.sort().join()}}`;
  }
  return describeValue(value);
}
