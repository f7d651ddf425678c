import { globSync, readFileSync } from 'node:fs';
import { join as joinPath } from 'node:path';
import { PostgreSqlConnection, PostgreSqlDriver, QueryBuilder } from '@mikro-orm/postgresql';
import { AbstractSqlConnection, SqlEntityManager } from '@mikro-orm/sql';
import { expect } from 'chai';
import sinon from 'sinon';
import { Article, entities } from '../../../fixtures/legacy/index.js';
import { cachedEntityManager } from '../../../lib/orm/api/entity_manager.js';
import { PATCHES, type PatchName, patch, patchesOf } from '../../../lib/orm/context/patches.js';
import { createBlog } from '../support/blog.js';
import { join } from '../support/start.js';

const LIB = joinPath(import.meta.dirname, '..', '..', '..', '..', 'lib');

const PROTOTYPES: Readonly<Record<string, object>> = {
  driver: PostgreSqlDriver.prototype,
  connection: PostgreSqlConnection.prototype,
  builder: QueryBuilder.prototype,
};

function partsOf(name: string): { owner: string; method: string } {
  const [, owner, method] = /^(\w+)\.(\w+)/.exec(name)!;
  return { owner: owner!, method: method! };
}

const listed = (owner: string) =>
  PATCHES.map(({ name }) => name).filter(name => partsOf(name).owner === owner);

describe('Patches of MikroORM', () => {
  for (const { name, arity } of PATCHES) {
    it(`replace an existing method with the expected number of parameters: ${name}`, () => {
      const { owner, method } = partsOf(name);
      const found = (PROTOTYPES[owner] as Record<string, unknown>)[method];
      expect(found, `MikroORM has no ${owner}.${method}() any more`).to.be.a('function');
      expect(found, `MikroORM has changed the parameters of ${owner}.${method}()`).to.have.lengthOf(arity);
    });
  }

  it('override methods of the EntityManager, and add none but exists()', () => {
    const Cached = cachedEntityManager(SqlEntityManager as never);
    const overridden = Object.getOwnPropertyNames(Cached.prototype).filter(name => name !== 'constructor');
    expect(overridden.filter(name => !(name in SqlEntityManager.prototype))).to.deep.equal(['exists']);
    expect(overridden).to.include.members(['find', 'fork', 'getContext', 'withSessionContext']);
  });

  it('are applied in the order in which they are listed', async () => {
    await createBlog();
    const { orm } = await join({ entities });
    const driver = orm.em.getDriver();
    expect(patchesOf(driver)).to.deep.equal(listed('driver'));
    expect(patchesOf(driver.getConnection('write'))).to.deep.equal(listed('connection'));
    const built = patchesOf(orm.em.fork().createQueryBuilder(Article));
    expect(built).to.deep.equal(listed('builder').filter(name => built.includes(name)));
    expect(built).to.have.lengthOf(3);
    await orm.close();
  });

  it('are the only methods of a driver, a connection or a builder that are assigned', () => {
    const assigned = globSync('**/*.ts', { cwd: LIB }).flatMap(file =>
      [...readFileSync(joinPath(LIB, file), 'utf8').matchAll(ASSIGNED)].map(([text]) => `${file}: ${text}`),
    );
    expect(assigned).to.deep.equal([]);
  });

  it('call what replaces a method in its class after the ORM was made', async () => {
    await createBlog();
    const { orm } = await join({ entities });
    const execute = sinon.spy(AbstractSqlConnection.prototype, 'execute');
    try {
      await orm.em.fork().find(Article, {});
    } finally {
      execute.restore();
    }
    expect(execute.callCount).to.equal(1);
    await orm.close();
  });

  it('fail with the name of the method that is missing', () => {
    const name: PatchName = 'driver.close';
    expect(() => patch({}, name, original => original)).to.throw(
      'cacheops(): this version of MikroORM has no driver.close().',
    );
  });
});

const ASSIGNED = /\b(driver|connection|builder|qb)\.\w+ = (async )?(function\b|\(|\w+ =>)/g;
