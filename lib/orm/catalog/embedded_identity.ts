import { randomBytes } from 'node:crypto';
import type { AbstractSqlDriver } from '@mikro-orm/sql';

const instances = new WeakMap<object, string>();

/**
 * What tells a database from others of the same name, where its system identifier does not: every PGlite is made from
 * one image and has the same. Its instance is the database, then; no other process has it open.
 */
export async function embeddedIdentity(driver: AbstractSqlDriver): Promise<string | undefined> {
  const connection = driver.getConnection() as unknown as { getNativeClient?: () => Promise<object> };
  if (driver.constructor.name !== 'PgliteDriver' || !connection.getNativeClient) {
    return undefined;
  }
  // with a dialect of the user's own there is no such client; then the connection has to do
  const client = (await connection.getNativeClient().catch(() => undefined)) ?? driver.getConnection();
  let identity = instances.get(client);
  if (!identity) {
    identity = randomBytes(6).toString('hex');
    instances.set(client, identity);
  }
  return identity;
}
