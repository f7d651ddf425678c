import { join } from 'node:path';
import { prepare } from '../../examples/blog/database.js';
import type { CacheopsStats } from '../../lib/index.js';
import { ask } from '../integrations/support/site.js';
import { freePort } from '../support/free_port.js';
import { startServer } from '../support/server_process.js';
import { freshDatabase, redisUrl } from '../support/servers.js';
import { temporaryDirectory } from '../support/temporary_directory.js';
import { until } from '../support/until.js';

const MAIN = join(import.meta.dirname, '..', '..', 'examples', 'blog', 'main.js');

/** A page as it was answered. */
export interface Page {
  readonly status: number;
  readonly body: string;
  readonly etag: string | undefined;
  /** only what a cache has kept has an age */
  readonly isCached: boolean;
}

/** A process of the example application. */
export interface BlogProcess extends AsyncDisposable {
  get(path: string, headers?: Record<string, string>): Promise<Page>;
  /** Asks for a page until it comes from the cache. */
  untilCached(path: string): Promise<Page>;
  /** Sends a form. */
  post(path: string, fields: Record<string, string>): Promise<Response>;
  stats(): Promise<CacheopsStats>;
  kill9(): Promise<void>;
}

export interface Servers {
  readonly DATABASE_URL: string;
  readonly REDIS_URL: string;
}

/** A database with the example's tables and some articles, and a Redis. */
export async function blogServers(): Promise<Servers> {
  const servers = { DATABASE_URL: await freshDatabase('example'), REDIS_URL: await redisUrl() };
  await prepare(servers.DATABASE_URL);
  return servers;
}

/** Starts a process of the example. It ends with this process at the latest. */
export async function startBlog(servers: Servers): Promise<BlogProcess> {
  const directory = temporaryDirectory('example');
  const port = await freePort();
  const server = await startServer({
    command: process.execPath,
    args: [MAIN],
    // a machine with much else to do is not to be taken for an outage of Redis
    env: { ...process.env, ...servers, PORT: String(port), STORE_TIMEOUT: '10000' },
    log: join(directory.path, 'log'),
    ready: 'The blog is at',
    lastSignal: 'SIGKILL',
  });
  const origin = `http://127.0.0.1:${port}`;
  let running = true;

  async function get(path: string, fields: Record<string, string> = {}): Promise<Page> {
    const { status, headers, body } = await ask(origin + path, fields);
    return { status, body: body.toString(), etag: headers.etag, isCached: headers.age !== undefined };
  }
  async function kill9(): Promise<void> {
    if (running) {
      running = false;
      await server.end('SIGKILL');
      directory.remove();
    }
  }

  return {
    get,
    untilCached: path =>
      until(
        async () => {
          const page = await get(path);
          return page.isCached && page;
        },
        { timeout: 60_000 },
      ) as Promise<Page>,
    post: (path, fields) =>
      fetch(origin + path, { method: 'POST', body: new URLSearchParams(fields), redirect: 'manual' }),
    stats: async () => JSON.parse((await get('/stats')).body),
    kill9,
    [Symbol.asyncDispose]: kill9,
  };
}
