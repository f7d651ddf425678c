import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { atExit } from './at_exit.js';
import { until } from './until.js';

export interface ServerCommand {
  readonly command: string;
  readonly args: readonly string[];
  /** the file that takes its output, new at every start */
  readonly log: string;
  /** what it writes there once it can be used */
  readonly ready: string;
  /** what makes it end at once when this process does */
  readonly lastSignal: NodeJS.Signals;
  /** default: that of this process */
  readonly env?: NodeJS.ProcessEnv;
  /** whom to run it as */
  readonly user?: { uid: number; gid: number } | undefined;
}

export interface ServerProcess {
  readonly pid: number;
  /** Sends a signal that ends it, and waits until it has. */
  end(signal: NodeJS.Signals): Promise<void>;
}

/**
 * Starts a server and waits until it is ready. It ends with this process at the latest, and does not keep it alive.
 *
 * Its output goes to a file, not through a pipe: nobody reads a pipe while this process is busy, and a server whose
 * pipe is full stands still. It has a process group of its own, so that Ctrl+C leaves its end to us.
 */
export async function startServer(server: ServerCommand): Promise<ServerProcess> {
  const output = openSync(server.log, 'w');
  const child = spawn(server.command, server.args, {
    ...server.user,
    env: server.env ?? process.env,
    stdio: ['ignore', output, output],
    detached: true,
  });
  closeSync(output);
  await once(child, 'spawn');

  let ended = false;
  const forget = atExit(() => child.kill(server.lastSignal));
  const end = once(child, 'exit').then(() => {
    ended = true;
    forget();
  });

  const written = () => readFileSync(server.log, 'utf8');
  await until(() => ended || written().includes(server.ready), { timeout: 120_000 });
  if (ended) {
    throw new Error(`${basename(server.command)} ended before it was ready:\n${written()}`);
  }
  child.unref();

  return {
    pid: child.pid!,
    async end(signal) {
      child.ref();
      child.kill(signal);
      await end;
    },
  };
}
