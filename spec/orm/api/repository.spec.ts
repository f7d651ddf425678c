import { defineEntity, EntityRepository, p } from '@mikro-orm/core';
import { EntityRepository as SqlRepository } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import { CachedRepository, CacheopsError, type WithCaching } from '../../../lib/index.js';
import { sourcesOf } from '../support/observe.js';
import { join, type Started, start } from '../support/start.js';

const properties = { id: p.integer().primary(), name: p.string() };
const manual = { ops: [], timeout: 60 } as const;

class PlainRepository extends EntityRepository<any> {
  readonly #least = 2;

  names(): Promise<string[]> {
    return this.#names();
  }

  async #names(): Promise<string[]> {
    return (await this.find({ id: { $gte: this.#least } })).map(({ name }) => name);
  }
}

class OwnRepository extends CachedRepository<any> {
  readonly #least = 2;

  async names(): Promise<string[]> {
    return (await this.find({ id: { $gte: this.#least } })).map(({ name }) => name);
  }
}

/** As in MikroORM's guide: another exists(), and a field of its own. */
class GuideRepository extends EntityRepository<any> {
  private readonly cache = new Map();

  exists(name: string): string {
    return `no ${name}`;
  }

  size(): number {
    return this.cache.size;
  }
}

const Standard = defineEntity({ name: 'Standard', cacheops: manual, properties });
const Plain = defineEntity({
  name: 'Plain',
  cacheops: manual,
  properties,
  repository: () => PlainRepository,
});
const Own = defineEntity({ name: 'Own', cacheops: manual, properties, repository: () => OwnRepository });
const Sql = defineEntity({ name: 'Sql', cacheops: manual, properties, repository: () => SqlRepository });
const Guide = defineEntity({
  name: 'Guide',
  cacheops: manual,
  properties,
  repository: () => GuideRepository,
});
const Never = defineEntity({ name: 'Never', cacheops: null, properties });
const Unknown = defineEntity({ name: 'Unknown', properties });
const entities = [Standard, Plain, Own, Sql, Guide, Never, Unknown];

describe('a repository', () => {
  let started: Started;

  before(async () => {
    started = await start({ entities });
    for (const table of ['standard', 'plain', 'own', 'sql', 'guide', 'never', 'unknown']) {
      await started.orm.em.execute(`insert into "${table}" values (1, 'a'), (2, 'b')`);
    }
  });

  after(() => started.orm.close());

  const fork = () => started.orm.em.fork();
  const second = async (read: () => Promise<unknown>) => {
    await sourcesOf(started.cache, read);
    return sourcesOf(started.cache, read);
  };

  for (const [name, entity] of Object.entries({ Standard, Plain, Own, Sql })) {
    describe(`of ${name}`, () => {
      const repository = () => fork().getRepository(entity as typeof Standard);

      it('reads through the cache in the scope of cache(), and only there', async () => {
        expect(await second(() => repository().findAll())).to.deep.equal(['ops']);
        expect(await second(() => repository().cache().findAll())).to.deep.equal(['cache']);
        expect(await second(() => repository().findAll())).to.deep.equal(['ops']);
        expect(await second(() => repository().cache({ ops: 'count' }).count())).to.deep.equal(['cache']);
        expect(await second(() => repository().cache({ ops: 'count' }).findAll())).to.deep.equal(['ops']);
        expect(await second(() => repository().cache().nocache().findAll())).to.deep.equal(['scope']);
        expect(await second(() => repository().nocache().findAll({ cacheops: true }))).to.deep.equal([
          'cache',
        ]);
        expect(await second(() => repository().cache().findAll({ cacheops: false }))).to.deep.equal(['call']);
      });

      it('a scoped repository has the same methods, fields, EntityManager and class', () => {
        const plain = repository();
        const scoped = plain.cache();
        expect(scoped).to.be.instanceOf(plain.constructor).and.to.be.instanceOf(EntityRepository);
        expect(scoped.getEntityManager()).to.equal(plain.getEntityManager());
        expect(scoped.getEntityName()).to.equal(plain.getEntityName());
        expect(scoped.constructor).to.equal(plain.constructor);
      });

      it('all reading methods are cached', async () => {
        const { id } = (await repository().findOneOrFail({ name: 'a' })) as { id: number };
        for (const read of [
          () => repository().cache().find({ id }),
          () => repository().cache().findOne({ id }),
          () => repository().cache().findOneOrFail({ id }),
          () => repository().cache().findAll({ limit: 1 }),
          () => repository().cache().count({ id }),
        ]) {
          expect(await second(read)).to.deep.equal(['cache']);
        }
        expect(await second(() => repository().cache().findAndCount({ id }))).to.deep.equal([
          'cache',
          'cache',
        ]);
      });

      it('cache() throws at once if its options are wrong', () => {
        expect(() => repository().cache({ timeout: -1 })).to.throw(CacheopsError, `Repository of ${name}`);
        expect(() => repository().cache({ ops: 'find' as never })).to.throw(CacheopsError, 'find');
        expect(() => repository().cache(false as never)).not.to.throw();
      });
    });
  }

  for (const entity of [Plain, Own]) {
    it(`a repository with private fields works in a scope: ${entity.name}`, async () => {
      const repository = () =>
        fork().getRepository(entity as never) as unknown as WithCaching<PlainRepository, any>;
      expect(await repository().cache().names()).to.deep.equal(['b']);
      expect(await second(() => repository().cache().names())).to.deep.equal(['cache']);
      expect(await second(() => repository().names())).to.deep.equal(['ops']);
    });
  }

  it('cache() throws for an entity that cannot be cached', () => {
    expect(() => fork().getRepository(Never).cache()).to.throw(CacheopsError, 'Never is never cached');
    expect(() => fork().getRepository(Unknown).cache()).to.throw(CacheopsError, 'Unknown has no profile');
    expect(fork().getRepository(Never).nocache()).to.be.instanceOf(EntityRepository);
  });

  it('an entity has a CachedRepository, unless it names its own repository', () => {
    expect(fork().getRepository(Standard)).to.be.instanceOf(CachedRepository);
    expect(fork().getRepository(Plain))
      .to.be.instanceOf(PlainRepository)
      .and.not.to.be.instanceOf(CachedRepository);
  });

  it('members of a repository win over the methods that would be added', async () => {
    const repository = () =>
      fork().getRepository(Guide) as unknown as GuideRepository & { nocache(): GuideRepository };
    expect(repository().exists('x')).to.equal('no x');
    expect(repository().size()).to.equal(0);
    expect(await second(() => repository().nocache().findAll())).to.deep.equal(['scope']);
  });

  it('an entity has the repository of the configuration, if there is one', async () => {
    class Configured extends EntityRepository<any> {
      answer = 42;
    }
    const configured = await join({ entities: [Standard], entityRepository: Configured as never });
    try {
      const repository = configured.orm.em.fork().getRepository(Standard) as unknown as WithCaching<
        Configured,
        any
      >;
      expect(repository).to.be.instanceOf(Configured);
      expect(repository.cache().answer).to.equal(42);
    } finally {
      await configured.orm.close();
    }
  });
});
