/**
 * A process that reads and writes on its parent's orders, and may be killed at any step.
 *
 * Argument: a {@link Place} as JSON.
 */
import { setImmediate } from 'node:timers/promises';
import { deferred } from '../../support/deferred.js';
import { type Gate, gate } from '../../support/gate.js';
import { breakRule } from '../chaos/broken.js';
import type { Order, Report } from './messages.js';
import { openOrm, type Place } from './open.js';
import { followed, type Step, type Steps } from './steps.js';
import { tasks } from './tasks.js';

const place: Place = JSON.parse(process.argv[2]!);
const { orm, store } = await openOrm(place);
if (place.broken) {
  breakRule(place.broken, store);
}
await orm.connect();
const gates = new Map<number, Gate>();

process.on('disconnect', () => process.exit());
process.on('message', (order: Order) => {
  switch (order.kind) {
    case 'run':
      void run(order);
      break;
    case 'go':
      gates.get(order.id)!.open();
      break;
    case 'die':
      die();
  }
});
send({ kind: 'ready' });

async function run({ id, task, args, stepwise }: Order & { kind: 'run' }): Promise<void> {
  try {
    send({ kind: 'end', id, answer: await (stepwise ? runStepwise(id, task, args) : perform(task, args)) });
  } catch (error) {
    send({ kind: 'failure', id, message: error instanceof Error ? error.stack! : String(error) });
  }
}

/** Ends when background work has ended as well. */
async function runStepwise(id: number, task: string, args: readonly unknown[]): Promise<unknown> {
  let earlier = Promise.resolve();
  const taken = new Set<Step>();
  let over = false;
  const steps: Steps = {
    background: [],
    async before(step) {
      // one step at a time
      const turn = earlier;
      const { promise, resolve } = deferred();
      earlier = promise;
      await turn;
      // a retried lease belongs to the same step, and a failed run does not stop again
      if (taken.has(step) || over) {
        resolve();
        return;
      }
      taken.add(step);
      const stop = gate();
      gates.set(id, stop);
      send({ kind: 'stop', id, step });
      await stop.pass();
      resolve();
    },
  };
  try {
    const answer = await followed(steps, () => perform(task, args));
    await setImmediate(); // a fill is sent after the answer was returned
    await Promise.all(steps.background);
    return answer;
  } finally {
    over = true;
  }
}

function perform(task: string, args: readonly unknown[]): Promise<unknown> {
  return tasks[task]!(orm.em.fork(), ...args);
}

function die(): void {
  for (const stop of gates.values()) {
    stop.open();
  }
  // Everything that does not wait for another process runs first, so that the bytes are on their way to the servers.
  // Their answers would arrive later.
  setImmediate().then(() => process.kill(process.pid, 'SIGKILL'));
}

function send(report: Report): void {
  process.send!(report);
}
