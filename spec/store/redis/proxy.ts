import { once } from 'node:events';
import { createConnection, createServer, type Server, type Socket } from 'node:net';

/** A proxy between a client and a server that can misbehave. */
export interface RedisProxy {
  readonly url: string;
  /** how many clients it has had */
  readonly connections: number;
  /**
   * - `pass`: what the client and the server say goes on
   * - `stall`: what either says waits, until it passes again
   */
  mode: 'pass' | 'stall';
  /** From now on the server hears the clients that are connected, but they do not hear it. */
  swallow(): void;
  /** The next answer of the server is not heard. */
  loseAnswer(): void;
  /** The next request of a client with this command is not heard. Resolves when it has been sent. */
  loseRequest(command?: string): Promise<void>;
  /** Says this to all clients. */
  say(bytes: string | Uint8Array): void;
  /** Ends all connections at once. */
  cut(): void;
  stop(): Promise<void>;
}

/** @param target port; without one, a server that accepts and never answers */
export async function startProxy(target?: number): Promise<RedisProxy> {
  const sockets = new Set<Socket>();
  const clients = new Set<Socket>();
  const deaf = new WeakSet<Socket>();
  let mode: RedisProxy['mode'] = 'pass';
  const held: (() => void)[] = [];
  let connections = 0;
  let losing = false;
  let losingRequest: { readonly command: string; resolve(): void } | undefined;

  const keep = (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
  };
  const forward = (from: Socket, to: Socket, isAnswer: boolean) => {
    from.on('data', data => {
      if (isAnswer && (deaf.has(to) || losing)) {
        losing = false;
        return;
      }
      if (!isAnswer && losingRequest && data.includes(losingRequest.command)) {
        losingRequest.resolve();
        losingRequest = undefined;
        return;
      }
      if (mode === 'pass') {
        to.write(data);
      } else {
        held.push(() => to.write(data));
      }
    });
    from.on('close', () => to.destroy());
  };

  const server: Server = createServer(client => {
    connections++;
    keep(client);
    clients.add(client);
    client.on('close', () => clients.delete(client));
    if (target === undefined) {
      client.resume();
      return;
    }
    const upstream = createConnection(target, '127.0.0.1');
    keep(upstream);
    forward(client, upstream, false);
    forward(upstream, client, true);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const cut = () => {
    for (const socket of sockets) {
      socket.destroy();
    }
  };

  return {
    url: `redis://127.0.0.1:${typeof address === 'object' && address?.port}`,
    get connections() {
      return connections;
    },
    get mode() {
      return mode;
    },
    set mode(next) {
      mode = next;
      if (mode === 'pass') {
        for (const release of held.splice(0)) {
          release();
        }
      }
    },
    swallow() {
      for (const client of clients) {
        deaf.add(client);
      }
    },
    loseAnswer() {
      losing = true;
    },
    loseRequest(command = '') {
      const { promise, resolve } = Promise.withResolvers<void>();
      losingRequest = { command, resolve };
      return promise;
    },
    say(bytes) {
      for (const client of clients) {
        client.write(bytes);
      }
    },
    cut,
    async stop() {
      cut();
      server.close();
      await once(server, 'close');
    },
  };
}
