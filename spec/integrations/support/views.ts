import { randomBytes } from 'node:crypto';
import { request } from 'node:http';
import { Readable } from 'node:stream';
import { expect } from 'chai';
import sinon from 'sinon';
import { Article, Author } from '../../../fixtures/legacy/index.js';
import { invalidateView } from '../../../lib/integrations/express/index.js';
import { restoreBlog, startBlog } from '../../orm/support/blog.js';
import type { Started } from '../../orm/support/start.js';
import { gate } from '../../support/gate.js';
import { until } from '../../support/until.js';
import { ask, type Fields, type Framework, type Reply, type Route, type Site } from './site.js';

/** The promises of views on every framework. */
export function describeViews(framework: Framework): void {
  describe(`views of ${framework.name}`, () => {
    let started: Started;
    let site: Site | undefined;
    let runs: number;

    before(async () => {
      started = await startBlog();
    });

    beforeEach(async () => {
      await restoreBlog(started);
      runs = 0;
    });

    afterEach(async () => {
      await site?.close();
      site = undefined;
    });

    after(() => started.orm.close(true));

    /** Serves one page, and counts how often it is made. Returns its URL. */
    async function serve(page: Route['page'] | Reply, options: RouteOptions = {}): Promise<string> {
      return serveAll(routeOf(page, options));
    }

    type RouteOptions = {
      readonly [option: string]: unknown;
      readonly samples?: unknown;
      readonly role?: string;
      readonly before?: Route['before'];
      readonly late?: Route['late'];
    };

    function routeOf(
      page: Route['page'] | Reply,
      { samples, role, before, late, ...options }: RouteOptions = {},
    ): Route {
      return {
        path: '/page',
        ...(samples !== undefined && { samples }),
        ...(role !== undefined && { role }),
        ...(before && { before }),
        ...(late && { late }),
        options: { orm: started.orm, ...(samples === undefined && { timeout: 60 }), ...options },
        page: asked => {
          runs++;
          return typeof page === 'function' ? page(asked) : page;
        },
      };
    }

    async function serveAll(...routes: Route[]): Promise<string> {
      site = await framework.serve(routes);
      return `${site.origin}/page`;
    }

    async function twice(url: string, headers: Record<string, string> = {}) {
      const first = await ask(url, headers);
      await started.cache.idle();
      return [first, await ask(url, headers)] as const;
    }

    async function rename(title: string): Promise<void> {
      await started.orm.em.fork().nativeUpdate(Article, { id: 1 }, { title });
    }

    const title = async () => (await started.orm.em.fork().findOneOrFail(Article, 1)).title;

    describe('storing', () => {
      it('store status, fields and body, byte by byte', async () => {
        const body = randomBytes(10_000);
        const url = await serve(
          { headers: { 'content-type': 'image/x-noise', 'x-other': 'yes' }, body },
          { fields: ['X-Other'] },
        );
        const [first, second] = await twice(url);
        expect(runs).to.equal(1);
        for (const { status, headers, body: got } of [first, second]) {
          expect(status).to.equal(200);
          expect(got.equals(body)).to.equal(true);
          expect(headers).to.include({
            'content-type': 'image/x-noise',
            'x-other': 'yes',
            'content-length': '10000',
          });
        }
      });

      it('store an age that the handler set, and add to it', async () => {
        const url = await serve({ headers: { age: '100' }, body: 'x' });
        const [first, second] = await twice(url);
        expect(first.headers.age).to.equal('100');
        expect(Number(second.headers.age)).to.be.within(100, 110);
        expect(runs).to.equal(1);
      });

      it('store the status message', async () => {
        if (framework.withoutMessage) {
          expect(framework.name).to.equal('Hono'); // whose server sends the usual one
          return;
        }
        const url = await serve({ message: 'Quite Fine', headers: { etag: '"own"' }, body: 'x' });
        for (const { status, message } of await twice(url)) {
          expect([status, message]).to.deep.equal([200, 'Quite Fine']);
        }
        const { status, message } = await ask(url, { 'if-none-match': '"own"' });
        expect([status, message]).to.deep.equal([304, 'Not Modified']);
        expect(runs).to.equal(1);
      });

      it('store text and JSON with the type that the framework set', async () => {
        const url = await serve({ body: { title: 'Größe 😀' } });
        const [first, second] = await twice(url);
        expect(runs).to.equal(1);
        expect(JSON.parse(second.body.toString())).to.deep.equal({ title: 'Größe 😀' });
        expect(second.headers['content-type']).to.equal(first.headers['content-type']).and.match(/json/);
        expect(second.headers.etag).to.equal(first.headers.etag);
      });

      it('store empty responses, permanent redirects, and 404', async () => {
        for (const reply of [
          { status: 200, body: '' },
          { status: 204 },
          { status: 301, headers: { location: '/elsewhere' }, body: 'moved' },
          { status: 404, body: 'none' },
        ]) {
          runs = 0;
          const [first, second] = await twice(await serve(reply));
          expect(runs, `${reply.status}`).to.equal(1);
          expect(first.status).to.equal(reply.status);
          expect(second.status).to.equal(reply.status);
          expect(second.headers.location).to.equal(reply.headers?.location);
          expect(second.body.toString()).to.equal(reply.body ?? '');
          await site!.close();
          await invalidateView('/page', started.orm);
        }
      });

      it('store the creation time of a response, and send its age', async () => {
        const url = await serve({ body: 'x' });
        const [first, second] = await twice(url);
        expect(first.headers.age).to.equal(undefined);
        expect(Number(second.headers.age)).to.be.within(0, 20);
        const made = Date.parse(second.headers.date!);
        expect(made).to.be.within(
          Date.parse(first.headers.date!) - 1000,
          Date.parse(first.headers.date!) + 1000,
        );
      });

      it('store no fields that middleware around them sets for a request', async () => {
        const [first, second] = await twice(await serve({ body: 'x' }));
        expect(first.headers['x-request']).to.match(/^r\d+$/);
        expect(second.headers['x-request'])
          .to.match(/^r\d+$/)
          .and.not.equal(first.headers['x-request']);
        expect(runs).to.equal(1);
      });
    });

    describe('exclusions', () => {
      const replies: Record<string, Reply> = {
        'a cookie': { headers: { 'set-cookie': 'a=b' }, body: 'x' },
        cookies: { headers: { 'set-cookie': ['a=b', 'c=d'] }, body: 'x' },
        'a private response': { headers: { 'cache-control': 'max-age=60, private' }, body: 'x' },
        'a partly private response': { headers: { 'cache-control': 'private="x-user"' }, body: 'x' },
        'no-store': { headers: { 'cache-control': 'No-Store' }, body: 'x' },
        'a partial response': { status: 206, headers: { 'content-range': 'bytes 0-0/9' }, body: 'x' },
        'a temporary redirect': { status: 302, headers: { location: '/' }, body: 'x' },
        'a 403': { status: 403, body: 'x' },
        'a 500': { status: 500, body: 'x' },
        'a 503': { status: 503, body: 'x' },
        'a response that varies by a field that is not in the key': {
          headers: { vary: 'accept-language' },
          body: 'x',
        },
        'a response that varies by anything': { headers: { vary: '*' }, body: 'x' },
        'a response that was encoded for one client': { headers: { 'content-encoding': 'x-own' }, body: 'x' },
      };
      for (const [what, reply] of Object.entries(replies)) {
        it(`do not store ${what}`, async () => {
          const [first, second] = await twice(await serve(reply));
          expect(runs).to.equal(2);
          for (const { status, headers, body } of [first, second]) {
            expect(status).to.equal(reply.status ?? 200);
            expect(body.toString()).to.equal('x');
            expect(headers.age).to.equal(undefined);
            for (const [name, value] of Object.entries(reply.headers ?? {})) {
              expect(headers[name], name).to.deep.equal(name === 'set-cookie' ? [value].flat() : value);
            }
          }
        });
      }

      it('do not store a stream', async () => {
        const url = await serve(() => ({ body: Readable.from(slowly(['a', 'b', 'c'])) }));
        const answers = await twice(url);
        expect(runs).to.equal(2);
        expect(answers.map(({ body }) => body.toString())).to.deep.equal(['abc', 'abc']);
      });

      it('do not store a body above the size limit', async () => {
        const answers = await twice(await serve({ body: 'x'.repeat(101) }, { maxBody: 100 }));
        expect(runs).to.equal(2);
        expect(answers.map(({ body }) => body.length)).to.deep.equal([101, 101]);
      });

      it('do not store exceptions of a handler', async () => {
        const url = await serve(() => {
          throw new Error('on purpose');
        });
        const answers = await twice(url);
        expect(answers.map(({ status }) => status)).to.deep.equal([500, 500]);
        expect(runs).to.equal(2);
      });

      it('do not store a response whose client has gone, and do not hang', async () => {
        const { reached, pass, open } = gate();
        const url = await serve(async () => {
          if (runs === 1) {
            await pass();
          }
          return { body: 'x' };
        });
        const impatient = request(url, { agent: false }).on('error', () => {});
        impatient.end();
        await reached;
        impatient.destroy();
        try {
          // while the handler of the client that has gone is still running
          const { body } = await ask(url);
          expect([body.toString(), runs]).to.deep.equal(['x', 2]);
        } finally {
          open();
        }
        await started.cache.idle();
      });
    });

    describe('the response as it is sent', () => {
      const FORBIDDING: readonly Fields[] = [
        { 'cache-control': 'private' },
        { 'cache-control': 'no-store' },
        { 'cache-control': 'no-cache' },
        { 'cache-control': 'public, max-age=0' },
        { 'cache-control': 'max-age=60, x-unheard-of' },
        { 'cdn-cache-control': 'no-store' },
        { 'vercel-cdn-cache-control': 'private' },
        { pragma: 'x-own' },
        { expires: '0' },
        { vary: '*' },
        { vary: 'Cookie' },
        { 'set-cookie': 'a=b' },
        { 'www-authenticate': 'Basic' },
        { 'clear-site-data': '"cookies"' },
        { 'content-security-policy': "script-src 'self' 'nonce-c2VjcmV0'" },
        { 'content-security-policy-report-only': "script-src 'Nonce-c2VjcmV0'" },
      ];
      for (const fields of FORBIDDING) {
        const [[name, value]] = Object.entries(fields) as [[string, string]];

        async function isNotKept(reply: Reply, options: RouteOptions) {
          const url = await serve(reply, options);
          for (const got of [...(await twice(url)), await ask(url)]) {
            // some frameworks send a cookie twice that is set twice
            expect([...new Set([got.headers[name]].flat())], name).to.deep.equal([value]);
            expect(got.headers.age).to.equal(undefined);
            expect(got.body.toString()).to.equal('x');
          }
          expect(runs).to.equal(3);
        }

        it(`${name}: ${value}, set before the view`, () =>
          isNotKept({ body: 'x' }, { before: () => fields }));

        it(`${name}: ${value}, set before the view and by the handler`, () =>
          isNotKept({ headers: fields, body: 'x' }, { before: () => fields }));

        if (value !== 'no-cache') {
          // which is what they say themselves, for clients
          it(`${name}: ${value}, set after the handler`, () =>
            isNotKept({ body: 'x' }, { late: () => fields }));
        }
      }

      it('a Content-Security-Policy without a nonce is for every request', async () => {
        const fields = { 'content-security-policy': "default-src 'self'; script-src 'sha256-c2VjcmV0'" };
        for (const { headers } of await twice(await serve({ body: 'x' }, { before: () => fields }))) {
          expect(headers).to.include(fields);
        }
        expect(runs).to.equal(1);
      });

      const languages = async (url: string) => {
        const bodies: string[] = [];
        for (const language of ['de', 'en', 'de', 'en', 'de', 'en']) {
          bodies.push((await ask(url, { 'accept-language': language })).body.toString());
          await started.cache.idle();
        }
        expect(bodies).to.deep.equal(['de', 'en', 'de', 'en', 'de', 'en']);
      };
      const inLanguage: Route['page'] = ({ field }) => ({ body: field('accept-language')! });

      for (const when of ['before', 'late'] as const) {
        it(`a Vary that is set ${when === 'before' ? 'before' : 'after'} the view is part of the key`, async () => {
          await languages(await serve(inLanguage, { [when]: () => ({ vary: 'Accept-Language' }) }));
          expect(runs).to.be.lessThan(5);
        });
      }

      it('a Vary of the handler is part of the key, once it is known', async () => {
        await languages(
          await serve(({ field }) => ({
            headers: { vary: 'Accept-Language' },
            body: field('accept-language')!,
          })),
        );
        expect(runs).to.be.lessThan(5);
      });

      it('a Cache-Control that allows it is sent as it was set before the view', async () => {
        const url = await serve(
          { headers: { 'content-type': 'text/plain' }, body: 'x' },
          { before: () => ({ 'cache-control': 'public, max-age=60' }) },
        );
        for (const { headers } of await twice(url)) {
          expect(headers['cache-control']).to.equal('public, max-age=60');
        }
        expect(runs).to.equal(1);
      });

      it('fields of middleware are neither lost, nor sent twice, nor those of another request', async () => {
        let nonce = 0;
        const url = await serve(
          ({ remove }) => {
            remove('x-gone');
            return { headers: { 'x-own': 'handler' }, body: 'x' };
          },
          {
            before: () => ({ 'x-nonce': `n${++nonce}`, 'x-gone': 'y', 'x-own': 'middleware' }),
            late: () => ({ 'x-late': `l${nonce}` }),
            // on Fastify, fields of hooks are sent with those of the handler
            fields: ['x-own', 'x-late'],
          },
        );
        const got = await twice(url);
        expect(runs).to.equal(1);
        for (const [i, { headers }] of got.entries()) {
          expect(headers).to.include({
            'x-nonce': `n${i + 1}`,
            'x-late': `l${i + 1}`,
            'x-own': 'handler',
          });
          expect(headers).to.not.have.property('x-gone');
        }
      });

      it('a field of a handler that is not known is not repeated, unless the option `fields` names it', async () => {
        let token = 0;
        const page = () => ({ headers: { 'x-csrf-token': `t${++token}`, 'x-total-count': '7' }, body: 'x' });
        const tokens = async (options: RouteOptions) => {
          const got = await twice(await serve(page, options));
          expect(got.map(({ headers }) => headers['x-total-count'])).to.deep.equal(['7', '7']);
          return got.map(({ headers }) => headers['x-csrf-token']);
        };
        expect(await tokens({})).to.deep.equal(['t1', 't2']);
        await site!.close();
        expect(await tokens({ fields: ['X-Csrf-Token'] })).to.deep.equal(['t3', 't3']);
      });

      it('an origin that was allowed for one client is not allowed for another', async () => {
        const url = await serve(({ field }) => ({
          headers: { 'access-control-allow-origin': field('origin') ?? 'none' },
          body: 'x',
        }));
        for (const origin of ['http://a.example', 'http://b.example', 'http://a.example']) {
          const { headers } = await ask(url, { origin });
          await started.cache.idle();
          expect(headers['access-control-allow-origin']).to.equal(origin);
        }
      });
    });

    describe('identifying the handler', () => {
      const pageOf = (body: string) => routeOf(() => ({ body }), body === 'admin' ? { role: 'admin' } : {});

      it('two handlers of the same text on one URL share nothing, and each has its own cache', async () => {
        const url = await serveAll(pageOf('admin'), pageOf('public'));
        for (const _ of [1, 2, 3]) {
          for (const [headers, expected] of [
            [{ 'user-agent': 'admin' }, 'admin'],
            [{}, 'public'],
          ] as const) {
            expect((await ask(url, headers)).body.toString()).to.equal(expected);
            await started.cache.idle();
          }
        }
        expect(runs).to.equal(2);
      });
    });

    it('of two applications of the same text on one host share nothing, and each has its own cache', async () => {
      const sites: Site[] = [];
      try {
        for (const body of ['one', 'two']) {
          sites.push(await framework.serve([routeOf(() => ({ body }))]));
        }
        for (const _ of [1, 2, 3]) {
          for (const [i, { origin }] of sites.entries()) {
            const { body } = await ask(`${origin}/page`, { host: 'shop.example' });
            expect(body.toString()).to.equal(['one', 'two'][i]);
            await started.cache.idle();
          }
        }
        // the first answer of all may be kept under a name that is then given up
        expect(runs).to.be.within(2, 3);
      } finally {
        await Promise.all(sites.map(each => each.close()));
      }
    });

    describe('fields of requests', () => {
      const BROWSER = {
        accept: 'text/html,application/xhtml+xml,*/*;q=0.8',
        'accept-encoding': 'gzip, deflate, br, zstd',
        'accept-language': 'de,en;q=0.5',
        connection: 'keep-alive',
        'cache-control': 'max-age=0',
        'sec-ch-ua': '"Chromium";v="140"',
        'sec-ch-ua-mobile': '?0',
        'sec-ch-ua-platform': '"Linux"',
        'sec-fetch-dest': 'document',
        'sec-fetch-mode': 'navigate',
        'sec-fetch-site': 'none',
        'sec-fetch-user': '?1',
        'upgrade-insecure-requests': '1',
        'user-agent': 'Mozilla/5.0',
        priority: 'u=0, i',
        dnt: '1',
      };
      const proxies = (n: number) => ({
        forwarded: `for=192.0.2.${n};proto=https`,
        via: '1.1 vegur',
        'x-forwarded-for': `192.0.2.${n}`,
        'x-forwarded-host': 'shop.example',
        'x-forwarded-port': '443',
        'x-forwarded-proto': 'https',
        'x-real-ip': `192.0.2.${n}`,
        'x-request-id': `request-${n}`,
        'x-amzn-trace-id': `Root=1-${n}`,
        'cdn-loop': 'cloudflare',
        'cf-connecting-ip': `192.0.2.${n}`,
        'cf-ipcountry': 'DE',
        from: 'bot@example',
        'cf-ray': `${n}-FRA`,
        'cf-visitor': '{"scheme":"https"}',
        traceparent: `00-0af7651916cd43dd8448eb211c80319c-b7ad6b716920333${n}-01`,
        tracestate: `vendor=${n}`,
      });

      it('fields of browsers, proxies and tracing are harmless', async () => {
        const url = await serve({ body: 'x' });
        for (const n of [1, 2, 3]) {
          await ask(url, { ...BROWSER, ...proxies(n), referer: `/${n}` });
          await started.cache.idle();
        }
        expect(runs).to.equal(1);
      });

      for (const name of [
        'x-api-key',
        'x-tenant',
        'x-forwarded-user',
        'x-forwarded-client-cert',
        'x-amzn-oidc-identity',
        'proxy-authorization',
        'remote-user',
        'baggage',
      ]) {
        it(`a request with ${name} neither reads nor stores responses`, async () => {
          const url = await serve(({ field }) => ({ body: `for ${field(name)}` }));
          for (const value of ['a', 'b', 'a', undefined, 'b', undefined]) {
            const { body } = await ask(url, value === undefined ? {} : { [name]: value });
            await started.cache.idle();
            expect(body.toString()).to.equal(`for ${value}`);
          }
          expect(runs).to.equal(5);
        });
      }

      it('a field that `vary` names is part of the key', async () => {
        const url = await serve(({ field }) => ({ body: `for ${field('x-tenant')}` }), {
          vary: ['X-Tenant'],
        });
        for (const tenant of ['a', 'b', 'a', 'b']) {
          const { body } = await ask(url, { 'x-tenant': tenant });
          await started.cache.idle();
          expect(body.toString()).to.equal(`for ${tenant}`);
        }
        expect(runs).to.equal(2);
      });

      it('a field that responses name in `Vary` is part of the key, once it is known', async () => {
        const url = await serve(({ field }) => ({
          headers: { vary: 'X-Tenant' },
          body: `for ${field('x-tenant')}`,
        }));
        for (const tenant of ['a', 'b', 'a', 'b', 'a', 'b']) {
          const { body } = await ask(url, { 'x-tenant': tenant });
          await started.cache.idle();
          expect(body.toString()).to.equal(`for ${tenant}`);
        }
        expect(runs).to.be.lessThan(5);
      });

      it('a field by which proxies and handlers choose is part of the key, as it was sent', async () => {
        for (const name of ['x-original-url', 'x-requested-with', 'content-type', 'sec-fetch-dest']) {
          const url = await serve(({ field }) => ({ body: `for ${field(name)}` }));
          for (const value of ['/a', '/A', '/a', '/A']) {
            const { body } = await ask(url, { [name]: value });
            await started.cache.idle();
            expect(body.toString()).to.equal(`for ${value}`);
          }
          expect(runs, name).to.equal(2);
          await site!.close();
          await started.cache.invalidateAll();
          runs = 0;
        }
      });
    });

    describe('with a body of the request', () => {
      it('neither store nor serve responses', async () => {
        const url = await serve(({ field }) => ({ body: field('content-length') ?? 'none' }));
        const withBody = { 'content-type': 'text/plain', 'content-length': '5' };
        expect((await ask(url, withBody, 'GET', 'hello')).body.toString()).to.equal('5');
        await started.cache.idle();
        expect((await ask(url)).body.toString()).to.equal('none');
        await started.cache.idle();
        expect((await ask(url, withBody, 'GET', 'hello')).body.toString()).to.equal('5');
        expect((await ask(url)).body.toString()).to.equal('none');
        expect(runs).to.equal(3);
      });

      it('that never arrives delay no other request', async () => {
        const stopped = gate();
        const url = await serve(async ({ field }) => {
          if (field('content-length') !== undefined || field('transfer-encoding') !== undefined) {
            await stopped.pass(); // as a handler that reads what does not come
          }
          return { body: 'x' };
        });
        try {
          for (const headers of [{ 'content-length': '9' }, { 'transfer-encoding': 'chunked' }]) {
            const before = runs;
            const stalled = request(url, { agent: false, headers }).on('error', () => {});
            stalled.flushHeaders();
            await until(() => runs > before);
            await started.cache.invalidateAll();
            expect((await ask(url)).body.toString()).to.equal('x');
            stalled.destroy();
          }
        } finally {
          stopped.open();
        }
      });
    });

    it('wait at most 5 seconds for a handler that hangs', async () => {
      const hanging = gate();
      const url = await serve(
        async () => {
          const mine = runs;
          if (mine === 1) {
            await hanging.pass();
          }
          return { body: `run ${mine}` };
        },
        { extra: () => void arrived++ },
      );
      let arrived = 0;
      const clock = sinon.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
      try {
        const first = ask(url);
        await hanging.reached;
        const second = ask(url);
        await until(() => arrived === 2);
        await new Promise<void>(resolve => setImmediate(resolve));
        expect(runs).to.equal(1);
        await until(async () => {
          await clock.tickAsync(1000);
          return runs === 2;
        });
        expect((await second).body.toString()).to.equal('run 2');
        expect((await ask(url)).body.toString()).to.match(/^run [23]$/); // at once
        hanging.open();
        expect((await first).body.toString()).to.equal('run 1');
      } finally {
        clock.restore();
        hanging.open();
      }
    });

    describe('bypassing requests', () => {
      for (const [name, value] of Object.entries({
        cookie: 'session=1',
        'if-match': '"x"',
        'if-unmodified-since': 'Tue, 02 Jan 2024 00:00:00 GMT',
        'cache-control': 'no-store',
      })) {
        it(`do not use the cache for a request with ${name}`, async () => {
          const url = await serve(({ field }) => ({ body: `for ${field(name)}` }));
          await twice(url);
          expect((await ask(url, { [name]: value })).body.toString()).to.equal(`for ${value}`);
          expect(runs).to.equal(2);
        });
      }

      it('do not use the cache for unsafe methods', async () => {
        const url = await serve({ body: 'x' });
        await twice(url);
        await ask(url, {}, 'POST');
        expect(runs).to.equal(2);
      });

      it('do not use the cache for an authorized request, unless the credentials are in the key', async () => {
        const url = await serve(({ field }) => ({ body: `for ${field('authorization')}` }));
        await twice(url);
        const { body } = await ask(url, { authorization: 'Basic me' });
        expect(body.toString()).to.equal('for Basic me');
        expect(runs).to.equal(2);
        expect((await ask(url)).body.toString()).to.equal('for undefined');
      });

      it('do not use the cache for parts of a body', async () => {
        const url = await serve({ body: 'x' });
        await twice(url);
        await ask(url, { range: 'bytes=0-0' });
        expect(runs).to.equal(2);
      });
    });

    describe('the key', () => {
      it('separate hosts, paths, and queries that are written differently', async () => {
        const url = await serve(() => ({ body: `run ${runs}` }));
        const targets = [`${url}?a=1&b=2`, `${url}?b=2&a=1`, `${url}?a=1&b=2&`, `${url}?`, url];
        const bodies = new Set<string>();
        for (const target of targets) {
          bodies.add((await ask(target)).body.toString());
        }
        bodies.add((await ask(url, { host: 'other.example' })).body.toString());
        expect(bodies.size).to.equal(6);
        await started.cache.idle();
        for (const target of targets) {
          await ask(target);
        }
        await ask(url, { host: 'OTHER.example' });
        expect(runs).to.equal(6);
      });

      it('separate values of fields that `vary` names, which they also send in `Vary`', async () => {
        const url = await serve(({ field }) => ({ body: field('accept-language') ?? 'none' }), {
          vary: ['Accept-Language'],
        });
        for (const language of ['de', 'fr']) {
          const [first, second] = await twice(url, { 'accept-language': language });
          expect([first, second].map(({ body }) => body.toString())).to.deep.equal([language, language]);
          expect([first, second].map(({ headers }) => headers.vary)).to.deep.equal([
            'accept-language',
            'accept-language',
          ]);
        }
        expect(runs).to.equal(2);
      });

      it('separate results of a function of a field', async () => {
        const role = (native: any) => framework.field(native, 'authorization')?.slice(0, 1) ?? null;
        const url = await serve(({ field }) => ({ body: `for ${field('authorization')}` }), {
          vary: { authorization: role },
        });
        const bodies: string[] = [];
        for (const user of ['a1', 'a2', 'b1']) {
          bodies.push((await ask(url, { authorization: user })).body.toString());
          await started.cache.idle();
        }
        expect(bodies).to.deep.equal(['for a1', 'for a1', 'for b1']);
      });

      it('separate values of `extra`', async () => {
        const url = await serve(({ field }) => ({ body: field('user-agent') ?? '' }), {
          extra: (native: any) => framework.field(native, 'user-agent'),
        });
        for (const user of ['ann', 'bob', 'ann', 'bob']) {
          expect((await ask(url, { 'user-agent': user })).body.toString()).to.equal(user);
          await started.cache.idle();
        }
        expect(runs).to.equal(2);
      });

      it('separate no values of `extra` without an exact key: these are an error', async () => {
        const url = await serve({ body: 'x' }, { extra: () => new (class User {})() });
        expect((await ask(url)).status).to.equal(500);
        expect(runs).to.equal(0);
      });
    });

    describe('conditional requests', () => {
      it('support conditional requests with an ETag, also on a miss', async () => {
        const url = await serve({ headers: { 'content-type': 'text/plain' }, body: 'x' });
        const { headers } = await ask(url);
        expect(headers.etag).to.be.a('string');
        expect(headers['cache-control']).to.equal('no-cache');
        await started.cache.invalidateAll();
        for (const expectedRuns of [2, 2]) {
          const again = await ask(url, { 'if-none-match': `"other", ${headers.etag}` });
          expect(again.status).to.equal(304);
          expect(again.body.length).to.equal(0);
          expect(again.headers).to.include({ etag: headers.etag, 'cache-control': 'no-cache' });
          expect(again.headers).to.not.have.any.keys('content-type', 'content-length', 'transfer-encoding');
          await started.cache.idle();
          expect(runs).to.equal(expectedRuns);
        }
        const other = await ask(url, { 'if-none-match': '"other"' });
        expect([other.status, other.body.toString()]).to.deep.equal([200, 'x']);
      });

      it('support conditional requests with the ETag and the date that the handler set', async () => {
        const given = {
          etag: '"own"',
          'last-modified': 'Tue, 02 Jan 2024 00:00:00 GMT',
          'cache-control': 'public, max-age=60',
        };
        const url = await serve({ headers: given, body: 'x' });
        for (const { headers } of await twice(url)) {
          expect(headers).to.include(given);
        }
        const status = async (headers: Record<string, string>) => (await ask(url, headers)).status;
        expect(await status({ 'if-none-match': 'W/"own"' })).to.equal(304);
        expect(await status({ 'if-modified-since': 'Tue, 02 Jan 2024 00:00:00 GMT' })).to.equal(304);
        expect(await status({ 'if-modified-since': 'Mon, 01 Jan 2024 00:00:00 GMT' })).to.equal(200);
        // the ETag decides where both are given
        const later = 'Wed, 03 Jan 2024 00:00:00 GMT';
        expect(await status({ 'if-none-match': '"x"', 'if-modified-since': later })).to.equal(200);
        expect(runs).to.equal(1);
      });

      it('support conditional requests by HEAD, which a stored GET answers, and which stores nothing itself', async () => {
        const url = await serve({ body: 'four' });
        await ask(url, {}, 'HEAD');
        await started.cache.idle();
        expect((await ask(url)).body.toString()).to.equal('four');
        await started.cache.idle();
        const before = runs;
        const { status, headers, body } = await ask(url, {}, 'HEAD');
        expect(runs).to.equal(before);
        expect([status, body.length, headers['content-length']]).to.deep.equal([200, 0, '4']);
        expect((await ask(url, { 'if-none-match': headers.etag! }, 'HEAD')).status).to.equal(304);
      });
    });

    describe('with samples', () => {
      it('are cached until a row changes, and created again at the next request', async () => {
        const url = await serve(async () => ({ body: await title() }), { samples: Article });
        const [first, second] = await twice(url);
        expect([first, second].map(({ body }) => body.toString())).to.deep.equal(['First', 'First']);
        expect(runs).to.equal(1);
        await rename('Changed');
        expect((await ask(url)).body.toString()).to.equal('Changed');
        expect(runs).to.equal(2);
      });

      it('are kept when rows outside of the samples change', async () => {
        const url = await serve(async () => ({ body: await title() }), {
          samples: { entity: Article, where: { author: 1 } },
        });
        await twice(url);
        await started.orm.em.fork().nativeUpdate(Author, { id: 1 }, { name: 'Anna' });
        await started.orm.em.fork().nativeUpdate(Article, { id: 3 }, { title: 'By Bob' });
        await ask(url);
        expect(runs).to.equal(1);
        await started.orm.em.fork().nativeUpdate(Article, { id: 2 }, { title: 'By Ann' });
        await ask(url);
        expect(runs).to.equal(2);
      });

      it('may have samples that depend on the request', async () => {
        const url = await serve(async () => ({ body: await title() }), {
          samples: (native: any) => ({
            entity: Article,
            where: { author: Number(framework.field(native, 'user-agent')) },
          }),
        });
        for (const author of ['1', '2', '1', '2']) {
          await ask(url, { 'user-agent': author });
          await started.cache.idle();
        }
        expect(runs).to.equal(2);
        await rename('Changed'); // Ann's
        await ask(url, { 'user-agent': '2' });
        expect(runs).to.equal(2);
        expect((await ask(url, { 'user-agent': '1' })).body.toString()).to.equal('Changed');
      });

      it('are not stored if a row changes while they are created', async () => {
        const { reached, pass, open } = gate();
        const url = await serve(
          async () => {
            const body = await title();
            if (runs === 1) {
              await pass();
            }
            return { body };
          },
          { samples: Article },
        );
        const slow = ask(url);
        await reached;
        await rename('Changed');
        open();
        expect((await slow).body.toString()).to.equal('First');
        await started.cache.idle();
        expect((await ask(url)).body.toString()).to.equal('Changed');
      });

      it('are created once for concurrent requests', async () => {
        const { reached, pass, open } = gate();
        let arrived = 0;
        const url = await serve(
          async () => {
            await pass();
            return { body: await title() };
          },
          { samples: Article, extra: () => void arrived++ },
        );
        const asked = [ask(url), ask(url), ask(url), ask(url)];
        await reached;
        await until(() => arrived === 4);
        open();
        const bodies = (await Promise.all(asked)).map(({ body }) => body.toString());
        expect(bodies).to.deep.equal(['First', 'First', 'First', 'First']);
        expect(runs).to.equal(1);
      });
    });

    it('are dropped by URL, with all variants', async () => {
      const url = await serve(({ field }) => ({ body: field('accept-language') ?? '' }), {
        vary: ['accept-language'],
      });
      const all = async () => {
        for (const language of ['de', 'fr']) {
          await ask(`${url}?a=ä`.replace('ä', '%C3%A4'), { 'accept-language': language });
          await ask(url, { 'accept-language': language });
        }
        await started.cache.idle();
      };
      await all();
      await all();
      expect(runs).to.equal(4);
      await invalidateView(`${url}?a=ä`, started.orm);
      await all();
      expect(runs).to.equal(6);
      await invalidateView('/page', started.orm);
      await all();
      expect(runs).to.equal(8);
      await invalidateView('/pag', started.orm);
      await all();
      expect(runs).to.equal(8);
    });

    it('are not stored if they are dropped while they are created', async () => {
      const { reached, pass, open } = gate();
      const url = await serve(async () => {
        await pass();
        return { body: 'x' };
      });
      const slow = ask(url);
      await reached;
      await invalidateView(url, started.orm);
      open();
      await slow;
      await started.cache.idle();
      await ask(url);
      expect(runs).to.equal(2);
    });
  });
}

async function* slowly(chunks: readonly string[]): AsyncGenerator<string> {
  for (const chunk of chunks) {
    await new Promise(resolve => setImmediate(resolve));
    yield chunk;
  }
}
