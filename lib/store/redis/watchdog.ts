interface Waiting {
  /** by `performance.now` */
  deadline: number;
  readonly reject: (error: Error) => void;
}

/** A timer that fires later than this, in milliseconds, was delayed by a busy process. */
const HELD_UP = 20;

/**
 * Rejects answers that take too long. One timer serves all of them, because a timer for each would cost more than the
 * rest of a hit.
 *
 * A timer that fires does not prove that there was no answer: while the process is busy, answers remain unread, and its
 * timers run before its sockets are read. So an answer is rejected only after the sockets were read; and if the timer
 * was delayed, all deadlines are extended.
 */
export class Watchdog {
  /** in the order of their deadlines, because all have the same timeout */
  readonly #waiting = new Set<Waiting>();
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param timeout of each answer, in milliseconds
   * @param error creates the error of a rejection
   */
  constructor(
    readonly timeout: number,
    readonly error: () => Error,
  ) {}

  /** The answer; rejects after the timeout. */
  wait<T>(answer: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const waiting: Waiting = { deadline: performance.now() + this.timeout, reject };
      this.#waiting.add(waiting);
      answer.then(
        value => {
          this.#waiting.delete(waiting);
          resolve(value);
        },
        error => {
          this.#waiting.delete(waiting);
          reject(error);
        },
      );
      // keeps running without answers to wait for, because usually there soon are some
      this.#timer ??= this.#watch(waiting.deadline);
    });
  }

  #watch(deadline: number): NodeJS.Timeout {
    const timer = setTimeout(
      () => {
        const heldUp = performance.now() - deadline > HELD_UP;
        // runs after the sockets have been read
        setImmediate(() => this.#look(heldUp));
      },
      Math.max(0, deadline - performance.now()),
    );
    // the socket of a pending answer keeps the process alive
    return timer.unref();
  }

  #look(heldUp: boolean): void {
    const now = performance.now();
    for (const waiting of this.#waiting) {
      if (heldUp) {
        waiting.deadline = now + this.timeout;
      } else if (waiting.deadline <= now) {
        this.#waiting.delete(waiting);
        waiting.reject(this.error());
      }
    }
    const [next] = this.#waiting;
    this.#timer = next && this.#watch(next.deadline);
  }
}
