import { defineEntity, p, wrap } from '@mikro-orm/core';
import type { EntityManager, MikroORM } from '@mikro-orm/pglite';
import { expect } from 'chai';
import { asking, expectIsolated, type Variant } from '../support/isolated.js';
import { joinUncached, type Started, start } from '../support/start.js';

const cached = { ops: 'all', timeout: 60 } as const;

const Org = defineEntity({
  name: 'Org',
  cacheops: cached,
  filters: { tenant: { name: 'tenant', default: true, cond: args => ({ tenant: args.tenant }) } },
  properties: {
    id: p.integer().primary(),
    tenant: p.integer(),
    name: p.string(),
    projects: () => p.oneToMany(Project).mappedBy('org'),
  },
});

const Project = defineEntity({
  name: 'Project',
  cacheops: cached,
  filters: { named: { name: 'named', cond: args => ({ name: { $like: args.like } }) } },
  properties: {
    id: p.integer().primary(),
    name: p.string(),
    org: () => p.manyToOne(Org),
    tasks: () => p.oneToMany(Task).mappedBy('project'),
    labels: () => p.manyToMany(Label).owner(),
  },
});

const Task = defineEntity({
  name: 'Task',
  cacheops: cached,
  filters: {
    open: { name: 'open', default: true, cond: { done: false } },
    tenant: { name: 'tenant', cond: args => ({ project: { org: { tenant: args.tenant } } }) },
  },
  properties: {
    id: p.integer().primary(),
    title: p.string(),
    done: p.boolean(),
    project: () => p.manyToOne(Project),
  },
});

const Label = defineEntity({
  name: 'Label',
  cacheops: cached,
  filters: {
    tenant: {
      name: 'tenant',
      default: true,
      cond: args => ({ $or: [{ tenant: args.tenant }, { tenant: null }] }),
    },
  },
  properties: { id: p.integer().primary(), name: p.string(), tenant: p.integer().nullable() },
});

const Note = defineEntity({
  name: 'Note',
  cacheops: cached,
  properties: { id: p.integer().primary(), org: () => p.manyToOne(Org).nullable() },
});

const entities = [Org, Project, Task, Label, Note];

type Read = (em: EntityManager) => Promise<unknown>;

/** Filters join all of these, none of which names one. */
const READS: Record<string, Read> = {
  'a condition on a relation': em => em.find(Project, { org: { name: { $ne: '' } } }),
  'a relation that is required': em => em.find(Project, {}),
  'a deep condition': em => em.find(Task, { project: { org: { name: { $ne: '' } } } }),
  'one of a relation': em => em.findOne(Project, { org: { id: { $gt: 0 } }, name: 'b1' }),
  'a number': em => em.count(Project, { org: { name: { $like: '%' } } }),
  'a page and its number': em =>
    em.findAndCount(Project, { org: { name: { $ne: 'x' } } }, { limit: 1, orderBy: { id: 1 } }),
  'a joined relation': em => em.find(Project, {}, { populate: ['org'], strategy: 'joined' }),
  'a relation of its own query': em => em.find(Project, {}, { populate: ['org'], strategy: 'select-in' }),
  'joined collections': em =>
    em.find(Org, {}, { populate: ['projects.tasks', 'projects.labels'], strategy: 'joined' }),
  'collections of their own queries': em =>
    em.find(Org, {}, { populate: ['projects.tasks', 'projects.labels'], strategy: 'select-in' }),
  'balanced collections': em => em.find(Org, {}, { populate: ['projects.tasks', 'projects.labels'] }),
  'a condition on a collection': em => em.find(Org, { projects: { tasks: { title: { $ne: '' } } } }),
  '$some of a collection': em => em.find(Org, { projects: { $some: { tasks: { title: { $ne: '' } } } } }),
  '$none of a collection': em => em.find(Project, { tasks: { $none: {} } }),
  'a condition on a filtered many': em => em.find(Project, { labels: { name: { $ne: '' } } }),
  'an order of a relation': em => em.find(Project, {}, { orderBy: { org: { name: 'desc' }, id: 1 } }),
  'a collection': async em => {
    for (const org of await em.find(Org, {})) {
      await org.projects.init({ populate: ['labels', 'tasks'] });
    }
  },
  'a reference': em => wrap(em.getReference(Org, 2)).init(),
};

const WORLDS: Record<string, (em: EntityManager) => EntityManager> = {
  'tenant 1': em => withTenant(em, 1),
  'tenant 2': em => withTenant(em, 2),
  'a tenant without rows': em => withTenant(em, 3),
};

function withTenant(em: EntityManager, tenant: number): EntityManager {
  em.setFilterParams('tenant', { tenant });
  return em;
}

describe('filters', () => {
  let started: Started;
  let uncached: MikroORM;

  before(async () => {
    started = await start({ entities });
    uncached = await joinUncached({ entities });
    await uncached.em.execute(
      `insert into org (id, tenant, name) values (1, 1, 'one'), (2, 2, 'two'), (3, 2, 'three')`,
    );
    await uncached.em.execute(
      `insert into project (id, name, org_id) values (1, 'a1', 1), (2, 'b1', 1), (3, 'a2', 2), (4, 'b1', 3)`,
    );
    await uncached.em.execute(`insert into task (id, title, done, project_id) values (1, 's', false, 1), (2, 't', true, 1),
      (3, 'u', false, 3), (4, 'v', true, 4)`);
    await uncached.em.execute(
      `insert into label (id, name, tenant) values (1, 'x', 1), (2, 'y', 2), (3, 'z', null)`,
    );
    await uncached.em.execute('insert into note (id, org_id) values (1, 1), (2, 2), (3, null), (4, 3)');
    await uncached.em.execute(
      'insert into project_labels (project_id, label_id) values (1, 1), (1, 2), (1, 3), (3, 2), (4, 1)',
    );
  });

  after(async () => {
    await uncached.close();
    await started.orm.close();
  });

  for (const [what, read] of Object.entries(READS)) {
    it(`filters by tenant separate results: ${what}`, async () => {
      const variants = Object.entries(WORLDS).map(([name, enter]): [string, Variant] => [
        name,
        async orm => {
          const em = enter(orm.em.fork());
          return { em, result: await read(em) };
        },
      ]);
      await isolated(Object.fromEntries(variants));
    });
  }

  it('a filter that is switched on or off separates results', async () => {
    await isolated({
      default: asking(em => em.find(Task, {})),
      off: asking(em => em.find(Task, {}, { filters: false })),
      'one off': asking(em => em.find(Task, {}, { filters: { open: false } as never, orderBy: { id: 1 } })),
      'with parameters': asking(em => em.find(Task, {}, { filters: { tenant: { tenant: 1 } } })),
      'with other parameters': asking(em => em.find(Task, {}, { filters: { tenant: { tenant: 2 } } })),
      'and one off': asking(em => em.find(Task, {}, { filters: { open: false, tenant: { tenant: 2 } } })),
    });
  });

  it('a filter of a relation that is switched on or off separates results', async () => {
    const read = (filters: object | boolean): Variant =>
      asking(em =>
        em.find(Project, { org: { name: { $ne: '' } } }, { filters: filters as never, populate: ['tasks'] }),
      );
    await isolated({
      off: read(false),
      'one tenant': read({ tenant: { tenant: 1 } }),
      'another tenant': read({ tenant: { tenant: 2 } }),
      'another tenant and a name': read({ tenant: { tenant: 2 }, named: { like: 'a%' } }),
      'another tenant and another name': read({ tenant: { tenant: 2 }, named: { like: 'b%' } }),
    });
  });

  it('a filter that is added later applies to later reads', async () => {
    const read: Read = em =>
      em.find(Project, { org: { tenant: { $gt: 0 } } }, { filters: { tenant: false }, orderBy: { id: 1 } });
    const filtered =
      (cond: object, name: string): Variant =>
      async orm => {
        const em = orm.em.fork();
        em.addFilter({ name, cond, entity: Org, default: true } as never);
        return { em, result: await read(em) };
      };
    await isolated({
      none: asking(read),
      one: filtered({ name: { $in: ['one'] } }, 'late'),
      another: filtered({ name: { $in: ['two'] } }, 'late'),
      'with parameters': async orm => {
        const em = orm.em.fork();
        em.addFilter({
          name: 'late',
          cond: (args: { name: string }) => ({ name: args.name }),
          entity: Org,
          default: true,
        } as never);
        em.setFilterParams('late', { name: 'three' });
        return { em, result: await read(em) };
      },
    });
  });

  it('a filter that is added to every entity applies to later reads', async () => {
    const read: Read = em =>
      em.find(
        Project,
        { tasks: { title: { $ne: '' } } },
        { filters: { open: false, tenant: false } as never },
      );
    const filtered =
      (ids: number[]): Variant =>
      async orm => {
        const em = orm.em.fork();
        em.addFilter({ name: 'everywhere', cond: () => ({ id: { $in: ids } }), default: true } as never);
        return { em, result: await read(em) };
      };
    await isolated({ one: filtered([1, 3]), another: filtered([1, 2]), none: asking(read) });
  });

  it('filters that are functions of captured variables separate results', async () => {
    let minimum = 0;
    const variant =
      (least: number): Variant =>
      async orm => {
        minimum = least;
        const em = orm.em.fork();
        em.addFilter({
          name: 'outside',
          cond: () => ({ id: { $gte: minimum } }),
          entity: Org,
          default: true,
        } as never);
        return {
          em,
          result: await em.find(Project, { org: { name: { $ne: '' } } }, { filters: { tenant: false } }),
        };
      };
    await isolated({ one: variant(2), another: variant(3) });
  });

  const NOTES: Record<string, Read> = {
    'a relation that nothing names': em => em.find(Note, {}),
    'a populated relation': em => em.find(Note, {}, { populate: ['org'], strategy: 'joined' }),
    'a list of keys': em => em.find(Note, { id: { $in: [1, 2, 3] } }),
    'a number': em => em.count(Note, {}),
    'its own entity': em => em.find(Org, { id: { $in: [1, 2] } }),
  };

  for (const [what, read] of Object.entries(NOTES)) {
    it(`a strict filter excludes rows as without the extension: ${what}`, async () => {
      const filtered =
        (strict: boolean, ids: number[]): Variant =>
        async orm => {
          const em = orm.em.fork();
          em.addFilter({ name: 'tenant', cond: { id: { $in: ids } }, entity: Org, strict } as never);
          return { em, result: await read(em) };
        };
      await isolated({
        strict: filtered(true, [1, 3]),
        'not strict': filtered(false, [1, 3]),
        'strict, with another list': filtered(true, [1, 2]),
      });
    });
  }

  async function isolated(variants: Record<string, Variant>): Promise<void> {
    await expectIsolated({ ...started, uncached }, variants);
    expect(started.cache.stats().errors).to.equal(0);
  }
});
