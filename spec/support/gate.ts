import { deferred } from './deferred.js';

/** A point in one flow of control at which a test holds it, to let something else happen first. */
export interface Gate {
  /** Called where the flow shall stop: waits until the gate is open. */
  pass(): Promise<void>;
  /** Resolves when somebody stands at the gate (or has gone through it). */
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
