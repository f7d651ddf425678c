import { join } from 'node:path';
import { freePort } from './free_port.js';
import { startServer } from './server_process.js';
import { temporaryDirectory } from './temporary_directory.js';

/** A Redis for one test, which can be killed, frozen, filled and restarted. */
export interface RedisServer extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  /** of the running process; it changes at a restart */
  readonly pid: number;
  /** Ends it for good, even if it is down, and removes its files. */
  stop(): Promise<void>;
  /** Kills it before it can save anything. */
  kill9(): Promise<void>;
  /** Ends it if it runs, and starts it on the same port, with its saved data if any. */
  restart(): Promise<void>;
}

/** @param args further arguments of `redis-server`, such as `['--maxmemory', '8mb']`; by default nothing is saved */
export async function startRedis(args: readonly string[] = []): Promise<RedisServer> {
  const directory = temporaryDirectory('redis');
  const port = await freePort();
  const start = () => startRedisProcess(port, directory.path, args);
  let server = await start();
  let running = true;

  async function end(signal: NodeJS.Signals): Promise<void> {
    if (running) {
      running = false;
      await server.end(signal);
    }
  }
  async function stop(): Promise<void> {
    await end('SIGTERM');
    directory.remove();
  }

  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    get pid() {
      return server.pid;
    },
    stop,
    [Symbol.asyncDispose]: stop,
    kill9: () => end('SIGKILL'),
    async restart() {
      await end('SIGTERM');
      server = await start();
      running = true;
    },
  };
}

function startRedisProcess(port: number, directory: string, args: readonly string[]) {
  const own = [
    '--bind',
    '127.0.0.1',
    '--port',
    String(port),
    '--dir',
    directory,
    '--save',
    '',
    '--appendonly',
    'no',
  ];
  return startServer({
    command: 'redis-server',
    args: [...own, ...args],
    log: join(directory, 'log'),
    ready: 'eady to accept connections',
    lastSignal: 'SIGKILL',
  }).catch(error => {
    throw error.code === 'ENOENT' ? new Error(NOT_INSTALLED) : error;
  });
}

const NOT_INSTALLED =
  'There is no redis-server on the PATH: install it (on Debian: apt-get install redis-server), or set REDIS_URL.';
