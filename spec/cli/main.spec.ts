import { globSync, readFileSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { defineEntity, MikroORM, p } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import { fileCache } from '../../lib/functions/file_cache.js';
import { cacheops, getCacheops, type ReadEvent } from '../../lib/index.js';
import { freePort } from '../support/free_port.js';
import { type RedisServer, startRedis } from '../support/redis.js';
import { freshDatabase } from '../support/servers.js';
import { temporaryDirectory } from '../support/temporary_directory.js';
import { until } from '../support/until.js';
import { configuration, ENTITIES, makeProject, type UserProject } from './project.js';

const profile = { ops: ['get', 'fetch'], timeout: 600 } as const;
const Article = defineEntity({
  name: 'Article',
  cacheops: profile,
  properties: { id: p.integer().primary(), category: p.integer(), title: p.string() },
});
const Translation = defineEntity({
  name: 'Translation',
  cacheops: profile,
  properties: {
    article: () => p.manyToOne(Article).primary(),
    locale: p.string().primary(),
    title: p.string(),
  },
});
const Note = defineEntity({
  name: 'Note',
  schema: 'blog',
  cacheops: profile,
  properties: { id: p.integer().primary(), text: p.string() },
});
const Secret = defineEntity({ name: 'Secret', properties: { id: p.integer().primary() } });

describe('the command mikro-orm-cacheops', function () {
  this.timeout(300_000);
  let redis: RedisServer;
  let project: UserProject;
  let memory: UserProject;
  let database: string;
  /** a process of the project that keeps running */
  let orm: MikroORM;
  const reads: ReadEvent[] = [];

  const queries = {
    seven: () => orm.em.fork().find(Article, { category: 7 }),
    eight: () => orm.em.fork().find(Article, { category: 8 }),
    german: () => orm.em.fork().find(Translation, { article: 1, locale: 'de' }),
    french: () => orm.em.fork().find(Translation, { article: 1, locale: 'fr' }),
    notes: () => orm.em.fork().find(Note, { id: 1 }),
  };
  type Name = keyof typeof queries;

  async function isHit(name: Name): Promise<boolean> {
    reads.length = 0;
    await queries[name]();
    return reads[0]?.source === 'cache';
  }

  before(async () => {
    database = await freshDatabase('cli');
    redis = await startRedis();
    orm = await MikroORM.init({
      clientUrl: database,
      entities: [Article, Translation, Note, Secret],
      extensions: [cacheops({ redis: redis.url, prefix: 'blog:', storeTimeout: 10_000 })],
    });
    await orm.schema.create();
    await orm.em
      .getConnection()
      .execute(
        `insert into article values (1, 7, 'one'), (2, 8, 'two'); insert into translation values (1, 'de', 'eins'), (1, 'fr', 'un'); insert into blog.note values (1, 'a note');`,
      );
    getCacheops(orm).events.on('read', read => reads.push(read));
    const files = { 'src/entities.ts': ENTITIES };
    const environment = { SPEC_DATABASE: database, SPEC_REDIS: redis.url };
    project = makeProject(
      {
        ...files,
        'src/mikro-orm.config.ts': configuration(
          "redis: process.env.SPEC_REDIS as string, prefix: 'blog:', storeTimeout: 2000",
        ),
      },
      environment,
    );
    memory = makeProject({ ...files, 'src/mikro-orm.config.ts': configuration('') }, environment);
  });
  after(async () => {
    await orm.close();
    await redis.stop();
    project.remove();
    memory.remove();
  });

  /** All queries are answered by the cache, then it runs, then these are not any more. */
  async function expectToDrop(args: readonly string[], dropped: readonly Name[], json: unknown) {
    const names = Object.keys(queries) as Name[];
    for (const name of names) {
      await until(() => isHit(name), { timeout: 60_000, interval: 20 });
    }
    const { code, stdout, stderr } = await project.run('invalidate', ...args, '--json');
    expect(stderr).to.equal('');
    expect(code).to.equal(0);
    expect(JSON.parse(stdout)).to.deep.equal({ dropped: json });
    const missed: Name[] = [];
    for (const name of names) {
      if (!(await isHit(name))) {
        missed.push(name);
      }
    }
    expect(missed).to.deep.equal(dropped);
  }

  describe('invalidate', () => {
    it('drops what depends on a row', () =>
      expectToDrop(['Article.1'], ['seven'], [{ entity: 'Article', key: { id: 1 }, found: true }]));

    for (const key of ['1,de', '[1,"de"]', '{"locale":"de","article":1}']) {
      it(`drops what depends on a row with a composite key (${key})`, () =>
        expectToDrop(
          [`Translation.${key}`],
          ['german'],
          [{ entity: 'Translation', key: { article: 1, locale: 'de' }, found: true }],
        ));
    }

    it('drops what depends on the table of a missing row', () =>
      expectToDrop(
        ['Article.99'],
        ['seven', 'eight'],
        [{ entity: 'Article', key: { id: 99 }, found: false }],
      ));

    it('drops what depends on entities', () =>
      expectToDrop(
        ['Translation', 'blog.Note'],
        ['german', 'french', 'notes'],
        [{ entity: 'Translation' }, { entity: 'Note' }],
      ));

    it('drops what depends on entities by a pattern', () =>
      expectToDrop(['blog.*'], ['notes'], [{ entity: 'Note' }]));

    it('drops everything with --yes', () =>
      expectToDrop(['all', '--yes'], ['seven', 'eight', 'german', 'french', 'notes'], [{ all: true }]));

    it('drops nothing without a terminal to ask for confirmation', async () => {
      await until(() => isHit('seven'), { timeout: 60_000, interval: 20 });
      const { code, stderr } = await project.run('invalidate', 'all');
      expect(code).to.equal(2);
      expect(stderr).to.contain('--yes');
      expect(await isHit('seven')).to.equal(true);
    });

    it('drops nothing if one of several targets is wrong', async () => {
      await until(() => isHit('seven'), { timeout: 60_000, interval: 20 });
      const { code, stderr } = await project.run('invalidate', 'Article', 'Trnslation.1,de');
      expect(code).to.equal(2);
      expect(stderr).to.contain("Did you mean 'Translation.1,de'?");
      expect(await isHit('seven')).to.equal(true);
    });

    for (const [target, message] of Object.entries({
      'Article.one': "'id' is a number; 'one' is not",
      'Translation.1': 'the key is article, locale',
      'Article.{': 'is not JSON',
    })) {
      it(`reports what is wrong with ${target}`, async () => {
        const { code, stderr } = await project.run('invalidate', target);
        expect(code).to.equal(2);
        expect(stderr).to.contain(message);
      });
    }

    it('fails if the store cannot be reached', async () => {
      await redis.kill9();
      try {
        for (const target of ['Article.1', 'Article']) {
          const { code, stderr } = await project.run('invalidate', target);
          expect(code, target).to.equal(1);
          expect(stderr, target).to.contain('The store has failed at');
        }
      } finally {
        await redis.restart();
      }
    });

    it('reports that it cannot invalidate in the memory of other processes', async () => {
      const { code, stdout } = await memory.run('invalidate', 'Article', '--json');
      expect(code).to.equal(1);
      expect(JSON.parse(stdout).error).to.contain('memory of each process');
    });
  });

  describe('explain', () => {
    it('prints the dependencies of a query, and whether it is cached now', async () => {
      await getCacheops(orm).invalidateAll();
      await until(() => isHit('seven'), { timeout: 60_000, interval: 20 });
      const { code, stdout } = await project.run('explain', 'Article', '{"category":7}', '--json');
      expect(code).to.equal(0);
      const { key, ...explained } = JSON.parse(stdout);
      expect(key).to.equal(reads[0]!.key);
      expect(explained).to.deep.equal({
        entity: 'Article',
        op: 'fetch',
        isCached: true,
        dependencies: ['article(category=7)'],
        checks: [],
        timeout: 600,
        isCachedNow: true,
        populates: [],
      });

      const other = await project.run('explain', 'Article', '{"category":9}');
      expect(other.stdout).to.contain('not in the cache').and.contain('article(category=9)');
    });

    it('takes options of the query, and prints what is checked when its result is read again', async () => {
      const options = { orderBy: { id: 'asc' }, limit: 10, fields: ['title'] };
      const { stdout } = await project.run(
        ...['explain', 'Article', '{"category":7,"title":{"$ne":"x"}}', '--options', JSON.stringify(options)],
      );
      expect(stdout).to.match(/^depends on +article\(category=7 and title!=x; reads .*title.*\)$/m);
      expect(stdout).to.match(/^checks +article\(category=7\): id, title$/m);
      expect(stdout).to.contain('Of changed rows, what is listed under checks is compared');
    });

    it('prints the reads that populate the result', async () => {
      const options = JSON.stringify({ populate: ['article'], strategy: 'select-in' });
      const args = ['explain', 'Translation', '{"locale":"de"}', '--options', options];
      const { stdout } = await project.run(...args, '--json');
      const { entity, populates } = JSON.parse(stdout);
      expect(entity).to.equal('Translation');
      expect(populates).to.have.length(1);
      expect(populates[0]).to.deep.include({ entity: 'Article', op: 'fetch', isCached: true });
      expect(populates[0].dependencies).to.deep.equal(['article(id=1)']);
      expect((await project.run(...args)).stdout).to.contain(
        'and populates with\nfetch of Article is cached',
      );
    });

    for (const [op, options, dependency] of [
      ['get', {}, 'article(category=7)'],
      ['exists', {}, 'article(category=7)'],
      ['aggregate', { groupBy: 'title' }, 'article(category=7; reads title)'],
    ] as const) {
      it(`explains the op ${op}`, async () => {
        const { stdout } = await project.run(
          ...[
            'explain',
            'Article',
            '{"category":7}',
            '--op',
            op,
            '--options',
            JSON.stringify(options),
            '--json',
          ],
        );
        expect(JSON.parse(stdout)).to.deep.include({ entity: 'Article', op, dependencies: [dependency] });
      });
    }

    it('prints why a query is not cached', async () => {
      const count = await project.run('explain', 'Article', '--op', 'count', '--json');
      expect(JSON.parse(count.stdout)).to.include({ isCached: false, isCachedNow: false });
      expect(JSON.parse(count.stdout).reason).to.contain("'count' is not among the ops");

      const secret = await project.run('explain', 'Secret');
      expect(secret.stdout).to.contain('it has no profile');
    });

    it('works where results are kept in memory', async () => {
      const { code, stdout } = await memory.run('explain', 'Article', '{"category":7}');
      expect(code).to.equal(0);
      expect(stdout).to.contain('article(category=7)').and.contain('not in the cache');
    });

    for (const command of [['explain', 'Article', '{"category":7}'], ['stats']]) {
      it(`fails if the store cannot be reached, and names it: ${command[0]}`, async () => {
        const url = `redis://user:hush@127.0.0.1:${await freePort()}/3`;
        const config = configuration("redis: process.env.SPEC_REDIS as string, prefix: 'blog:'");
        const cut = makeProject(
          { 'src/entities.ts': ENTITIES, 'src/mikro-orm.config.ts': config },
          { SPEC_DATABASE: database, SPEC_REDIS: url },
        );
        try {
          const { code, stdout, stderr } = await cut.run(...command);
          expect(code).to.equal(1);
          expect(stdout).to.equal('');
          expect(stderr).to.contain(new URL(url).host).and.to.contain('Redis').and.not.to.contain('hush');
        } finally {
          cut.remove();
        }
      });
    }

    for (const [args, message] of [
      [[], 'give an entity'],
      [['Artikle'], "Did you mean 'Article'?"],
      [['Article', '{category:7}'], 'is not JSON'],
      [['Article', '--op', 'fly'], 'give one of'],
      [['Article', '--op', 'aggregate'], 'groupBy'],
    ] as const) {
      it(`reports what is wrong with ${JSON.stringify(args)}`, async () => {
        const { code, stderr } = await project.run('explain', ...args);
        expect(code).to.equal(2);
        expect(stderr).to.contain(message);
      });
    }
  });

  describe('stats', () => {
    it('prints what is in the store', async () => {
      await getCacheops(orm).invalidateAll();
      await until(() => isHit('seven'), { timeout: 60_000, interval: 20 });
      const { code, stdout } = await project.run('stats', '--json');
      expect(code).to.equal(0);
      const { store, entries, stamps, tables } = JSON.parse(stdout);
      expect(store).to.equal('redis');
      expect(entries.keys).to.equal(1);
      expect(stamps.keys).to.be.at.least(2);
      expect(tables.keys).to.equal(2); // and what is defined in the database
      expect(entries.bytes).to.be.above(100);

      expect((await project.run('stats')).stdout).to.match(/^entries +1 +[\d.]+ (B|KiB)$/m);
    });

    it('prints that the store is the memory of other processes', async () => {
      const { code, stdout } = await memory.run('stats', '--json');
      expect(code).to.equal(0);
      expect(JSON.parse(stdout)).to.deep.equal({ store: 'memory' });
    });
  });

  describe('clean-files', () => {
    it('deletes expired files', async () => {
      const directory = temporaryDirectory('files');
      const cache = fileCache({ directory: directory.path });
      try {
        await cache.set('kept', 'kept', { timeout: 600 });
        await cache.set('over', 'over', { timeout: 600 });
        for (const file of globSync('**/*', { cwd: directory.path, withFileTypes: true })) {
          const path = join(file.parentPath, file.name);
          if (file.isFile() && readFileSync(path).includes('over')) {
            utimesSync(path, 1, 1); // it carries the time of its end
          }
        }
        const { code, stdout } = await project.run('clean-files', directory.path, '--json');
        expect(code).to.equal(0);
        expect(JSON.parse(stdout)).to.include({ removed: 1, kept: 1 });
        expect(await cache.get('kept')).to.equal('kept');
      } finally {
        directory.remove();
      }
    });

    it('requires an existing directory', async () => {
      for (const args of [[], ['nowhere']]) {
        const { code, stderr } = await project.run('clean-files', ...args);
        expect(code).to.equal(2);
        expect(stderr).to.contain('directory');
      }
    });
  });

  it('prints help', async () => {
    const { code, stdout } = await project.run('--help');
    expect(code).to.equal(0);
    for (const word of ['invalidate', 'stats', 'explain', '--json', '--yes', 'Exit codes']) {
      expect(stdout).to.contain(word);
    }
  });

  it('prints its version', async () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8'));
    expect((await project.run('--version')).stdout).to.equal(`${version}\n`);
  });

  for (const [args, message] of [
    [[], 'Which command?'],
    [['invalidte', 'all'], "Did you mean 'invalidate'?"],
    [['stats', '--jsn'], '--jsn'],
    [['invalidate'], 'what?'],
  ] as const) {
    it(`reports what is wrong with ${JSON.stringify(args)}`, async () => {
      const { code, stderr } = await project.run(...args);
      expect(code).to.equal(2);
      expect(stderr).to.contain(message);
    });
  }

  it('fails without a configuration', async () => {
    const empty = makeProject({});
    try {
      const { code, stderr } = await empty.run('stats');
      expect(code).to.equal(1);
      expect(stderr).to.contain('no configuration');
    } finally {
      empty.remove();
    }
  });

  it('accepts a given configuration, also in JavaScript', async () => {
    const plain = makeProject(
      {
        'orm/other.js': `
          import { defineConfig, defineEntity, p } from '@mikro-orm/postgresql';
          import { cacheops } from 'mikro-orm-cacheops';
          const Tag = defineEntity({ name: 'Tag', properties: { id: p.integer().primary() } });
          const extensions = [cacheops()];
          export default [
            defineConfig({ contextName: 'one', dbName: 'x', entities: [Tag], extensions: [] }),
            defineConfig({ contextName: 'two', dbName: 'x', entities: [Tag], extensions }),
          ];`,
      },
      {},
    );
    try {
      const two = await plain.run('stats', '--config', 'orm/other.js', '--context', 'two', '--json');
      expect(JSON.parse(two.stdout)).to.deep.equal({ store: 'memory' });
      const one = await plain.run('stats', '-c', 'orm/other.js', '--context', 'one');
      expect(one.code).to.equal(1);
      expect(one.stderr).to.contain('This ORM has no cache');
    } finally {
      plain.remove();
    }
  });
});
