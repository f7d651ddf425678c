import type { MikroORM } from '@mikro-orm/pglite';
import { expect } from 'chai';
import sinon from 'sinon';
import { Article, entities, Tag } from '../../../fixtures/legacy/index.js';
import { createBlog } from '../support/blog.js';
import { join, joinUncached } from '../support/start.js';

/** Reads and writes for which the extension asks for the catalog, transactions, locks and settings. */
async function use(orm: MikroORM): Promise<void> {
  const em = orm.em.fork();
  for (let i = 0; i < 3; i++) {
    await orm.em.fork().find(Article, { author: { name: 'Ann' } }, { populate: ['tags'] });
  }
  await orm.em.fork().transactional(async inner => {
    await inner.find(Tag, { name: 'red' });
    (await inner.findOneOrFail(Article, 1)).title = 'Other';
  });
  await em.nativeUpdate(Article, { id: 1 }, { title: 'First' });
  await em.execute('comment on table tag is null');
  await em.execute(`set search_path = public`);
  await em.execute('do $$ begin perform 1; end $$');
  await orm.em.fork().find(Article, { author: { name: 'Ann' } });
}

async function logOf(start: typeof joinUncached, debug: unknown): Promise<Set<string>> {
  const messages: string[] = [];
  const orm = await start({
    entities,
    debug: debug as never,
    colors: false,
    logger: message => messages.push(message.replace(/ \[took.*/, '')),
  });
  messages.length = 0;
  await use(orm);
  await orm.close();
  return new Set(messages);
}

const cached: typeof joinUncached = async options => (await join(options)).orm;

describe("The extension's own statements", () => {
  beforeEach(() => createBlog());
  afterEach(() => sinon.restore());

  for (const debug of [['query'], ['query', 'query-params'], true] as const) {
    it(`are not in the query log with debug: ${JSON.stringify(debug)}`, async () => {
      const expected = await logOf(joinUncached, debug);
      await createBlog();
      expect(expected.size).to.be.greaterThan(8);
      expect([...(await logOf(cached, debug))].filter(message => !expected.has(message))).to.deep.equal([]);
    });
  }

  it('are logged under the namespace cacheops if it is enabled by name', async () => {
    const messages = [...(await logOf(cached, ['cacheops']))];
    expect(messages).to.satisfy((all: string[]) => all.every(message => message.startsWith('[cacheops] ')));
    expect(messages.join('\n'))
      .to.match(/pg_class/)
      .and.to.match(/pg_settings/);
  });

  it('do not reach a stub of connection.execute', async () => {
    const sentBy = async (orm: MikroORM) => {
      const execute = sinon.spy(orm.em.getConnection(), 'execute');
      await use(orm);
      await orm.close();
      return execute.args.map(([sql]) => String(sql));
    };
    const expected = await sentBy(await joinUncached({ entities }));
    await createBlog();
    const { orm } = await join({ entities });
    const sent = await sentBy(orm);
    expect(sent.filter(sql => !expected.includes(sql))).to.deep.equal([]);
    // reads that the cache answers are seen too, and nothing is seen twice
    expect(sent.length).to.be.within(5, expected.length);
  });

  it('do not reach onQuery', async () => {
    const onQuery = sinon.spy((sql: string) => sql);
    const { orm } = await join({ entities, onQuery });
    await use(orm);
    await orm.close();
    expect(onQuery.callCount).to.be.greaterThan(5);
    expect(onQuery.args.filter(([sql]) => /pg_\w+\b|current_\w+/.test(sql))).to.deep.equal([]);
  });

  it('do not use up the answers of a stub', async () => {
    const { orm } = await join({ entities });
    sinon.stub(orm.em.getConnection(), 'execute').resolves([{ id: 7, name: 'made up' }]);
    const tags = await orm.em.fork().find(Tag, {});
    expect(tags.map(({ id, name }) => [id, name])).to.deep.equal([[7, 'made up']]);
    await orm.close();
  });
});
