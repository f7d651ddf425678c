import type { EntityManager } from '@mikro-orm/pglite';
import { expect } from 'chai';
import { Counter, Registry as Register, type Registry } from 'prom-client';
import { Article, entities, Tag } from '../../fixtures/legacy/index.js';
import { cachedAs, channels, MemoryStore } from '../../lib/index.js';
import { collectMetrics } from '../../lib/integrations/prometheus/index.js';
import { startBlog } from '../orm/support/blog.js';
import { join, type Started } from '../orm/support/start.js';

describe('collectMetrics()', () => {
  let blog: Started;
  let register: Registry;

  beforeEach(async () => {
    blog = await startBlog();
    register = new Register();
  });

  afterEach(async () => {
    await blog.orm.close();
    expect(channels.read.hasSubscribers, 'somebody still listens').to.equal(false);
  });

  const fork = () => blog.orm.em.fork();

  /** The samples of a metric that are not zero, as they are exposed. */
  async function scrape(name: string): Promise<string[]> {
    const text = await register.metrics();
    return text
      .split('\n')
      .filter(line => line.startsWith(name) && !line.endsWith(' 0'))
      .map(line => line.slice(name.length));
  }

  async function twice(run: () => Promise<unknown>): Promise<void> {
    for (const _ of [1, 2]) {
      await run();
      await blog.cache.idle();
    }
  }

  it('counts reads by op, entity and outcome, including earlier reads', async () => {
    const block = cachedAs(Article, { name: 'block' })(async (_em: EntityManager) => 1);
    await twice(() => fork().find(Tag, {}));
    collectMetrics(blog.cache, { register });
    await fork().count(Tag, {}, { cacheops: false });
    await twice(() => block(fork()));
    await twice(() => blog.cache.cache.through('motd', async () => 1));
    expect(await scrape('cacheops_reads_total')).to.have.members([
      '{cache="default",op="fetch",entity="Tag",outcome="hit"} 1',
      '{cache="default",op="fetch",entity="Tag",outcome="miss"} 1',
      '{cache="default",op="count",entity="Tag",outcome="bypass"} 1',
      '{cache="default",op="function",entity="block",outcome="hit"} 1',
      '{cache="default",op="function",entity="block",outcome="miss"} 1',
      '{cache="default",op="value",entity="",outcome="hit"} 1',
      '{cache="default",op="value",entity="",outcome="miss"} 1',
    ]);
    expect(await scrape('cacheops_fills_total')).to.have.members([
      '{cache="default",op="fetch",entity="Tag",outcome="stored"} 1',
      '{cache="default",op="function",entity="block",outcome="stored"} 1',
      '{cache="default",op="value",entity="",outcome="stored"} 1',
    ]);
  });

  it('counts once, however often it is scraped, and at the same time', async () => {
    collectMetrics(blog.cache, { register });
    await twice(() => fork().find(Tag, {}));
    await Promise.all([1, 2, 3].map(() => register.metrics()));
    const hit = '{cache="default",op="fetch",entity="Tag",outcome="hit"}';
    expect(await scrape('cacheops_reads_total')).to.include(`${hit} 1`);
    await fork().find(Tag, {});
    expect(await scrape('cacheops_reads_total')).to.include(`${hit} 2`);
    expect(await scrape('cacheops_read_duration_seconds_count')).to.include(
      '{cache="default",op="fetch",outcome="hit"} 2',
    );
  });

  it('is not affected by register.resetMetrics()', async () => {
    collectMetrics(blog.cache, { register });
    await twice(() => fork().find(Tag, {}));
    register.resetMetrics();
    expect(await scrape('cacheops_reads_total')).to.include(
      '{cache="default",op="fetch",entity="Tag",outcome="hit"} 1',
    );
  });

  it('measures the duration of reads since it was called', async () => {
    await fork().find(Tag, {});
    collectMetrics(blog.cache, { register, buckets: [0.000001, 60] });
    await twice(() => fork().find(Tag, { name: 'red' }));
    const failing = cachedAs(Article, { name: 'failing' })(async (_em: EntityManager) => {
      throw new Error('no');
    });
    await failing(fork()).catch(() => undefined);
    expect(await scrape('cacheops_read_duration_seconds_count')).to.have.members([
      '{cache="default",op="fetch",outcome="miss"} 1',
      '{cache="default",op="fetch",outcome="hit"} 1',
      '{cache="default",op="function",outcome="error"} 1',
    ]);
    const bounds = await scrape('cacheops_read_duration_seconds_bucket');
    expect(bounds).to.include('{le="60",cache="default",op="fetch",outcome="hit"} 1');
    expect(bounds.filter(line => line.includes('le="0.000001"'))).to.deep.equal([]);
  });

  it('counts invalidations and errors of the store', async () => {
    class Broken extends MemoryStore {
      override async read(): Promise<undefined> {
        throw new Error('broken');
      }
    }
    await blog.orm.close();
    blog = await startBlog({ cacheops: { store: new Broken() } });
    collectMetrics(blog.cache, { register });
    await fork().find(Tag, {});
    await fork().nativeUpdate(Tag, { id: 1 }, { name: 'crimson' });
    expect(await scrape('cacheops_errors_total')).to.deep.equal(['{cache="default"} 1']);
    expect(await scrape('cacheops_invalidations_total')).to.deep.equal(['{cache="default"} 1']);
  });

  it('separates several caches, and removes one when it is closed', async () => {
    const other = await join({ entities });
    collectMetrics({ main: blog.cache, other: other.cache }, { register, prefix: 'app_' });
    await fork().find(Tag, {});
    await other.orm.em.fork().find(Tag, {}, { cacheops: false });
    expect(await scrape('app_reads_total')).to.have.members([
      '{cache="main",op="fetch",entity="Tag",outcome="miss"} 1',
      '{cache="other",op="fetch",entity="Tag",outcome="bypass"} 1',
    ]);
    expect(await scrape('app_read_duration_seconds_count')).to.have.length(2);
    await other.orm.close();
    expect(await scrape('app_reads_total')).to.have.length(1);
    expect(await scrape('app_read_duration_seconds_count')).to.deep.equal([
      '{cache="main",op="fetch",outcome="miss"} 1',
    ]);
    expect(channels.read.hasSubscribers).to.equal(true);
  });

  it('leaves nothing behind when it is stopped, and may start again', async () => {
    const stop = collectMetrics(blog.cache, { register });
    stop();
    stop();
    expect(register.getMetricsAsArray()).to.deep.equal([]);
    expect(channels.read.hasSubscribers).to.equal(false);
    expect(blog.cache.events.listenerCount('close')).to.equal(0);
    collectMetrics(blog.cache, { register });
    expect(register.getMetricsAsArray()).to.have.length(6);
    await blog.orm.close();
    expect(register.getMetricsAsArray()).to.deep.equal([]);
    blog = await startBlog();
  });

  it('registers all metrics or none', () => {
    new Counter({ name: 'cacheops_errors_total', help: 'x', registers: [register] });
    expect(() => collectMetrics(blog.cache, { register })).to.throw(/cacheops_errors_total/);
    expect(register.getMetricsAsArray().map(({ help }) => help)).to.deep.equal(['x']);
  });

  it('refuses values that are not a cache, and unknown options', () => {
    const wrong = (caches: unknown, options?: object) => () => collectMetrics(caches as never, options);
    expect(wrong({})).to.throw('there is no cache');
    expect(wrong({ main: blog.orm })).to.throw(
      /main: .* is not a cache\. Give the result of getCacheops\(orm\)/,
    );
    expect(wrong(blog.cache, { registry: register })).to.throw('registry');
  });
});
