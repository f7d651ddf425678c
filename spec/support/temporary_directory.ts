import { chownSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { atExit } from './at_exit.js';

export interface TemporaryDirectory {
  readonly path: string;
  remove(): void;
}

/** A new empty directory, removed no later than this process ends. */
export function temporaryDirectory(name: string, owner?: { uid: number; gid: number }): TemporaryDirectory {
  const path = mkdtempSync(join(tmpdir(), `mikro-orm-cacheops-${name}-`));
  if (owner) {
    chownSync(path, owner.uid, owner.gid);
  }
  const forget = atExit(() => removeAll(path));

  return {
    path,
    remove() {
      forget();
      removeAll(path);
    },
  };
}

/**
 * A server that is ending may still write here. (`maxRetries` of `rmSync` does not help: it gives up without an error.)
 */
function removeAll(path: string): void {
  for (let attempt = 1; existsSync(path); attempt++) {
    try {
      rmSync(path, { recursive: true, force: true });
    } catch (error) {
      if (attempt === ATTEMPTS) {
        throw error;
      }
      sleep(50);
    }
  }
}

const ATTEMPTS = 100;

/** Blocks, because an exit handler cannot wait in another way. */
function sleep(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}
