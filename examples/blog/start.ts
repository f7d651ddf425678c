import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { atExit } from '../../spec/support/at_exit.js';
import { startPostgres } from '../../spec/support/postgres.js';
import { startRedis } from '../../spec/support/redis.js';
import { prepare } from './database.js';

/** `npm run example`: starts the blog, with its own servers unless some are given, and stops these at the end. */
const {
  DATABASE_URL = (await startPostgres()).url,
  REDIS_URL = (await startRedis()).url,
  PORT = '3000',
} = process.env;
await prepare(DATABASE_URL);
console.log(`To edit it in another process:
  DATABASE_URL=${DATABASE_URL} REDIS_URL=${REDIS_URL} PORT=3001 node dist/examples/blog/main.js
  curl -d title=Changed http://127.0.0.1:3001/admin/articles/1
and to look at the page, twice (who has an Age comes from the cache):
  curl -i http://127.0.0.1:${PORT}/articles/1`);

const env = { ...process.env, DATABASE_URL, REDIS_URL, PORT };
const blog = spawn(process.execPath, [join(import.meta.dirname, 'main.js')], { env, stdio: 'inherit' });
// before the servers, which stop last
atExit(() => blog.kill());
await once(blog, 'exit');
process.exit(blog.exitCode ?? 0);
