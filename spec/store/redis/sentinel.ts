import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../../support/free_port.js';
import { startServer } from '../../support/server_process.js';
import { temporaryDirectory } from '../../support/temporary_directory.js';

export interface Sentinel {
  readonly port: number;
  stop(): Promise<void>;
}

/** @param master port of the server that it watches over, which it calls `main` */
export async function startSentinel(master: number): Promise<Sentinel> {
  const directory = temporaryDirectory('sentinel');
  const port = await freePort();
  const configuration = join(directory.path, 'sentinel.conf');
  writeFileSync(
    configuration,
    `bind 127.0.0.1\nport ${port}\ndir ${directory.path}\nsentinel monitor main 127.0.0.1 ${master} 1\n`,
  );
  const server = await startServer({
    command: 'redis-server',
    args: [configuration, '--sentinel'],
    log: join(directory.path, 'log'),
    ready: '+monitor master main',
    lastSignal: 'SIGKILL',
  });
  return {
    port,
    async stop() {
      await server.end('SIGTERM');
      directory.remove();
    },
  };
}
