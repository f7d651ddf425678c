import type { TableLimits } from '../../lib/store/limits.js';
import type { Store } from '../../lib/store/store.js';

/** A store under test, and what a test may do to it behind its back. */
export interface Subject {
  readonly store: Store;
  /** another process' view of the same; the same one where only one process is served */
  readonly other: Store;
  /** Deletes one key, as named in `Keys` with no prefix. */
  evict(key: string): Promise<void>;
  /** Advances the time of the store by this many seconds. */
  pass(seconds: number): Promise<void>;
  /** Closes the store and removes what it has kept. */
  end(): Promise<void>;
}

export type MakeSubject = (limits?: Partial<TableLimits>) => Promise<Subject>;

/** Makes subjects for the tests of the suite that this is called in, and ends them after each. */
export function subjects(make: MakeSubject): MakeSubject {
  const made: Subject[] = [];

  afterEach(async () => {
    await Promise.all(made.splice(0).map(subject => subject.end()));
  });

  return async limits => {
    const subject = await make(limits);
    made.push(subject);
    return subject;
  };
}
