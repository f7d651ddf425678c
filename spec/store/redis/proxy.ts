import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { once } from 'node:events';

/** Stands between a client and a server, and can be told to misbehave. */
export interface Proxy {
  readonly url: string;
  /**
   * - `pass`: what the client and the server say goes on
   * - `stall`: what either says waits, until it passes again
   * - `swallow`: the server hears the client, whose answers are lost
   */
  mode: 'pass' | 'stall' | 'swallow';
  /** Says this to all clients. */
  say(bytes: string | Uint8Array): void;
  /** Ends all connections at once. */
  cut(): void;
  stop(): Promise<void>;
}

/** @param target port; without one, a server that accepts and never answers */
export async function startProxy(target?: number): Promise<Proxy> {
  const sockets = new Set<Socket>();
  const clients = new Set<Socket>();
  let mode: Proxy['mode'] = 'pass';
  const held: (() => void)[] = [];

  const keep = (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {});
  };
  const forward = (from: Socket, to: Socket, isAnswer: boolean) => {
    from.on('data', data => {
      if (mode === 'pass' || (mode === 'swallow' && !isAnswer)) {
        to.write(data);
      } else if (mode === 'stall') {
        held.push(() => to.write(data));
      }
    });
    from.on('close', () => to.destroy());
  };

  const server: Server = createServer(client => {
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
