import type { EntityManager, Loaded } from '@mikro-orm/core';
import type { EntityManager as SqlEntityManager } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import { Article, Tag } from '../../fixtures/legacy/index.js';
import { Cached, CachedAs, cached, cachedAs, cachedMethod, type TimedCache } from '../../lib/index.js';

type Is<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** Does not compile unless it is so. */
function is<_True extends true>(): void {}

class Service {
  constructor(readonly em: SqlEntityManager) {}

  @CachedAs((self: Service, category: number) => self.em.createQueryBuilder(Article).where({ category }), {
    extra: (self, _category, count) => [self.em.schema, count],
    timeout: 60,
  })
  async block(category: number, count = 5): Promise<string[]> {
    return [`${category}${count}`];
  }

  @CachedAs(Article, (self: Service) => self.em.schema)
  async all(): Promise<Article[]> {
    return this.em.find(Article, {});
  }

  @CachedAs([
    Article,
    { entity: Tag, where: { name: 'red' } },
    (self: Service) => self.em.getReference(Tag, 1),
  ])
  async several(): Promise<number> {
    return 1;
  }

  // @ts-expect-error the sample wants a number
  @CachedAs((_self: Service, category: number) => ({ entity: Article, where: { category } }))
  async byName(name: string): Promise<string> {
    return name;
  }

  // @ts-expect-error it would become a promise
  @CachedAs(Article)
  sync(): number {
    return 1;
  }

  @Cached({ timeout: 60, extra: (self: Service) => self.em.schema })
  async rates(currency: string): Promise<Record<string, number>> {
    return { [currency]: 1 };
  }

  // @ts-expect-error it would become a promise
  @Cached({ timeout: 60 })
  square(n: number): number {
    return n * n;
  }
}

/** Never called: it is the compiler that checks it. */
async function program(em: EntityManager, service: Service, cache: TimedCache): Promise<void> {
  const find = cachedAs(Article)(async (manager: EntityManager, id: number) =>
    manager.findOne(Article, id, { populate: ['tags'] }),
  );
  is<Is<Parameters<typeof find>, [manager: EntityManager, id: number]>>();
  is<Is<Awaited<ReturnType<typeof find>>, Loaded<Article, 'tags', '*', never> | null>>();
  // @ts-expect-error an id is a number
  await find(em, '1');
  // @ts-expect-error where is the id?
  await find(em);

  const sync = cachedAs(Article, Tag, { extra: 1 })((n: number) => `${n}`);
  is<Is<ReturnType<typeof sync>, Promise<string>>>();

  const method = cachedAs(Article)(async function (this: Service, n: number) {
    return this.em.count(Article, { id: n });
  });
  is<Is<ThisParameterType<typeof method>, Service>>();
  await method.call(service, 1);
  // @ts-expect-error not of anything
  await method.call({}, 1);
  const rates = cached({ timeout: 60 })(async (currency: string, day?: Date) => ({
    [currency]: Number(day),
  }));
  is<Is<Awaited<ReturnType<typeof rates>>, { [x: string]: number }>>();
  await rates.invalidate('EUR');
  await rates.key('EUR', new Date()).set({ EUR: 1 });
  is<Is<Awaited<ReturnType<ReturnType<typeof rates.key>['get']>>, { [x: string]: number }>>();
  // @ts-expect-error a currency is a string
  await rates.invalidate(1);
  // @ts-expect-error a number is no rates
  await rates.key('EUR').set(1);
  // @ts-expect-error there is no timeout
  cached({});

  await cachedMethod(service, 'rates').invalidate('EUR');
  await cachedMethod(service, 'rates').key('EUR').set({ EUR: 1 });
  // @ts-expect-error a currency is a string
  await cachedMethod(service, 'rates').invalidate(1);
  // @ts-expect-error no method
  await cachedMethod(service, 'nothing').invalidate();

  is<Is<Awaited<ReturnType<typeof cache.get<number>>>, number>>();
  is<Is<Awaited<ReturnType<typeof service.block>>, string[]>>();
}

describe('the types of cached functions', () => {
  it('are the types of the original functions', () => {
    expect(program).to.be.a('function');
  });
});
