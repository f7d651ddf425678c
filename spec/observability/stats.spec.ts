import type { EntityManager } from '@mikro-orm/pglite';
import { expect } from 'chai';
import { Article, Author, Tag } from '../../fixtures/legacy/index.js';
import { cached, cachedAs, type ReadCounts } from '../../lib/index.js';
import { fragments } from '../../lib/integrations/templates/index.js';
import { noReads, Stats } from '../../lib/observability/stats.js';
import { startBlog } from '../orm/support/blog.js';
import type { Started } from '../orm/support/start.js';

describe('stats()', () => {
  let blog: Started;

  beforeEach(async () => {
    blog = await startBlog();
  });

  afterEach(() => blog.orm.close());

  const fork = () => blog.orm.em.fork();

  async function twice(run: () => Promise<unknown>): Promise<void> {
    for (const _ of [1, 2]) {
      await run();
      await blog.cache.idle();
    }
  }

  const counts = (some: Partial<ReadCounts>): ReadCounts => ({ ...noReads(), ...some });

  it('starts at zero', () => {
    const { ops, entities, ...total } = blog.cache.stats();
    expect(total).to.deep.equal({ ...noReads(), audited: 0, mismatches: 0, invalidations: 0, errors: 0 });
    expect(Object.keys(ops)).to.have.members([
      'get',
      'fetch',
      'count',
      'aggregate',
      'exists',
      'function',
      'view',
      'fragment',
      'value',
    ]);
    expect(Object.values(ops)).to.deep.equal(Object.values(ops).map(noReads));
    expect(entities).to.deep.equal({});
  });

  it('counts reads by outcome in total', async () => {
    await twice(() => fork().find(Tag, {}));
    await fork().find(Tag, {}, { cacheops: false });
    await fork().nativeUpdate(Tag, { id: 1 }, { name: 'crimson' });
    await fork().find(Tag, {});
    await blog.cache.idle();
    const { ops: _, entities: __, ...total } = blog.cache.stats();
    expect(total).to.deep.equal({
      ...counts({ hits: 1, misses: 2, bypassed: 1, fills: 2 }),
      audited: 0,
      mismatches: 0,
      invalidations: 1,
      errors: 0,
    });
  });

  it('counts reads by op', async () => {
    const fn = cachedAs(Article, { name: 'block' })(async (_em: EntityManager) => 1);
    const rates = cached({ timeout: 60, cache: blog.cache.cache, name: 'rates' })(async () => 1);
    await twice(() => fork().findOne(Tag, 1));
    await twice(() => fork().find(Tag, {}));
    await twice(() => fork().count(Tag, {}));
    await twice(() => fork().countBy(Article, 'status'));
    await twice(() => fork().exists(Tag, { id: 1 }));
    await twice(() => fn(fork()));
    await twice(() => fragments(blog.orm)('menu', Tag, () => 'x'));
    await twice(() => rates());
    const { ops, ...total } = blog.cache.stats();
    const once = counts({ hits: 1, misses: 1, fills: 1 });
    for (const op of [
      'get',
      'fetch',
      'count',
      'aggregate',
      'exists',
      'function',
      'fragment',
      'value',
    ] as const) {
      expect(ops[op], op).to.deep.equal(once);
    }
    expect(ops.view).to.deep.equal(noReads());
    expect(total).to.include({ hits: 8, misses: 8, fills: 8 });
  });

  it('counts reads by entity, function and fragment', async () => {
    const fn = cachedAs(Article, { name: 'block' })(async (_em: EntityManager) => 1);
    await twice(() => fork().find(Tag, {}));
    await twice(() => fork().find(Author, {}, { cacheops: false }));
    await twice(() => fn(fork()));
    await twice(() => fragments(blog.orm)('menu', Tag, () => 'x'));
    const once = counts({ hits: 1, misses: 1, fills: 1 });
    expect(blog.cache.stats().entities).to.deep.equal({
      Tag: { fetch: once },
      Author: { fetch: counts({ bypassed: 2 }) },
      block: { function: once },
      menu: { fragment: once },
    });
  });

  it('counts functions without a cache as bypassed', async () => {
    const fn = cachedAs(Article, { name: 'unasked' })(async (_em: EntityManager) => 1);
    await blog.cache.disabled(async () => {
      await fn(fork());
      await blog.cache.cache.through('key', async () => 1);
    });
    const { function: functions, value } = blog.cache.stats().ops;
    expect([functions, value]).to.deep.equal([counts({ bypassed: 1 }), counts({ bypassed: 1 })]);
  });

  it('returns a snapshot', async () => {
    const before = blog.cache.stats();
    await fork().find(Tag, {});
    const after = blog.cache.stats();
    expect([before.misses, before.ops.fetch.misses]).to.deep.equal([0, 0]);
    after.entities.Tag!.fetch!.misses = 100;
    after.ops.fetch.misses = 100;
    const { misses, ops, entities } = blog.cache.stats();
    expect([misses, ops.fetch.misses, entities.Tag?.fetch?.misses]).to.deep.equal([1, 1, 1]);
  });

  it('has bounded memory for any number of names', () => {
    const stats = new Stats();
    for (let i = 0; i < 2000; i++) {
      for (const op of ['function', 'fragment', 'view', 'value'] as const) {
        stats.of(op, `${op} ${i}`).hits++;
      }
    }
    const { ops, entities } = stats.read();
    expect(Object.keys(entities)).to.have.length(1001);
    expect(entities.others).to.deep.equal({
      function: counts({ hits: 1500 }),
      fragment: counts({ hits: 1500 }),
    });
    expect([ops.function.hits, ops.view.hits, ops.value.hits]).to.deep.equal([2000, 2000, 2000]);
  });

  it('counts names that every object has as properties', () => {
    const stats = new Stats();
    stats.of('function', '__proto__').hits++;
    stats.of('function', 'constructor').hits++;
    expect(Object.entries(stats.read().entities)).to.deep.equal([
      ['__proto__', { function: counts({ hits: 1 }) }],
      ['constructor', { function: counts({ hits: 1 }) }],
    ]);
  });
});
