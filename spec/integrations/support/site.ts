import { type IncomingHttpHeaders, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Readable } from 'node:stream';

/** What a page answers; each framework says it in its own way. */
export interface Reply {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  /** an object is sent as JSON */
  readonly body?: string | Buffer | Readable | object;
}

/** A page as all frameworks have it. */
export interface Route {
  readonly path: string;
  /** left out: kept for some time */
  readonly samples?: unknown;
  /** of the view; its functions take whatever the framework hands them */
  readonly options?: object;
  readonly page: (asked: {
    readonly method: string;
    field(name: string): string | undefined;
  }) => Reply | Promise<Reply>;
}

/** How a framework is used. */
export interface Framework {
  readonly name: string;
  /** a field of the request, from what the functions of options are given */
  field(native: any, name: string): string | undefined;
  /** serves routes on a port of 127.0.0.1, with middleware around that gives every answer the field `x-request` */
  serve(routes: readonly Route[]): Promise<Site>;
}

export interface Site {
  readonly origin: string;
  close(): Promise<void>;
}

export interface Got {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** Asks over HTTP, with these fields and no others. */
export function ask(url: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Got> {
  const { promise, resolve, reject } = Promise.withResolvers<Got>();
  const { hostname, port } = new URL(url);
  // not through a URL, which would put the target in order
  const path = url.replace(/^http:\/\/[^/]*/, '');
  request({ hostname, port, path, headers, method, agent: false }, response => {
    const chunks: Buffer[] = [];
    response.on('data', chunk => chunks.push(chunk));
    response.on('error', reject);
    response.on('end', () =>
      resolve({ status: response.statusCode!, headers: response.headers, body: Buffer.concat(chunks) }),
    );
  })
    .on('error', reject)
    .end();
  return promise;
}

/** Listens on any port. */
export async function listen(server: Server): Promise<Site> {
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise(resolve => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

let requests = 0;

/** What middleware around the view gives every request of its own. */
export function nextRequestId(): string {
  return `r${++requests}`;
}
