// taken before a test installs a fake clock
const { setTimeout } = globalThis;
const now = performance.now.bind(performance);

/**
 * Polls until `condition` holds, and returns its truthy value. Errors of `condition` are passed on.
 *
 * @param options.timeout how long to wait before failing, in milliseconds (default 60,000)
 * @param options.interval milliseconds between two polls (default 5)
 */
export async function until<T>(
  condition: () => T | Promise<T>,
  { timeout = 60_000, interval = 5 } = {},
): Promise<T> {
  const deadline = now() + timeout;
  for (;;) {
    const value = await condition();
    if (value) {
      return value;
    }
    if (now() > deadline) {
      throw new Error(`Not true after ${timeout} ms: ${condition}`);
    }
    await new Promise<void>(resolve => setTimeout(resolve, interval));
  }
}
