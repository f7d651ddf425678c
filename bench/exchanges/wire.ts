import { Socket } from 'node:net';

/** What was sent to a server. */
export interface Traffic {
  /** round trips: runs of messages, each sent after an answer */
  exchanges: number;
  /** SQL texts, or names of commands */
  readonly messages: string[];
}

/** Counts what this process sends to a server, at its sockets. */
export class Wire implements Disposable {
  traffic: Traffic = { exchanges: 0, messages: [] };
  readonly #restore: () => void;

  /** @param read reads the messages of one write: a client writes whole messages */
  constructor(port: number, read: (bytes: Buffer) => string[]) {
    const { prototype } = Socket;
    const { write, push } = prototype;
    const waiting = new WeakSet<Socket>();
    const note = (socket: Socket, chunk: unknown) => {
      const messages = read(Buffer.from(chunk as Buffer));
      if (messages.length > 0) {
        this.traffic.messages.push(...messages);
        this.traffic.exchanges += Number(!waiting.has(socket));
        waiting.add(socket);
      }
    };
    prototype.write = function (this: Socket, ...args: Parameters<Socket['write']>) {
      if (this.remotePort === port) {
        note(this, args[0]);
      }
      return write.apply(this, args);
    } as Socket['write'];
    prototype.push = function (chunk, encoding) {
      waiting.delete(this);
      return push.call(this, chunk, encoding);
    };
    this.#restore = () => {
      Object.assign(prototype, { write, push });
    };
  }

  /** The traffic since the last call. */
  take(): Traffic {
    const { traffic } = this;
    this.traffic = { exchanges: 0, messages: [] };
    return traffic;
  }

  [Symbol.dispose](): void {
    this.#restore();
  }
}

/** Texts of queries (simple protocol) and of prepared statements; a further execution of one has the text `execute`. */
export function statementsIn(bytes: Buffer): string[] {
  const statements: string[] = [];
  let prepared: string | undefined;
  for (let at = 0; at + 5 <= bytes.length; at += 1 + bytes.readInt32BE(at + 1)) {
    const text = (from: number) => bytes.toString('utf8', from, bytes.indexOf(0, from));
    switch (String.fromCharCode(bytes[at]!)) {
      case 'Q':
        statements.push(text(at + 5));
        break;
      case 'P':
        prepared = text(bytes.indexOf(0, at + 5) + 1);
        break;
      case 'E':
        statements.push(prepared ?? 'execute');
        prepared = undefined;
        break;
      case '\0':
        return []; // the first message of a connection has no type
    }
  }
  return statements;
}

/** Names of commands: arrays of strings, each with its length. */
export function commandsIn(bytes: Buffer): string[] {
  const commands: string[] = [];
  const lengthAt = (from: number) => {
    const end = bytes.indexOf('\r\n', from);
    return { length: Number(bytes.toString('latin1', from + 1, end)), next: end + 2 };
  };
  for (let at = 0; at < bytes.length; ) {
    const array = lengthAt(at);
    at = array.next;
    for (let i = 0; i < array.length; i++) {
      const { length, next } = lengthAt(at);
      if (i === 0) {
        commands.push(bytes.toString('latin1', next, next + length).toLowerCase());
      }
      at = next + length + 2;
    }
  }
  return commands;
}
