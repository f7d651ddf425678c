import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { atExit } from './at_exit.js';
import { until } from './until.js';

export interface ServerCommand {
  readonly command: string;
  readonly args: readonly string[];
  /** the file for its output, new at every start */
  readonly log: string;
  /** the output that shows that it is ready */
  readonly ready: string;
  /** the signal that ends it at once when this process ends */
  readonly lastSignal: NodeJS.Signals;
  /** default: that of this process */
  readonly env?: NodeJS.ProcessEnv;
  /** the user to run it as */
  readonly user?: { uid: number; gid: number } | undefined;
}

export interface ServerProcess {
  readonly pid: number;
  /** Sends a signal that ends it, and waits for the end. */
  end(signal: NodeJS.Signals): Promise<void>;
}

/**
 * Starts a server and waits until it is ready. It ends no later than this process, and does not keep it alive.
 *
 * Its output goes to a file, because this process does not read a pipe while it is busy, and a server blocks on a full
 * pipe. It has its own process group, so that Ctrl+C does not reach it and this process ends it.
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
