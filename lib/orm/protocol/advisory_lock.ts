import { randomInt } from 'node:crypto';
import type { Ask } from '../catalog/table.js';

/**
 * An advisory lock shows other processes that a statement is still being executed if the database has no transaction to
 * ask about: a procedure that commits in between, or a statement that cannot run in a transaction.
 *
 * The session that executes the statement holds the lock. So the lock outlives a process that dies, for as long as the
 * database executes the statement, and it ends with the statement in every case. It is a shared lock with a number of its
 * own, so nothing waits for it. (The locks of a second transaction would block a TRUNCATE or CREATE INDEX.)
 */

/** The first key of these locks, which distinguishes them from other advisory locks. */
export const LOCK_CLASS = 1_667_329_136;

/**
 * @param untilEnd the transaction releases it when it ends, or when it is committed after PREPARE
 * @returns the name of the lock; `undefined` if it cannot be acquired, as in a failed transaction
 */
export async function acquireLock(ask: Ask, untilEnd = false): Promise<string | undefined> {
  const number = randomInt(1, 2 ** 31);
  try {
    const [row] = await ask(
      `select pg_catalog.pg_try_advisory_${untilEnd ? 'xact_' : ''}lock_shared(${LOCK_CLASS}, ${number}) as held`,
    );
    return row?.held ? `${PREFIX}${number}` : undefined;
  } catch {
    return undefined; // the next statement fails too, or ends that transaction
  }
}

export async function releaseLock(ask: Ask, name: string): Promise<void> {
  await ask(`select pg_catalog.pg_advisory_unlock_shared(${LOCK_CLASS}, ${lockNumberOf(name)})`);
}

/** @returns `undefined` if it is not the name of a lock */
export function lockNumberOf(name: string): number | undefined {
  return NAME.test(name) ? Number(name.slice(PREFIX.length)) : undefined;
}

const PREFIX = 'lock ';
const NAME = /^lock \d{1,10}$/;
