import type { Redis } from 'ioredis';

/** Private members of an ioredis client. */
interface Insides {
  /** commands that wait for an answer, in order */
  readonly commandQueue: { shift(): unknown };
}

/**
 * Reports answers without a command. After one, answers can no longer be assigned to commands, so the connection must
 * be replaced. And if such an answer is null, ioredis would end the process with an error that cannot be caught.
 */
export function onSurplusAnswer(client: Redis, report: () => void): void {
  client.on('connect', () => {
    let isReported = false;
    const onAnswer = () => {
      if (!isReported) {
        isReported = true;
        report();
      }
    };
    const surplus = { command: { name: 'surplus', args: [], resolve: onAnswer, reject: onAnswer } };
    const { commandQueue } = client as unknown as Insides;
    const shift = commandQueue.shift;
    // at most one answer per byte, because ioredis also empties the queue in a loop, which must end
    let expected = 0;
    client.stream.prependListener('data', (data: Buffer) => {
      expected = data.length;
    });
    client.stream.on('data', () => {
      expected = 0;
    });
    commandQueue.shift = () => {
      const waiting = shift.call(commandQueue);
      if (waiting || expected === 0) {
        return waiting;
      }
      expected--;
      return surplus;
    };
  });
}
