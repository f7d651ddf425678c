import { randomInt } from 'node:crypto';
import type { Ask } from '../catalog/table.js';

/**
 * A beacon shows others that a statement is still being executed for which the database has no transaction to ask
 * about: a procedure that commits in between, a statement that cannot run in a transaction.
 *
 * It is an advisory lock, held by the very session that executes the statement. So it stays if the process dies that
 * has sent it, for as long as the database goes on executing, and it is gone when that ends, however it does. It is a
 * shared lock with a number of its own: nobody waits for it, nor does anything that the statement may do (the locks
 * of a second transaction would be in the way of its TRUNCATE or CREATE INDEX).
 */

/** The first key of all beacons: what tells them from other advisory locks. */
export const LOCK_CLASS = 1_667_329_136;

/**
 * @param untilEnd it goes out with the transaction in which it is lit, or that is prepared
 * @returns its name; `undefined` if the database would not have it, as in a transaction that has failed
 */
export async function acquireLock(ask: Ask, untilEnd = false): Promise<string | undefined> {
  const number = randomInt(1, 2 ** 31);
  try {
    const [row] = await ask(
      `select pg_try_advisory_${untilEnd ? 'xact_' : ''}lock_shared(${LOCK_CLASS}, ${number}) as lit`,
    );
    return row?.lit ? `${PREFIX}${number}` : undefined;
  } catch {
    return undefined; // what follows will fail by itself, or end that transaction
  }
}

export async function releaseLock(ask: Ask, beacon: string): Promise<void> {
  await ask(`select pg_advisory_unlock_shared(${LOCK_CLASS}, ${lockNumberOf(beacon)})`);
}

/** @returns `undefined` if it is not the name of a beacon */
export function lockNumberOf(name: string): number | undefined {
  return NAME.test(name) ? Number(name.slice(PREFIX.length)) : undefined;
}

const PREFIX = 'beacon ';
const NAME = /^beacon \d{1,10}$/;
