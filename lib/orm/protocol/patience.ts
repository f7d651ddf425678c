/** How long a caller waits for another caller's result, in milliseconds, before it computes its own. */
export const MAX_WAIT_MS = 5000;

/** Resolves when the work has settled, at the latest after {@link MAX_WAIT_MS}. */
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
