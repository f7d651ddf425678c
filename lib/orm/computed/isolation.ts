import type { SqlEntityManager } from '@mikro-orm/sql';
import { currentScope, withScope } from '../context/scope.js';

/**
 * Runs a function such that EntityManagers of its own, in the same transactions and with the same filters, schema and
 * session, take the place of its caller's: `this.em`, its repositories and whatever else leads to those.
 *
 * So what it gives comes from the database as it is now, and not from what its caller has loaded some time ago or has
 * changed and not flushed. Others will be given it, too.
 *
 * @param run is given what takes the place of each
 */
export async function isolated<T>(
  ems: readonly [SqlEntityManager, ...SqlEntityManager[]],
  run: (standIns: readonly [SqlEntityManager, ...SqlEntityManager[]]) => Promise<T>,
): Promise<T> {
  const own = new Map<object, SqlEntityManager>();
  for (const em of ems) {
    if (!own.has(em)) {
      own.set(em, em.fork({ clear: true, keepTransactionContext: true }) as SqlEntityManager);
    }
  }
  const standIns = new Map([...(currentScope().standIns ?? []), ...own]);
  return withScope({ standIns }, () => run([own.get(ems[0])!, ...[...own.values()].slice(1)]));
}
