import { type ChildProcess, fork as forkProcess } from 'node:child_process';
import { once } from 'node:events';
import { IsolationLevel } from '@mikro-orm/core';
import { ReflectMetadataProvider } from '@mikro-orm/decorators/legacy';
import { MikroORM } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import { Article, entities, Tag } from '../../fixtures/legacy/index.js';
import { type Cacheops, cached, cachedAs, cacheops, getCacheops } from '../../lib/index.js';
import { type Gate, gate } from '../support/gate.js';
import { freshDatabase, redisUrl } from '../support/servers.js';
import { answersOf } from './support/counted.js';
import type { Order } from './support/race_child.js';

type Em = MikroORM['em'];

/** How often each race is run. */
const TRIES = Number(process.env.RACES ?? 25);

describe('cached functions on PostgreSQL and Redis', () => {
  let url: string;
  let redis: string;
  let orm: MikroORM;
  let cache: Cacheops;
  /** where the next computation stops, once it has read */
  let hold: Gate | undefined;

  const nameOfTag = cachedAs(Tag, { name: 'name of tag' })(async (em: Em) => {
    const { name } = await em.findOneOrFail(Tag, 1, { cacheops: false });
    const held = hold;
    hold = undefined;
    await held?.pass();
    return name;
  });
  const fork = () => orm.em.fork();
  const rename = (name: string) => fork().nativeUpdate(Tag, { id: 1 }, { name });

  before(async () => {
    url = await freshDatabase('functions');
    redis = await redisUrl();
    orm = await MikroORM.init({
      clientUrl: url,
      entities,
      metadataProvider: ReflectMetadataProvider,
      extensions: [cacheops({ redis, prefix: 'functions:', storeTimeout: 5000 })],
    });
    cache = getCacheops(orm);
    await orm.schema.create();
    await fork().execute(`insert into tag (name) values ('one'), ('two')`);
    // ends the quarantine of registries that are new
    await nameOfTag(fork());
    await cached({ timeout: 1, name: 'warm' })(async (_em: Em) => 1)(fork());
  });

  after(() => orm.close());

  beforeEach(async () => {
    hold = undefined;
    await cache.idle();
    await rename('one');
  });

  it('do not serve a result that a slow call has read before a commit', async () => {
    for (let i = 0; i < TRIES; i++) {
      await rename('one');
      const slow = gate();
      hold = slow;
      const computing = nameOfTag(fork());
      await slow.reached;
      await rename(`name ${i}`);
      slow.open();
      await computing;
      await cache.idle();
      expect(await nameOfTag(fork())).to.equal(`name ${i}`);
    }
  });

  it('do not store anything while a writer is between its mark and its commit', async () => {
    const sources = await answersOf({ cache }, async () => {
      const committing = gate();
      const writing = fork().transactional(async em => {
        await em.nativeUpdate(Tag, { id: 1 }, { name: 'uncommitted' });
        await committing.pass();
      });
      await committing.reached;
      // it has not committed, and nothing is known of it
      expect(await nameOfTag(fork())).to.equal('one');
      committing.open();
      await writing;
      expect(await nameOfTag(fork())).to.equal('uncommitted');
    });
    expect(sources).to.deep.equal(['miss', 'miss']);
  });

  it('do not give waiting calls a result that was computed before they began', async () => {
    const slow = gate();
    hold = slow;
    const first = nameOfTag(fork());
    await slow.reached;
    await rename('later');
    // comes after the commit, and finds somebody who computes since before
    const second = nameOfTag(fork());
    slow.open();
    expect([await first, await second]).to.deep.equal(['one', 'later']);
  });

  it('do not store a value that was deleted while it was computed', async () => {
    const slow = gate();
    let value = 'old';
    const timed = cached({ timeout: 60, name: 'timed' })(async (_em: Em, _key: string) => {
      const read = value;
      if (read === 'old') {
        await slow.pass();
      }
      return read;
    });
    const computing = timed(fork(), 'x');
    await slow.reached;
    value = 'new';
    await timed.invalidate(fork(), 'x');
    slow.open();
    expect(await computing).to.equal('old');
    await cache.idle();
    expect(await timed(fork(), 'x')).to.equal('new');
  });

  describe('in a transaction', () => {
    it('they neither read nor fill if it has written', async () => {
      await nameOfTag(fork());
      const sources = await answersOf({ cache }, () =>
        fork().transactional(async em => {
          await em.nativeUpdate(Tag, { id: 1 }, { name: 'mine' });
          expect(await nameOfTag(em as Em)).to.equal('mine');
        }),
      );
      expect(sources).to.deep.equal(['a transaction that has written']);
      await rename('one');
    });

    it('they store nothing if it is rolled back', async () => {
      await fork()
        .transactional(async em => {
          await em.nativeUpdate(Tag, { id: 1 }, { name: 'never' });
          expect(await nameOfTag(em as Em)).to.equal('never');
          throw new Error('rolled back');
        })
        .catch(() => undefined);
      await cache.idle();
      expect(await nameOfTag(fork())).to.equal('one');
      await cache.idle();
      expect(await nameOfTag(fork())).to.equal('one');
    });

    it('they neither read nor fill if it has a snapshot of its own', async () => {
      const sources = await answersOf({ cache }, () =>
        fork().transactional(async em => nameOfTag(em as Em), {
          isolationLevel: IsolationLevel.REPEATABLE_READ,
        }),
      );
      expect(sources).to.deep.equal(['a transaction with a snapshot of its own']);
    });

    it('they read and fill if it only reads', async () => {
      const sources = await answersOf({ cache }, async () => {
        await fork().transactional(async em => {
          expect(await nameOfTag(em as Em)).to.equal('one');
        });
        await cache.idle();
        expect(await nameOfTag(fork())).to.equal('one');
      });
      expect(sources).to.deep.equal(['miss', 'cache']);
    });

    it('they do not store what they read from an older snapshot of another transaction', async () => {
      const outer = fork();
      await outer.begin({ isolationLevel: IsolationLevel.REPEATABLE_READ });
      try {
        await outer.count(Tag, {}, { cacheops: false }); // its snapshot is taken
        await rename('newer');
        const borrowed = cachedAs(Tag, { name: 'borrowed' })(async (_em: Em) => {
          const [row] = await outer.execute('select name from tag where id = 1');
          return row!.name as string;
        });
        expect(await borrowed(fork())).to.equal('one');
        await cache.idle();
        await outer.rollback();
        expect(await borrowed(outer)).to.equal('newer');
      } finally {
        await outer.rollback().catch(() => undefined);
      }
    });

    it('they do not store what an inner transaction has written and rolled back', async () => {
      const dreaming = cachedAs(Tag, { name: 'dreaming' })(async (em: Em) => {
        let seen = '';
        await em
          .transactional(async inner => {
            await inner.nativeUpdate(Tag, { id: 1 }, { name: 'dream' });
            seen = (await inner.findOneOrFail(Tag, 1)).name;
            throw new Error('awake');
          })
          .catch(() => undefined);
        return seen;
      });
      await dreaming(fork());
      await cache.idle();
      const sources = await answersOf({ cache }, () => dreaming(fork()));
      expect(sources).to.deep.equal(['miss']);
    });
  });

  it('are not stale after thousands of overlapping reads and writes', async () => {
    let committed = 0;
    const written = cachedAs(
      { entity: Tag, where: { id: 1 } },
      { name: 'counter' },
    )(async (em: Em) => Number((await em.findOneOrFail(Tag, 1)).name.replace(/\D/g, '') || 0));
    await rename('n0');
    const writer = async () => {
      // however slow the machine is: not before many have read
      for (let i = 1; i <= 60 || reads <= 100; i++) {
        await rename(`n${i}`);
        committed = i;
      }
    };
    let reads = 0;
    let done = false;
    const reader = async () => {
      while (!done) {
        const least = committed;
        expect(await written(fork())).to.be.at.least(least);
        reads++;
      }
    };
    const readers = Promise.all(Array.from({ length: 4 }, reader));
    await writer();
    done = true;
    await readers;
    expect(reads).to.be.above(100);
  });

  it('are not stale if they call others, after many overlapping reads and writes', async () => {
    let committed = 0;
    const inner = cachedAs(
      { entity: Tag, where: { id: 1 } },
      { name: 'inner counter' },
    )(async (em: Em) => Number((await em.findOneOrFail(Tag, 1)).name.replace(/\D/g, '') || 0));
    const outer = cachedAs(Article, { name: 'outer counter' })(async (em: Em) => [
      await inner(em),
      await inner(em),
    ]);
    await rename('n0');
    let reads = 0;
    let done = false;
    const reader = async () => {
      while (!done) {
        const least = committed;
        for (const found of await outer(fork())) {
          expect(found).to.be.at.least(least);
        }
        reads++;
      }
    };
    const readers = Promise.all(Array.from({ length: 4 }, reader));
    for (let i = 1; i <= 60 || reads <= 100; i++) {
      await rename(`n${i}`);
      committed = i;
    }
    done = true;
    await readers;
    await cache.idle();
    expect(await outer(fork())).to.deep.equal([committed, committed]);
    await cache.idle();
    // when nothing is written, it is kept
    expect(await answersOf({ cache }, () => outer(fork()))).to.deep.equal(['cache']);
  });

  describe('in two processes', () => {
    let child: ChildProcess;
    const say = (order: Order) => child.send(order);
    const hear = async () => (await once(child, 'message'))[0];

    before(async () => {
      child = forkProcess(new URL('./support/race_child.js', import.meta.url), [url, redis]);
      expect(await hear()).to.equal('ready');
    });

    after(async () => {
      const ended = once(child, 'exit');
      child.disconnect();
      await ended;
    });

    const slowHere = cachedAs(Tag, { name: 'slow' })(async (em: Em) => (await em.findOneOrFail(Tag, 1)).name);

    it('one process does not serve what the other has read before a commit', async () => {
      say('read');
      expect(await hear()).to.equal('has read');
      await rename('by us');
      say('go on');
      expect(await hear()).to.deep.equal({ name: 'one' });
      expect(await slowHere(fork())).to.equal('by us');
    });

    it('one process serves what the other has computed, until either writes', async () => {
      say('read');
      await hear();
      say('go on');
      await hear();
      expect(await answersOf({ cache }, () => slowHere(fork()))).to.deep.equal(['cache']);
      say({ write: 'by them' });
      expect(await hear()).to.equal('written');
      expect(await slowHere(fork())).to.equal('by them');
    });
  });

  it('load no rows that are not in the result', async () => {
    // a fork per computation, not a leak of its rows into the caller
    const em = fork();
    await cachedAs(Article, { name: 'counting' })(async (own: Em) => (await own.find(Tag, {})).length)(em);
    expect([...em.getUnitOfWork().getIdentityMap()]).to.deep.equal([]);
  });
});
