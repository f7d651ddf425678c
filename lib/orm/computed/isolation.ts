import type { SqlEntityManager } from '@mikro-orm/sql';
import { currentScope, withScope } from '../context/scope.js';

/**
 * Runs a function with forks of its caller's EntityManagers, which have the same transactions, filters, schema and
 * session. The forks replace them everywhere: in `this.em`, in repositories, and where else the function finds them.
 *
 * So the result comes from the present database, and not from rows that the caller has loaded before or has changed and
 * not flushed. Other callers will be given the result, too.
 *
 * @param run is given the forks
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
