interface Waiting {
  /** by `performance.now` */
  deadline: number;
  readonly reject: (error: Error) => void;
}

/** Of a timer, in milliseconds: who is later than this was kept from being on time. */
const HELD_UP = 20;

/**
 * Gives up answers that do not come. One timer watches over all that is waited for: a timer for each would cost more
 * than the rest of a hit.
 *
 * A timer that is due says only that time has passed, not that there was no answer. While the process is busy with
 * something else, answers lie unread, and when it is done its timers come before its sockets. So nobody is given up
 * before the sockets had their turn; and if the timer was held up, nobody before there was time to be heard in.
 */
export class Watchdog {
  /** in the order of their deadlines, since all wait equally long */
  readonly #waiting = new Set<Waiting>();
  #timer: NodeJS.Timeout | undefined;

  /**
   * @param timeout how long each is waited for, in milliseconds
   * @param error what it is given up with
   */
  constructor(
    readonly timeout: number,
    readonly error: () => Error,
  ) {}

  /** The answer, or a rejection if there is none in time. */
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
      // left running when there is nothing to wait for: most often there soon is
      this.#timer ??= this.#watch(waiting.deadline);
    });
  }

  #watch(deadline: number): NodeJS.Timeout {
    const timer = setTimeout(
      () => {
        const heldUp = performance.now() - deadline > HELD_UP;
        // which comes after the sockets have been read
        setImmediate(() => this.#look(heldUp));
      },
      Math.max(0, deadline - performance.now()),
    );
    // what is waited for has a socket, which keeps the process alive
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
