import { expect } from 'chai';
import { Author, entities } from '../../../fixtures/define/index.js';
import { RedisStore } from '../../../lib/index.js';
import { redisUrl } from '../../support/servers.js';
import { sourcesOf } from '../support/observe.js';
import { type Started, start } from '../support/start.js';

describe('A read right after an equal read of the same process', () => {
  for (const [where, storeOf] of [
    ['in memory', async () => undefined],
    ['on Redis', async () => new RedisStore(await redisUrl(), { prefix: `${crypto.randomUUID()}:` })],
  ] as const) {
    it(`is a hit, ${where}`, async () => {
      const store = await storeOf();
      const { orm, cache }: Started = await start({ entities, cacheops: store ? { store } : {} });
      try {
        const find = (id: number) => orm.em.fork().find(Author, { id });
        const sources = await sourcesOf(cache, async () => {
          for (let id = 0; id < 30; id++) {
            await find(id);
            await find(id);
          }
        });
        expect(sources).to.deep.equal(Array.from({ length: 60 }, (_, i) => (i % 2 ? 'cache' : 'miss')));
      } finally {
        await orm.close();
        await store?.close();
      }
    });
  }
});
