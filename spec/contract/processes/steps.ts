import { AsyncLocalStorage } from 'node:async_hooks';

/**
 * What a reader or a writer does next, in the protocol's words: a reader takes a *lease*, asks the *database* and
 * *fills*; a writer *marks*, *commits* and *settles*.
 */
export type Step = 'lease' | 'database' | 'fill' | 'mark' | 'commit' | 'settle';

/** Follows one read or write through its steps. */
export interface Steps {
  /** Called before each of them, which is not taken before this resolves. */
  before(step: Step): Promise<void>;
  /** Work that goes on after the caller was answered. */
  readonly background: Promise<unknown>[];
  /** the id of the writer, once it has marked */
  writer?: string;
}

const storage = new AsyncLocalStorage<Steps>();

export function followed<T>(steps: Steps, run: () => Promise<T>): Promise<T> {
  return storage.run(steps, run);
}

export function currentSteps(): Steps | undefined {
  return storage.getStore();
}
