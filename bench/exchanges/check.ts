import { countExchanges } from './count.js';
import { differences, report } from './report.js';

/** Prints the counts. Sets the exit code if they differ from the expectation. */
export async function check(): Promise<void> {
  const counted = await countExchanges();
  console.log(report(counted));
  const different = differences(counted);
  if (different.length > 0) {
    console.error(`\nThese counts differ from bench/exchanges/expected.ts:\n${different.join('\n')}`);
    process.exitCode = 1;
  }
}
