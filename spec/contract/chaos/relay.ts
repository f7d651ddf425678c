import { once } from 'node:events';
import { type AddressInfo, createConnection, createServer, type Socket } from 'node:net';

/** A chunk that one side of a connection sends. */
export interface Chunk {
  readonly data: Buffer;
  readonly by: 'client' | 'server';
  readonly client: Socket;
  readonly server: Socket;
}

/** Decides what to forward, and when. `undefined` forwards nothing. Later chunks of the same side wait for it. */
export type Interference = (chunk: Chunk) => Buffer | undefined | Promise<Buffer | undefined>;

/** A connection between clients and a server that can be disturbed. */
export interface Relay extends AsyncDisposable {
  readonly port: number;
  /** the server for new connections; open connections keep theirs */
  target: number;
  /** if omitted, everything is forwarded unchanged */
  interfere: Interference | undefined;
  /** whether new connections are refused */
  closed: boolean;
  /** Ends all connections at once. */
  cut(): void;
}

/** @param target port of the server */
export async function startRelay(target: number): Promise<Relay> {
  const sockets = new Set<Socket>();

  const keep = (socket: Socket) => {
    sockets.add(socket);
    socket.setNoDelay(true);
    socket.on('close', () => sockets.delete(socket)).on('error', () => {});
  };
  const cut = () => {
    for (const socket of sockets) {
      socket.destroy();
    }
  };
  const listener = createServer({ allowHalfOpen: true }, client => {
    keep(client);
    if (relay.closed) {
      client.destroy();
      return;
    }
    const server = createConnection({ port: relay.target, host: '127.0.0.1', allowHalfOpen: true });
    keep(server);
    for (const [from, to, by] of [
      [client, server, 'client'],
      [server, client, 'server'],
    ] as const) {
      let turn: Promise<void> = Promise.resolve();
      from.on('data', data => {
        turn = turn.then(async () => {
          const passed = relay.interfere ? await relay.interfere({ data, by, client, server }) : data;
          if (passed && to.writable) {
            to.write(passed);
          }
        });
      });
      from.on('end', () => {
        turn = turn.then(() => void to.end());
      });
      from.on('close', () => to.destroy());
    }
  });
  await once(listener.listen(0, '127.0.0.1'), 'listening');

  const relay: Relay = {
    port: (listener.address() as AddressInfo).port,
    target,
    interfere: undefined,
    closed: false,
    cut,
    async [Symbol.asyncDispose]() {
      listener.close();
      cut();
      await once(listener, 'close');
    },
  };
  return relay;
}

/** The same URL, through a relay. */
export function through({ port }: Relay, url: string): string {
  return Object.assign(new URL(url), { host: `127.0.0.1:${port}` }).href;
}

export function portOf(url: string): number {
  return Number(new URL(url).port);
}

/**
 * Withholds the answer to the next COMMIT: the transaction is committed, and the database cannot be reached afterwards.
 */
export function loseAnswerOfCommit(relay: Relay): void {
  let isCommitting = false;
  relay.interfere = ({ data, by }) => {
    isCommitting ||= by === 'client' && /\bcommit\b/i.test(data.toString('latin1'));
    if (by === 'client' || !isCommitting) {
      return data;
    }
    relay.closed = true;
    relay.cut();
    return undefined;
  };
}
