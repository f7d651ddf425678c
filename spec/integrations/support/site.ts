import { type IncomingHttpHeaders, request, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Readable } from 'node:stream';

/** What a page answers; each framework says it in its own way. */
export interface Reply {
  readonly status?: number;
  /** the status message; of HTTP/1, where the framework has a way to set one */
  readonly message?: string;
  readonly headers?: Readonly<Record<string, string | string[]>>;
  /** an object is sent as JSON */
  readonly body?: string | Buffer | Readable | object;
}

/** A page as all frameworks have it. */
export interface Route {
  readonly path: string;
  /** left out: kept for some time */
  readonly samples?: unknown;
  /** the value of the request's field `user-agent` by which this route is chosen among those of its path; put it first */
  readonly role?: string;
  /** fields that middleware sets before the view runs */
  readonly before?: (field: Field) => Fields;
  /** fields that middleware around the view sets when the answer is about to be sent */
  readonly late?: (field: Field) => Fields;
  /** of the view; its functions take the framework's request */
  readonly options?: object;
  readonly page: (asked: {
    readonly method: string;
    field: Field;
    /** takes a field of the response away that is there already */
    remove(name: string): void;
  }) => Reply | Promise<Reply>;
}

export type Field = (name: string) => string | undefined;
export type Fields = Readonly<Record<string, string | string[]>>;

/** How a framework is used. */
export interface Framework {
  readonly name: string;
  /** it has no way to set a status message */
  readonly withoutMessage?: boolean;
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
  readonly message: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** Asks over HTTP, with these fields and no others. */
export function ask(
  url: string,
  headers: Record<string, string> = {},
  method = 'GET',
  body?: string,
): Promise<Got> {
  const { promise, resolve, reject } = Promise.withResolvers<Got>();
  const { hostname, port } = new URL(url);
  // not through a URL, which would put the target in order
  const path = url.replace(/^http:\/\/[^/]*/, '');
  request({ hostname, port, path, headers, method, agent: false }, response => {
    const chunks: Buffer[] = [];
    response.on('data', chunk => chunks.push(chunk));
    response.on('error', reject);
    response.on('end', () =>
      resolve({
        status: response.statusCode!,
        message: response.statusMessage!,
        headers: response.headers,
        body: Buffer.concat(chunks),
      }),
    );
  })
    .on('error', reject)
    .end(body);
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

/** Sets fields of a response when its head is about to be written, as middleware does that waits for that moment. */
export function setLate(response: ServerResponse, late: () => Fields | undefined): void {
  const writeHead = response.writeHead as (...args: unknown[]) => ServerResponse;
  response.writeHead = ((...args: unknown[]) => {
    for (const [name, value] of Object.entries(late() ?? {})) {
      response.setHeader(name, value);
    }
    return writeHead.apply(response, args);
  }) as never;
}

let requests = 0;

/** What middleware around the view gives every request of its own. */
export function nextRequestId(): string {
  return `r${++requests}`;
}
