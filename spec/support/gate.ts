import { deferred } from './deferred.js';

/** A point at which a test stops one flow of control, so that something else happens first. */
export interface Gate {
  /** Waits until the gate is open. Called at the point to stop at. */
  pass(): Promise<void>;
  /** Resolves when a flow of control has arrived at the gate. */
  readonly reached: Promise<void>;
  open(): void;
}

export function gate(): Gate {
  const reached = deferred();
  const opened = deferred();

  return {
    reached: reached.promise,
    open: () => opened.resolve(),
    pass() {
      reached.resolve();
      return opened.promise;
    },
  };
}
