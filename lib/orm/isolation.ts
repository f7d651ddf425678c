import type { SqlEntityManager } from '@mikro-orm/sql';
import { currentScope, withScope } from './scope.js';

/**
 * Runs a function such that an EntityManager of its own, in the same transaction and with the same filters, schema and
 * session, takes the place of its caller's: `this.em`, its repositories and whatever else leads to that.
 *
 * So what it gives comes from the database as it is now, and not from what its caller has loaded some time ago or has
 * changed and not flushed. Others will be given it, too.
 */
export async function isolated<T>(
  em: SqlEntityManager,
  run: (standIn: SqlEntityManager) => Promise<T>,
): Promise<T> {
  const standIn = em.fork({ clear: true, keepTransactionContext: true }) as SqlEntityManager;
  const standIns = new Map([...(currentScope().standIns ?? []), [em as object, standIn] as const]);
  return withScope({ standIns }, () => run(standIn));
}
