/** The longest that a caller waits for another caller's answer, in milliseconds. After that it computes its own. */
export const MAX_WAIT_MS = 5000;

/**
 * Settles when some work has ended, well or not, or when it has gone on for {@link MAX_WAIT_MS}: one that hangs holds up
 * no other for longer.
 */
export function endOrMaxWait(work: Promise<unknown>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, MAX_WAIT_MS);
  timer.unref();
  const end = () => {
    clearTimeout(timer);
    resolve();
  };
  work.then(end, end);
  return promise;
}
