import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { type Deferred, deferred } from '../../support/deferred.js';
import type { Order, Report } from './messages.js';
import type { Place } from './open.js';
import type { Step } from './steps.js';

const PROGRAM = fileURLToPath(new URL('./program.js', import.meta.url));

/** Another process with its own ORM. It ends no later than this process. */
export class Child implements AsyncDisposable {
  readonly #process: ChildProcess;
  readonly #exit: Promise<unknown>;
  readonly #runs = new Map<number, Run<any>>();
  readonly #ready = deferred();
  #lastId = 0;
  #dying = false;

  static async start(place: Place): Promise<Child> {
    const child = new Child(fork(PROGRAM, [JSON.stringify(place)], { execArgv: [] }));
    await child.#ready.promise;
    return child;
  }

  private constructor(process: ChildProcess) {
    this.#process = process;
    this.#exit = once(process, 'exit').then(() => this.#gone());
    process.on('message', (report: Report) => this.#handle(report));
  }

  /** Runs a task to its end. */
  async do<T>(task: string, ...args: readonly unknown[]): Promise<T> {
    const run = this.#newRun<T>({ task, args, stepwise: false });
    await run.next();
    return run.answer;
  }

  /** Runs a task step by step: it stops before each step until {@link Run.next} is called. */
  stepwise<T>(task: string, ...args: readonly unknown[]): Run<T> {
    return this.#newRun<T>({ task, args, stepwise: true });
  }

  get pid(): number {
    return this.#process.pid!;
  }

  /** Resolves when the process has ended, in any way. */
  get ended(): Promise<unknown> {
    return this.#exit;
  }

  /** Kills the process between two steps. */
  async kill(): Promise<void> {
    this.#dying = true;
    this.#process.kill('SIGKILL');
    await this.#killed();
  }

  /** Sends all pending steps, and kills the process before it gets the answers. */
  async dieTakingStep(): Promise<void> {
    this.#dying = true;
    this.#process.send({ kind: 'die' } satisfies Order);
    await this.#killed();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#dying = true;
    if (this.#process.connected) {
      this.#process.disconnect();
    }
    await this.#exit;
  }

  async #killed(): Promise<void> {
    await this.#exit;
    if (this.#process.signalCode !== 'SIGKILL') {
      throw new Error(
        `The process ended by ${this.#process.signalCode ?? this.#process.exitCode}, not by SIGKILL.`,
      );
    }
  }

  #newRun<T>(what: Pick<Order & { kind: 'run' }, 'task' | 'args' | 'stepwise'>): Run<T> {
    const id = ++this.#lastId;
    const send = (order: Order) => this.#process.send(order);
    const run = new Run<T>(isFirst => send(isFirst ? { kind: 'run', id, ...what } : { kind: 'go', id }));
    this.#runs.set(id, run);
    return run;
  }

  #handle(report: Report): void {
    if (report.kind === 'ready') {
      this.#ready.resolve();
      return;
    }
    const run = this.#runs.get(report.id)!;
    switch (report.kind) {
      case 'stop':
        run.stopped(report.step);
        break;
      case 'end':
        this.#runs.delete(report.id);
        run.ended(report.answer);
        break;
      case 'failure':
        this.#runs.delete(report.id);
        run.failed(new Error(report.message));
    }
  }

  #gone(): void {
    const { signalCode, exitCode } = this.#process;
    const error = new Error(`The process ended by ${signalCode ?? exitCode}.`);
    this.#ready.reject(error);
    if (!this.#dying) {
      for (const run of this.#runs.values()) {
        run.failed(error);
      }
    }
  }
}

/** One read or write of a child. */
export class Run<T> {
  readonly #proceed: (isFirst: boolean) => void;
  readonly #answer = deferred<T>();
  #next: Deferred<Step | undefined> | undefined;
  #state: 'new' | 'stopped' | 'ended' = 'new';

  constructor(proceed: (isFirst: boolean) => void) {
    this.#proceed = proceed;
    this.#answer.promise.catch(() => {}); // a caller of `next()` gets the error
  }

  get answer(): Promise<T> {
    return this.#answer.promise;
  }

  /** Takes the pending step. Resolves with the next pending step, or `undefined` at the end. */
  async next(): Promise<Step | undefined> {
    if (this.#state === 'ended') {
      return undefined;
    }
    this.#next = deferred();
    this.#proceed(this.#state === 'new');
    return this.#next.promise;
  }

  /** @throws Error if the run ends before that step */
  async upTo(step: Step): Promise<void> {
    for (let at = await this.next(); at !== step; at = await this.next()) {
      if (at === undefined) {
        throw new Error(`The run ended without a step '${step}'.`);
      }
    }
  }

  async toTheEnd(): Promise<T> {
    while (await this.next()) {
      // take all remaining steps
    }
    return this.answer;
  }

  stopped(step: Step): void {
    this.#state = 'stopped';
    this.#next?.resolve(step);
  }

  ended(answer: T): void {
    this.#state = 'ended';
    this.#answer.resolve(answer);
    this.#next?.resolve(undefined);
  }

  failed(error: Error): void {
    this.#state = 'ended';
    this.#answer.reject(error);
    this.#next?.reject(error);
  }
}
