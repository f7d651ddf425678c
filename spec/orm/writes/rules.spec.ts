import { defineEntity, p } from '@mikro-orm/core';
import type { EntityManager } from '@mikro-orm/pglite';
import { expect } from 'chai';
import { emptyEmbedded } from '../support/embedded.js';
import { sourcesOf } from '../support/observe.js';
import { join, type Started } from '../support/start.js';
import { expectNoticed, type Step, type WritePath } from '../support/write_path.js';

const cached = { ops: 'all', timeout: 60 } as const;

const Post = defineEntity({
  name: 'Post',
  cacheops: cached,
  properties: { id: p.integer().primary(), title: p.string(), deleted: p.boolean().default(false) },
});

const Live = defineEntity({
  name: 'Live',
  properties: { id: p.integer().primary(), title: p.string(), deleted: p.boolean().default(false) },
});

const Counter = defineEntity({
  name: 'Counter',
  cacheops: cached,
  properties: { id: p.integer().primary(), n: p.integer() },
});

const Inbox = defineEntity({
  name: 'Inbox',
  properties: { id: p.integer().primary(), n: p.integer(), post: p.integer().nullable() },
});

const Quiet = defineEntity({ name: 'Quiet', properties: { id: p.integer().primary(), n: p.integer() } });
const Hook = defineEntity({ name: 'Hook', properties: { id: p.integer().primary(), n: p.integer() } });

const Bystander = defineEntity({
  name: 'Bystander',
  cacheops: cached,
  properties: { id: p.integer().primary() },
});

const entities = [Post, Live, Counter, Inbox, Quiet, Hook, Bystander];

const DDL = `
  create table post (id int primary key, title text, deleted boolean not null default false);
  create view live as select id, title, deleted from post where not deleted;
  create rule soft as on delete to live do instead update post set deleted = true where id = old.id;
  create view visible as select id, title from live;
  create table counter (id int primary key, n int);
  create table bystander (id int primary key);
  create function count_up() returns int language sql as 'update counter set n = n + 1 where id = 1 returning n';
  -- each of these reports no rows
  create table inbox (id int primary key, n int, post int references post on delete cascade);
  create rule counting as on insert to inbox where new.n > 0 do instead update counter set n = n + new.n where id = 1;
  create rule calling as on update to inbox do also select count_up();
  create rule hiding as on delete to inbox do instead update post set title = 'hidden' where id = old.post;
  create view quiet as select id, n from inbox;
  create function quietly() returns trigger language plpgsql as
    'begin update counter set n = n + 1 where id = 1; return null; end';
  create trigger quietly instead of insert or update on quiet for each row execute function quietly();
  create table hook (id int primary key, n int);
  create trigger hooked before insert on hook for each row when (new.n = 1) execute function quietly();
  create trigger after_all after update or delete on hook for each statement execute function quietly();
  create function through_view() returns trigger language plpgsql as
    $$ begin update visible set title = 'seen' where id = new.id; return null; end $$;
  create trigger through_view before insert on hook for each row when (new.n = 2) execute function through_view();
  create function by_rule() returns trigger language plpgsql as
    $$ begin delete from live where id = new.id; return null; end $$;
  create trigger by_rule before insert on hook for each row when (new.n = 3) execute function by_rule();
  create function anywhere() returns trigger language plpgsql as
    $$ begin execute 'update coun' || 'ter set n = 7'; return null; end $$;
  create trigger anywhere before insert on hook for each row when (new.n = 4) execute function anywhere();
  insert into post values (1, 'a'), (2, 'b'); insert into counter values (1, 1); insert into bystander values (1);
  alter table inbox disable rule counting; insert into inbox values (1, 1, 1); alter table inbox enable rule counting;
  insert into hook values (9, 9)`;

const posts: Step = em => em.find(Post, { deleted: false }, { orderBy: { id: 1 } });
const titled: Step = em => em.find(Post, { title: 'a' });
const counter: Step = em => em.find(Counter, { id: 1 });
const bystanders: Step = em => em.find(Bystander, {});
const viaKysely =
  (write: (kysely: ReturnType<EntityManager['getKysely']>) => Promise<unknown>): Step =>
  em =>
    write(em.getKysely() as never);

const PATHS: Record<string, WritePath> = {
  'nativeDelete() of a view whose rule updates': {
    write: em => em.nativeDelete(Live, { id: 1 }),
    changes: posts,
    keeps: [bystanders],
  },
  'remove() and flush() of a view whose rule updates': {
    write: async em => em.remove(await em.findOneOrFail(Live, 1)).flush(),
    changes: posts,
  },
  'a query builder on a view whose rule updates': {
    write: em => em.createQueryBuilder(Live).delete({ id: 1 }).execute(),
    changes: posts,
  },
  'raw SQL on a view whose rule updates': {
    write: em => em.execute('delete from live where id = 1'),
    changes: posts,
    keeps: [bystanders],
  },
  'kysely on a view whose rule updates': {
    write: viaKysely(kysely =>
      kysely
        .deleteFrom('live' as never)
        .where('id' as never, '=', 1 as never)
        .execute(),
    ),
    changes: posts,
  },
  'a WITH query on a view whose rule updates': {
    write: em => em.execute('with w as (update live set title = $$c$$ where id = 1 returning 1) select 1'),
    changes: titled,
  },
  'a DO block on a view whose rule updates': {
    write: em => em.execute('do $$ begin delete from live where id = 1; end $$'),
    changes: posts,
    keeps: [bystanders],
  },
  'a view of a view': {
    write: em => em.execute('update visible set title = $$c$$ where id = 1'),
    changes: titled,
    keeps: [bystanders],
  },
  'a WITH query on a view of a view': {
    write: em => em.execute('with w as (update visible set title = $$c$$ where id = 1 returning 1) select 1'),
    changes: titled,
    keeps: [bystanders],
  },
  'an INSERT that a rule replaces under a condition': {
    write: em => em.insert(Inbox, { id: 2, n: 5 }),
    changes: counter,
    keeps: [bystanders],
  },
  'persist() and flush() that a rule replaces': {
    write: em =>
      em
        .persist(em.create(Inbox, { id: 2, n: 5 }))
        .flush()
        .catch(() => undefined),
    changes: counter,
  },
  'an UPDATE of no row whose rule calls a function': {
    write: em => em.nativeUpdate(Inbox, { id: 1 }, { n: 1 }),
    changes: counter,
    keeps: [bystanders],
  },
  'a DELETE that a rule replaces': {
    write: em => em.execute('delete from inbox where id = 1'),
    changes: titled,
    keeps: [bystanders],
  },
  'a trigger instead of an INSERT that returns no row': {
    write: em => em.insert(Quiet, { id: 5, n: 5 }),
    changes: counter,
    keeps: [bystanders],
  },
  'a trigger instead of an UPDATE that returns no row': {
    write: em => em.execute('update quiet set n = 3 where id = 1'),
    changes: counter,
  },
  'a trigger before an INSERT that returns no row': {
    write: em => em.insert(Hook, { id: 1, n: 1 }),
    changes: counter,
  },
  'a trigger before an INSERT that does nothing on conflict': {
    write: em => em.execute('insert into hook values (9, 1) on conflict do nothing'),
    changes: counter,
  },
  'a trigger of a statement that finds no row': {
    write: em => em.nativeDelete(Hook, { id: 77 }),
    changes: counter,
  },
  'a trigger that writes to a view': {
    write: em => em.insert(Hook, { id: 1, n: 2 }),
    changes: titled,
  },
  'a trigger that writes to a view whose rule updates': {
    write: em => em.insert(Hook, { id: 1, n: 3 }),
    changes: posts,
  },
  'a trigger that executes a dynamic statement': {
    write: em => em.insert(Hook, { id: 1, n: 4 }),
    changes: counter,
  },
};

describe('A write that reports no rows is noticed:', () => {
  let started: Started;

  beforeEach(async () => {
    const database = await emptyEmbedded();
    await database.exec(DDL);
    started = await join({ entities });
  });

  afterEach(() => started.orm.close());

  for (const [name, { write, changes, keeps }] of Object.entries(PATHS)) {
    it(name, () => expectNoticed(started, { write, changes, keeps: keeps ?? [] }));
    it(`${name}, in a transaction`, () =>
      expectNoticed(started, {
        write: em => em.transactional(inner => write(inner as typeof em)),
        changes,
      }));
  }

  it('a cascade whose deletes a rule replaces', async () => {
    // a trigger of the foreign key finds that its DELETE was rewritten
    await started.orm.em.fork().execute('alter table inbox disable rule hiding');
    await started.orm.em.fork().execute('create rule noting as on delete to inbox do also select count_up()');
    await expectNoticed(started, {
      write: em => em.nativeDelete(Post, { id: 1 }),
      changes: [posts, counter],
    });
  });

  it('a statement on a plain table that finds no row drops nothing', async () => {
    await counter(started.orm.em.fork());
    await started.cache.idle();
    await started.orm.em.fork().execute('update counter set n = 1 where id = 77');
    expect(await sourcesOf(started.cache, () => counter(started.orm.em.fork()))).to.deep.equal(['cache']);
  });
});
