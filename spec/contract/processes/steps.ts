import { AsyncLocalStorage } from 'node:async_hooks';

/**
 * The next step of a reader or a writer, in the protocol's words: a reader takes a *lease*, asks the *database* and
 * *fills*; a writer *marks*, *commits* and *settles*.
 */
export type Step = 'lease' | 'database' | 'fill' | 'mark' | 'commit' | 'settle';

/** Controls the steps of one read or write. */
export interface Steps {
  /** Called before each step. The step waits until it resolves. */
  before(step: Step): Promise<void>;
  /** Work that continues after the caller got its answer. */
  readonly background: Promise<unknown>[];
  /** the writer's id, once it has marked */
  writer?: string;
}

const storage = new AsyncLocalStorage<Steps>();

export function followed<T>(steps: Steps, run: () => Promise<T>): Promise<T> {
  return storage.run(steps, run);
}

export function currentSteps(): Steps | undefined {
  return storage.getStore();
}
