import { AsyncLocalStorage } from 'node:async_hooks';
import { setImmediate } from 'node:timers/promises';
import { type Deferred, deferred } from '../../../support/deferred.js';

const current = new AsyncLocalStorage<Task<unknown>>();

/** A flow of control that runs from one possible stop to the next. */
export class Task<T> {
  readonly #held: Deferred<void>[] = [];
  readonly #works = new Set<Promise<unknown>>();
  #stopped = deferred();
  #isFree = false;
  #hasEnded = false;
  #answer: Promise<T> | undefined;

  /** Runs until the first stop. */
  static async start<T>(run: () => Promise<T>): Promise<Task<T>> {
    const task = new Task<T>();
    task.#answer = current.run(task as Task<unknown>, run);
    const ended = () => {
      task.#hasEnded = true;
      task.#stopped.resolve();
    };
    task.#answer.then(ended, ended);
    await task.#untilItStops();
    return task;
  }

  /** A possible stop. Code outside of a task goes on. */
  static async mayStop(): Promise<void> {
    await current.getStore()?.stop();
  }

  /** Work without stops: the task is not advanced until it has ended. */
  static async untilDone<T>(work: Promise<T>): Promise<T> {
    const task = current.getStore();
    if (!task) {
      return work;
    }
    task.#works.add(work);
    try {
      return await work;
    } finally {
      task.#works.delete(work);
    }
  }

  /** Whether there is an answer; background work may continue. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  get answer(): Promise<T> {
    return this.#answer!;
  }

  /** Whether all work has ended. */
  get isOver(): boolean {
    return this.#hasEnded && this.#held.length === 0;
  }

  async stop(): Promise<void> {
    // the task waits for work that a stop would block
    if (this.#isFree || this.#works.size > 0) {
      return;
    }
    const gate = deferred();
    this.#held.push(gate);
    this.#stopped.resolve();
    await gate.promise;
  }

  /** Runs to the next stop. */
  async advance(): Promise<void> {
    this.#stopped = deferred();
    if (this.#hasEnded) {
      this.#stopped.resolve();
    }
    this.#held.shift()?.resolve();
    await this.#untilItStops();
  }

  /** Runs to the end. */
  async finish(): Promise<void> {
    this.#isFree = true;
    for (const gate of this.#held.splice(0)) {
      gate.resolve();
    }
    await this.#answer!.catch(() => undefined);
    await rest();
  }

  async #untilItStops(): Promise<void> {
    await rest();
    while (this.#works.size > 0) {
      await Promise.allSettled(this.#works);
      await rest();
    }
    if (!this.#hasEnded && this.#held.length === 0) {
      await this.#stopped.promise;
      await this.#untilItStops();
    }
  }
}

/** Background work begins shortly after an answer, and takes no time. */
async function rest(): Promise<void> {
  for (let i = 0; i < 3; i++) {
    await setImmediate();
  }
}
