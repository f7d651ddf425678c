import { once } from 'node:events';
import { type AddressInfo, createConnection, createServer, type Socket } from 'node:net';

/** A connection from an ORM to its store, which can be disturbed. */
export interface Wire {
  readonly url: string;
  /**
   * - `pass`: everything is forwarded
   * - `stall`: data wait until the wire passes again
   * - `refuse`: connections are closed, and new ones as well
   * - `garble`: the server's answers are unreadable
   */
  mode: 'pass' | 'stall' | 'refuse' | 'garble';
  /** Closes the connection after this many further bytes from the server. */
  cutAfter(bytes: number): void;
  stop(): Promise<void>;
}

/** @param port of the server */
export async function startWire(port: number): Promise<Wire> {
  const sockets = new Set<Socket>();
  const waiting: (() => void)[] = [];
  let mode: Wire['mode'] = 'pass';
  let left = Number.POSITIVE_INFINITY;

  const keep = (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => {});
  };
  const cut = () => {
    for (const socket of sockets) {
      socket.destroy();
    }
  };
  const answer = (client: Socket, data: Buffer) => {
    if (mode === 'garble') {
      client.write(data.map(byte => byte ^ 0x15));
      return;
    }
    client.write(data.subarray(0, left));
    left -= data.length;
    if (left <= 0) {
      left = Number.POSITIVE_INFINITY;
      client.end(() => client.destroy());
    }
  };
  const whenItPasses = (say: () => void) => {
    if (mode === 'stall') {
      waiting.push(say);
    } else {
      say();
    }
  };

  const listener = createServer(client => {
    keep(client);
    if (mode === 'refuse') {
      client.destroy();
      return;
    }
    const server = createConnection(port, '127.0.0.1');
    keep(server);
    client.on('data', data => whenItPasses(() => server.write(data)));
    server.on('data', data => whenItPasses(() => answer(client, data)));
    client.on('close', () => server.destroy());
    server.on('close', () => client.destroy());
  });
  await once(listener.listen(0, '127.0.0.1'), 'listening');

  return {
    url: `redis://127.0.0.1:${(listener.address() as AddressInfo).port}`,
    get mode() {
      return mode;
    },
    set mode(next) {
      mode = next;
      if (mode === 'refuse') {
        cut();
      } else if (mode !== 'stall') {
        for (const say of waiting.splice(0)) {
          say();
        }
      }
    },
    cutAfter(bytes) {
      left = bytes;
    },
    async stop() {
      cut();
      listener.close();
      await once(listener, 'close');
    },
  };
}
