import { randomBytes } from 'node:crypto';
import type { AbstractSqlDriver } from '@mikro-orm/sql';

const instances = new WeakMap<object, string>();

/**
 * Identifies an embedded database: every PGlite is made from one image and has the same system identifier. Its instance
 * stands for the database, because no other process can open it.
 *
 * @returns `undefined` for a server
 */
export async function embeddedIdentity(driver: AbstractSqlDriver): Promise<string | undefined> {
  const connection = driver.getConnection() as unknown as { getNativeClient?: () => Promise<object> };
  if (driver.constructor.name !== 'PgliteDriver' || !connection.getNativeClient) {
    return undefined;
  }
  // a custom dialect has no such client; then the connection stands for the database
  const client = (await connection.getNativeClient().catch(() => undefined)) ?? driver.getConnection();
  let identity = instances.get(client);
  if (!identity) {
    identity = randomBytes(6).toString('hex');
    instances.set(client, identity);
  }
  return identity;
}
