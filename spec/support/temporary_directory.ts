import { chownSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { atExit } from './at_exit.js';

export interface TemporaryDirectory {
  readonly path: string;
  remove(): void;
}

/** A new empty directory, removed when this process ends at the latest. */
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
 * A server that was told to end a moment ago may still be writing here. (`maxRetries` of `rmSync` is of no use: it
 * gives up without an error.)
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

/** Blocks: when the process ends there is no other way to wait. */
function sleep(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}
