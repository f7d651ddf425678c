import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecureServer, request as secureRequest } from 'node:https';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type { TLSSocket } from 'node:tls';
import { expect } from 'chai';
import { cachedView, cachedViewAs, type Handler } from '../../lib/integrations/http/index.js';
import { startBlog } from '../orm/support/blog.js';
import type { Started } from '../orm/support/start.js';
import { ask, type Framework, listen, nextRequestId, type Route, setLate } from './support/site.js';
import { describeViews } from './support/views.js';

const framework: Framework = {
  name: 'node:http',
  field: (request: IncomingMessage, name) => request.headers[name] as string | undefined,
  async serve(routes) {
    const handlers = routes.map(route => ({ route, handler: viewOf(route)(handlerOf(route)) }));
    return listen(
      createServer(async (request, response) => {
        const field = (name: string) => request.headers[name] as string | undefined;
        const [path] = request.url!.split('?');
        const { route, handler } = handlers.find(
          ({ route: { path: own, role } }) =>
            own === path && (role ?? field('user-agent')) === field('user-agent'),
        )!;
        response.setHeader('x-request', nextRequestId());
        setLate(response, () => route.late?.(field));
        for (const [name, value] of Object.entries(route.before?.(field) ?? {})) {
          response.setHeader(name, value);
        }
        try {
          await handler(request, response);
        } catch {
          response.writeHead(500).end();
        }
      }),
    );
  },
};

function handlerOf({ page }: Route): Handler {
  return async (request: IncomingMessage, response: ServerResponse) => {
    const { method = '', headers: fields } = request;
    const reply = await page({
      method,
      field: name => fields[name] as string | undefined,
      remove: name => response.removeHeader(name),
    });
    const { status = 200, message, headers = {}, body = '' } = reply;
    if (message !== undefined) {
      response.statusMessage = message;
    }
    if (body instanceof Readable) {
      response.writeHead(status, headers);
      body.pipe(response);
    } else if (typeof body === 'string' || Buffer.isBuffer(body)) {
      response.writeHead(status, headers).end(body);
    } else {
      response.setHeader('content-type', 'application/json');
      response.writeHead(status, headers).end(JSON.stringify(body));
    }
  };
}

function viewOf({ samples, options }: Route) {
  return samples === undefined ? cachedView(options as never) : cachedViewAs(samples as never, options);
}

describeViews(framework);

describe('views of node:http', () => {
  let started: Started;
  let server: Pick<Server, 'close' | 'closeAllConnections'> | undefined;

  before(async () => {
    started = await startBlog();
  });

  beforeEach(() => started.cache.invalidateAll());

  afterEach(() => {
    server?.closeAllConnections();
    server?.close();
  });

  after(() => started.orm.close(true));

  it('store a body as it was sent, even if the handler changes its buffer afterwards', async () => {
    const body = Buffer.alloc(100, 'x');
    const view = cachedView({ timeout: 60, orm: started.orm })((_request, response) => {
      response.end(body);
      body.fill('y');
    });
    const site = await listen(createServer(view));
    await ask(site.origin);
    await started.cache.idle();
    expect((await ask(site.origin)).body.toString()).to.equal('x'.repeat(100));
    await site.close();
  });

  it('do not use the cache for a client with a certificate, signed by any authority or by none', async () => {
    const nameOf = ({ socket }: IncomingMessage) =>
      (socket as TLSSocket).getPeerCertificate().subject?.CN ?? 'nobody';
    let runs = 0;
    const view = cachedView({ timeout: 60, orm: started.orm })((request, response) => {
      runs++;
      response.end(`for ${nameOf(request)}`);
    });
    const secure = createSecureServer({ ...CERTIFICATE, requestCert: true, rejectUnauthorized: false }, view);
    server = secure;
    await new Promise<void>(resolve => secure.listen(0, '127.0.0.1', resolve));
    const { port } = secure.address() as AddressInfo;
    const get = async (certificate: object) => {
      const asked = secureRequest({
        port,
        host: '127.0.0.1',
        agent: false,
        rejectUnauthorized: false,
        ...certificate,
      });
      const [response] = (await once(asked.end(), 'response')) as [IncomingMessage];
      const body = await text(response);
      await started.cache.idle();
      return body;
    };
    for (const _ of [1, 2]) {
      expect(await get(CERTIFICATE)).to.equal('for test');
      expect(await get({})).to.equal('for nobody');
    }
    expect(runs).to.equal(3);
  });
});

/** A certificate without an owner, which servers and clients accept here. */
const CERTIFICATE = {
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgL1fcN2NJHhyc+qR9
NkCxoh9DCVf4ZqqjSx7CXlwIr8uhRANCAARrvXMPcOvOHwjSBb30W+IkybGIu017
M481OTG4t3ZxCWtL34kHf2UEX/RCAhPd7JpocE1HyzF9HaEFZGPJ6hc8
-----END PRIVATE KEY-----`,
  cert: `-----BEGIN CERTIFICATE-----
MIIBdTCCARugAwIBAgIUHSViWBIRtTkW1ZwxLAItb3fAuRYwCgYIKoZIzj0EAwIw
DzENMAsGA1UEAwwEdGVzdDAgFw0yNjExMzAxMzI5NTZaGA8yMTI2MTEwNjEzMjk1
NlowDzENMAsGA1UEAwwEdGVzdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABGu9
cw9w684fCNIFvfRb4iTJsYi7TXszjzU5Mbi3dnEJa0vfiQd/ZQRf9EICE93smmhw
TUfLMX0doQVkY8nqFzyjUzBRMB0GA1UdDgQWBBR45xsGGEpSoZ5pWzE0PICk9kZK
RTAfBgNVHSMEGDAWgBR45xsGGEpSoZ5pWzE0PICk9kZKRTAPBgNVHRMBAf8EBTAD
AQH/MAoGCCqGSM49BAMCA0gAMEUCIC+o6ZI95ALB2tKmRpuf8HqguqxMFohmmiJY
5CFIG13dAiEA8sVpI8x/BFM2sVA7h07xKiUZP367IAHAYYv/mnfK7uM=
-----END CERTIFICATE-----`,
};
