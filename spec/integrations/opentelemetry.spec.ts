import { AsyncLocalStorage } from 'node:async_hooks';
import type { EntityManager } from '@mikro-orm/pglite';
import {
  type Attributes,
  type Context,
  type ContextManager,
  context,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import { expect } from 'chai';
import { Article, Tag } from '../../fixtures/legacy/index.js';
import { cachedAs, channels, MemoryStore } from '../../lib/index.js';
import { type InstrumentOptions, instrument } from '../../lib/integrations/opentelemetry/index.js';
import { fragments } from '../../lib/integrations/templates/index.js';
import { startBlog } from '../orm/support/blog.js';
import type { Started } from '../orm/support/start.js';

/** As that of @opentelemetry/context-async-hooks: what the SDK for Node.js uses. */
class AsyncContextManager implements ContextManager {
  readonly #storage = new AsyncLocalStorage<Context>();

  active(): Context {
    return this.#storage.getStore() ?? ROOT_CONTEXT;
  }

  with<A extends unknown[], F extends (...args: A) => ReturnType<F>>(
    active: Context,
    fn: F,
    thisArg?: ThisParameterType<F>,
    ...args: A
  ): ReturnType<F> {
    return this.#storage.run(active, () => fn.apply(thisArg, args));
  }

  bind<T>(active: Context, target: T): T {
    return (typeof target === 'function'
      ? (...args: unknown[]) => this.with(active, () => target(...args))
      : target) as unknown as T;
  }

  enable(): this {
    return this;
  }

  disable(): this {
    return this;
  }
}

describe('instrument()', () => {
  let blog: Started;
  let spans: InMemorySpanExporter;
  let points: InMemoryMetricExporter;
  let tracerProvider: BasicTracerProvider;
  let meterProvider: MeterProvider;
  let stop: () => void;

  before(() => {
    context.setGlobalContextManager(new AsyncContextManager());
  });

  after(() => context.disable());

  beforeEach(async () => {
    blog = await startBlog();
    spans = new InMemorySpanExporter();
    tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] });
    points = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
    meterProvider = new MeterProvider({
      readers: [new PeriodicExportingMetricReader({ exporter: points, exportIntervalMillis: 3_600_000 })],
    });
    begin();
  });

  afterEach(async () => {
    stop();
    await blog.orm.close();
    await tracerProvider.shutdown();
    await meterProvider.shutdown();
    expect([channels.read.hasSubscribers, channels.store.hasSubscribers]).to.deep.equal([false, false]);
  });

  function begin(options: InstrumentOptions = {}): void {
    stop = instrument({ tracerProvider, meterProvider, ...options });
  }

  const fork = () => blog.orm.em.fork();

  /** In a span of the application's. Waits for what goes on in the background. */
  async function request<T>(run: () => Promise<T>): Promise<T> {
    return tracerProvider.getTracer('app').startActiveSpan('request', async span => {
      try {
        return await run();
      } finally {
        await blog.cache.idle();
        span.end();
      }
    });
  }

  /** `request > cache fetch Tag > cache store read`, in the order in which they began. */
  function paths(finished: readonly ReadableSpan[] = spans.getFinishedSpans()): string[] {
    const byId = new Map(finished.map(span => [span.spanContext().spanId, span]));
    const pathOf = (span: ReadableSpan): string => {
      const parent = byId.get(span.parentSpanContext?.spanId ?? '');
      return parent ? `${pathOf(parent)} > ${span.name}` : span.name;
    };
    return finished.map(pathOf).sort();
  }

  const spanOf = (name: string) => spans.getFinishedSpans().find(span => span.name === name)!;

  it('creates a span for each read, as a child of the active one, and for its calls of the store', async () => {
    await request(() => fork().find(Tag, {}));
    spans.reset();
    await request(() => fork().find(Tag, {}));
    expect(paths()).to.deep.equal([
      'request',
      'request > cache fetch Tag',
      'request > cache fetch Tag > cache store read',
    ]);
    const read = spanOf('cache fetch Tag');
    expect(read.attributes).to.deep.equal({
      'cacheops.op': 'fetch',
      'cacheops.entity': 'Tag',
      'cacheops.outcome': 'hit',
      'db.namespace': blog.cache.events.database,
    });
    expect([read.kind, read.status.code]).to.deep.equal([SpanKind.INTERNAL, SpanStatusCode.UNSET]);
    expect(spanOf('cache store read').kind).to.equal(SpanKind.CLIENT);
    expect(spanOf('cache store read').attributes).to.include({ 'cacheops.store.operation': 'read' });
  });

  it('has spans of functions and of the database as children', async () => {
    const tracer = tracerProvider.getTracer('driver');
    const block = cachedAs(Article, { name: 'block' })(async (em: EntityManager) => {
      tracer.startSpan('inside').end();
      return em.count(Tag, {});
    });
    await request(() => block(fork()));
    expect(paths()).to.include.members([
      'request > cache function block',
      'request > cache function block > inside',
      'request > cache function block > cache count Tag',
      'request > cache function block > cache count Tag > cache store read',
    ]);
    expect(trace.getActiveSpan()).to.equal(undefined);
  });

  it('separates concurrent requests', async () => {
    await Promise.all([1, 2, 3].map(id => request(() => fork().findOne(Tag, id))));
    const finished = spans.getFinishedSpans();
    const requests = finished
      .filter(({ name }) => name === 'request')
      .map(span => span.spanContext().traceId);
    const reads = finished
      .filter(({ name }) => name === 'cache get Tag')
      .map(span => span.spanContext().traceId);
    expect(new Set(reads)).to.deep.equal(new Set(requests));
    expect(new Set(reads).size).to.equal(3);
  });

  it('creates spans for the mark before COMMIT and the settle after it', async () => {
    await fork().find(Tag, {});
    await blog.cache.idle();
    await request(() => fork().nativeUpdate(Tag, { id: 1 }, { name: 'crimson' }));
    expect(paths()).to.include.members(['request > cache store mark', 'request > cache store settle']);
  });

  it('creates spans for reads, but not for the store, without an active span', async () => {
    await fork().nativeUpdate(Tag, { id: 1 }, { name: 'crimson' });
    await fork().find(Tag, {}, { cacheops: false });
    await blog.cache.idle();
    expect(paths()).to.deep.equal(['cache fetch Tag']);
  });

  it('records why a read bypassed the cache', async () => {
    await request(() => fork().find(Tag, {}, { cacheops: false }));
    expect(spanOf('cache fetch Tag').attributes).to.include({
      'cacheops.outcome': 'bypass',
      'cacheops.reason': 'call',
    });
  });

  it('records the error of a read', async () => {
    const failing = cachedAs(Article, { name: 'failing' })(async (_em: EntityManager) => {
      throw new TypeError('no');
    });
    await request(() => failing(fork()).catch(() => undefined));
    const { status, events, attributes } = spanOf('cache function failing');
    expect(status.code).to.equal(SpanStatusCode.ERROR);
    expect(events.map(({ name }) => name)).to.deep.equal(['exception']);
    expect(events[0]!.attributes).to.include({ 'exception.type': 'TypeError', 'exception.message': 'no' });
    expect(attributes).to.include({ 'error.type': 'TypeError' });
    expect(attributes).not.to.have.property('cacheops.outcome');
  });

  it('records errors of the store, which do not fail the application', async () => {
    class Broken extends MemoryStore {
      override async read(): Promise<undefined> {
        throw new Error('broken');
      }
    }
    await blog.orm.close();
    blog = await startBlog({ cacheops: { store: new Broken() } });
    expect(await request(() => fork().find(Tag, {}))).to.have.length(3);
    expect(spanOf('cache store read').status.code).to.equal(SpanStatusCode.ERROR);
    expect(spanOf('cache fetch Tag').status.code).to.equal(SpanStatusCode.UNSET);
  });

  it('has no values in names or attributes unless the option adds them', async () => {
    const all = async () => {
      await fork().find(Tag, { name: 'red' });
      await fork().nativeUpdate(Tag, { name: 'red' }, { name: 'crimson' });
      await fork().find(Tag, { name: 'red' });
      await fragments(blog.orm)('menu', Tag, () => 'red');
      await blog.cache.cache.set('red', 'red');
      await blog.cache.cache.get('red');
    };
    const told = () =>
      JSON.stringify(
        spans.getFinishedSpans().map(({ name, attributes, events }) => [name, attributes, events]),
      );
    await request(all);
    expect(told())
      .to.contain('cache value"')
      .and.not.to.match(/red|crimson/);
    stop();
    begin({
      attributes: message => ('key' in message ? { 'cacheops.key': message.key! } : {}),
    });
    await request(all);
    expect(told()).to.contain('"cacheops.key":"key:red:');
  });

  it('tolerates exceptions of the option attributes', async () => {
    stop();
    begin({
      attributes: () => {
        throw new Error('no');
      },
    });
    expect(await request(() => fork().find(Tag, {}))).to.have.length(3);
    expect(spanOf('cache fetch Tag').attributes).to.include({ 'cacheops.outcome': 'miss' });
  });

  async function measured(metric: string): Promise<{ attributes: Attributes; count: number; sum: number }[]> {
    points.reset();
    await meterProvider.forceFlush();
    const all = points
      .getMetrics()
      .flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(({ metrics }) => metrics));
    const found = all.find(({ descriptor }) => descriptor.name === metric);
    return (found?.dataPoints ?? []).map(({ attributes, value }) => {
      const { count, sum } = value as { count: number; sum: number };
      return { attributes, count, sum };
    });
  }

  it('measures reads by op, entity and outcome', async () => {
    await fork().find(Tag, {});
    await blog.cache.idle();
    await fork().find(Tag, {});
    await fork().find(Tag, {});
    await blog.cache.cache.get('nothing').catch(() => undefined);
    const found = await measured('cacheops.read.duration');
    const database = { 'db.namespace': blog.cache.events.database };
    const tag = { 'cacheops.op': 'fetch', 'cacheops.entity': 'Tag', ...database };
    expect(found.map(({ attributes, count }) => [attributes, count])).to.have.deep.members([
      [{ ...tag, 'cacheops.outcome': 'miss' }, 1],
      [{ ...tag, 'cacheops.outcome': 'hit' }, 2],
      [{ 'cacheops.op': 'value', 'cacheops.outcome': 'miss', ...database }, 1],
    ]);
    expect(found[0]!.sum).to.be.within(0.000001, 60);
  });

  it('measures calls of the store without a span as well', async () => {
    await fork().nativeUpdate(Tag, { id: 1 }, { name: 'crimson' });
    await blog.cache.idle();
    const found = await measured('cacheops.store.duration');
    expect(
      found.map(({ attributes, count }) => [attributes['cacheops.store.operation'], count]),
    ).to.deep.equal([
      // of the catalog, which is read for the first time
      ['lease', 2],
      ['lift', 1],
      ['mark', 1],
      ['settle', 1],
    ]);
  });

  it('has a bounded number of names', async () => {
    for (let i = 0; i < 510; i++) {
      await fragments(blog.orm)(`fragment ${i}`, null, () => 'x', { timeout: 60 });
    }
    const found = await measured('cacheops.read.duration');
    expect(found).to.have.length(501);
    expect(found.find(({ attributes }) => attributes['cacheops.entity'] === 'others')!.count).to.equal(10);
  });

  it('creates nothing after it was stopped', async () => {
    stop();
    await request(() => fork().find(Tag, {}));
    expect(paths()).to.deep.equal(['request']);
  });

  it('refuses unknown options', () => {
    expect(() => instrument({ tracer: 1 } as never)).to.throw('tracer');
    expect(() => instrument({ attributes: 'all' } as never)).to.throw('attributes');
  });
});
