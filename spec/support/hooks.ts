import fc from 'fast-check';
import { SEED } from './seed.js';
import { stopServers } from './servers.js';

/** How long after the last test something may still be open, in milliseconds. */
const GRACE = 10_000;

process.setSourceMapsEnabled(true);
fc.configureGlobal({ seed: SEED });

export const mochaHooks = {
  beforeAll(): void {
    console.log(`\n  with SEED=${SEED}`);
  },
  async afterAll(this: Mocha.Context): Promise<void> {
    // a server that is not ours may take its time to drop databases
    this.timeout(120_000);
    await stopServers();
    setTimeout(failForLeaks, GRACE).unref();
  },
};

/** Mocha waits for whatever a test has left open; a run that never ends says less than one that fails. */
function failForLeaks(): void {
  console.error(
    `Still open ${GRACE / 1000} s after the last test: ${process.getActiveResourcesInfo().join(', ')}`,
  );
  // said last, since Mocha's own listener sets the exit code from the number of failures
  process.once('exit', () => {
    process.exitCode = 1;
  });
  process.exit();
}
