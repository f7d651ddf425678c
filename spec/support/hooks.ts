import fc from 'fast-check';
import { SEED } from './seed.js';
import { stopServers } from './servers.js';

/** How long resources may stay open after the last test, in milliseconds. */
const GRACE = 10_000;

process.setSourceMapsEnabled(true);
fc.configureGlobal({ seed: SEED });

export const mochaHooks = {
  beforeAll(): void {
    console.log(`\n  with SEED=${SEED}`);
  },
  async afterAll(this: Mocha.Context): Promise<void> {
    // an external server may take long to drop databases
    this.timeout(120_000);
    await stopServers();
    setTimeout(failForLeaks, GRACE).unref();
  },
};

/** Fails the run if a test leaves resources open. Mocha would wait for them forever. */
function failForLeaks(): void {
  console.error(
    `Still open ${GRACE / 1000} s after the last test: ${process.getActiveResourcesInfo().join(', ')}`,
  );
  // registered last, because Mocha's own listener sets the exit code from the number of failures
  process.once('exit', () => {
    process.exitCode = 1;
  });
  process.exit();
}
