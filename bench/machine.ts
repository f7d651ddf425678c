import { cpus, loadavg, totalmem } from 'node:os';
import { Utils } from '@mikro-orm/core';
import type { MikroORM } from '@mikro-orm/postgresql';
import type { Redis } from 'ioredis';

/** The machine and versions, in one line. */
export async function describeMachine(orm: MikroORM, client: Redis): Promise<string> {
  const processors = cpus();
  const [server] = await orm.em
    .getConnection()
    .execute(`select current_setting('server_version') as version, current_setting('fsync') as fsync`);
  const redis = /^redis_version:(.*)$/m.exec(await client.info('server'))?.[1]?.trim();
  return [
    `${processors.length} cores (${processors[0]?.model.trim()})`,
    `${Math.round(totalmem() / 2 ** 30)} GiB`,
    `Node ${process.versions.node}`,
    `MikroORM ${Utils.getORMVersion()}`,
    `PostgreSQL ${server!.version.split(' ')[0]} (fsync ${server!.fsync})`,
    `Redis ${redis}`,
    // other programs slow down everything, and most of all waiting for another process
    `all on this machine (load before: ${loadavg()[0]!.toFixed(1)})`,
  ].join(', ');
}
