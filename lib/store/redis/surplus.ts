import type { Redis } from 'ioredis';

/** What is not public of a client of ioredis. */
interface Insides {
  /** who waits for an answer, in the order of the answers */
  readonly commandQueue: { shift(): unknown };
}

/**
 * Tells of answers that nobody has asked for. After one, no answer is known to belong to its question: the connection is
 * of no more use. And if such an answer is null, ioredis would end the whole process with an error that nobody can
 * catch.
 */
export function onSurplusAnswer(client: Redis, tell: () => void): void {
  client.on('connect', () => {
    let told = false;
    const answered = () => {
      if (!told) {
        told = true;
        tell();
      }
    };
    const nobody = { command: { name: 'nobody', args: [], resolve: answered, reject: answered } };
    const { commandQueue } = client as unknown as Insides;
    const shift = commandQueue.shift;
    // no more answers than bytes: ioredis also empties the queue in a loop, which must come to an end
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
      return nobody;
    };
  });
}
