import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import vm from 'node:vm';
import type { EntityManager } from '@mikro-orm/core';
import { expect } from 'chai';
import { Tag } from '../../fixtures/legacy/index.js';
import { Cached, CachedAs, cached, cachedAs } from '../../lib/index.js';
import { startBlog } from '../orm/support/blog.js';
import type { Started } from '../orm/support/start.js';
import { freshDatabase, redisUrl } from '../support/servers.js';
import { temporaryDirectory } from '../support/temporary_directory.js';

type Em = EntityManager;

const LIB = new URL('../../lib/index.js', import.meta.url).href;

describe('the identity of a cached function', () => {
  let blog: Started;
  const fork = () => blog.orm.em.fork();

  beforeEach(async () => {
    blog = await startBlog();
  });

  afterEach(() => blog.orm.close());

  /** Calls each twice. */
  async function results(functions: readonly ((em: Em) => Promise<unknown>)[]): Promise<unknown[]> {
    const found: unknown[] = [];
    for (const fn of [...functions, ...functions]) {
      found.push(await fn(fork()));
      await blog.cache.idle();
    }
    return found;
  }

  const make = {
    'functions of a factory, with cachedAs()': (captured: number) =>
      cachedAs(Tag)(async (_em: Em) => captured),
    'functions of a factory, with cached()': (captured: number) =>
      cached({ timeout: 60 })(async (_em: Em) => captured),
    'methods of classes of a factory, with @CachedAs()'(captured: number) {
      class Service {
        @CachedAs(Tag)
        async get(_em: Em) {
          return captured;
        }
      }
      const service = new Service();
      return (em: Em) => service.get(em);
    },
    'methods of classes of a factory, with @Cached()'(captured: number) {
      class Service {
        @Cached({ timeout: 60 })
        async get(_em: Em) {
          return captured;
        }
      }
      const service = new Service();
      return (em: Em) => service.get(em);
    },
    'static methods of classes of a factory'(captured: number) {
      // biome-ignore lint/complexity/noStaticOnlyClass: it is what is tested
      class Service {
        @CachedAs(Tag)
        static async get(_em: Em) {
          return captured;
        }
      }
      return (em: Em) => Service.get(em);
    },
    'methods that are inherited by classes of a factory'(captured: number) {
      const service = new (subclassOf(captured))();
      return (em: Em) => service.get(em);
    },
  };

  class Base {
    @CachedAs(Tag)
    async get(_em: Em) {
      return this.captured();
    }

    captured() {
      return 0;
    }
  }
  const subclassOf = (captured: number) =>
    class Service extends Base {
      override captured() {
        return captured;
      }
    };

  for (const [what, factory] of Object.entries(make)) {
    it(`distinguishes ${what}`, async () => {
      const functions = [1, 2, 3].map(captured => factory(captured));
      expect(await results(functions)).to.deep.equal([1, 2, 3, 1, 2, 3]);
    });
  }

  it('caches the results of a function of a factory', async () => {
    let computed = 0;
    const fn = cachedAs(Tag)(async (_em: Em) => ++computed);
    expect(await results([fn])).to.deep.equal([1, 1]);
  });

  it('functions with the same name share results', async () => {
    const factory = (captured: number) => cachedAs(Tag, { name: 'named alike' })(async (_em: Em) => captured);
    expect(await results([factory(1), factory(2)])).to.deep.equal([1, 1, 1, 1]);
  });

  describe('in modules', () => {
    const directory = temporaryDirectory('identity');
    const url = (file: string) => `file://${directory.path}/${file}`;

    before(async () => {
      const { writeFileSync } = await import('node:fs');
      const source = (captured: string) => `
        import { cachedAs } from '${LIB}';
        export const state = { computed: 0 };
        ${captured}
      `;
      writeFileSync(`${directory.path}/package.json`, '{ "type": "module" }');
      writeFileSync(
        `${directory.path}/top.js`,
        source(`export const make = Tag => cachedAs(Tag);
          export const fn = cachedAs('Tag')(async em => ++state.computed);`),
      );
      writeFileSync(`${directory.path}/waits.js`, `await new Promise(resolve => setImmediate(resolve));`);
      writeFileSync(
        `${directory.path}/late.js`,
        source(`import './waits.js';
          export const fn = cachedAs('Tag')(async em => ++state.computed);`),
      );
      writeFileSync(
        `${directory.path}/loop.js`,
        source(`export const functions = [];
          for (const i of [1, 2]) functions.push(cachedAs('Tag')(async em => i));`),
      );
    });

    after(() => directory.remove());

    it('functions of a module that is evaluated again (by tests or hot reload) have results of their own', async () => {
      for (const version of [1, 2, 3]) {
        const { fn, state } = await import(`${url('top.js')}?v=${version}`);
        expect(await results([fn])).to.deep.equal([1, 1]);
        expect(state.computed).to.equal(1);
      }
    });

    it('functions of a module that is evaluated in a function (by test runners) have results of their own', async () => {
      const { cachedAs: wrap } = await import(LIB);
      const script = new vm.Script(
        `(function (cachedAs, state) { return cachedAs('Tag')(async em => ++state.computed); })`,
        { filename: `${directory.path}/wrapped.js` },
      );
      for (let i = 0; i < 3; i++) {
        const state = { computed: 0 };
        const fn = script.runInThisContext()(wrap, state);
        expect(await results([fn])).to.deep.equal([1, 1]);
      }
    });

    it('functions of a loop have results of their own', async () => {
      const { functions } = await import(url('loop.js'));
      expect(await results(functions)).to.deep.equal([1, 2, 1, 2]);
    });
  });

  describe('in several processes', () => {
    let given: string[];

    before(async () => {
      given = [await freshDatabase('identity'), await redisUrl()];
    });

    const child = fileURLToPath(new URL('./support/identity_child.js', import.meta.url));

    /** What each kind of function gives in a process of its own that has captured this. */
    async function run(captured: string): Promise<{ results: Record<string, string>; warnings: string[] }> {
      const { stdout } = await promisify(execFile)(process.execPath, [child, ...given, captured]);
      return JSON.parse(stdout);
    }

    it('processes share no results of a function that may have captured other variables', async () => {
      for (const captured of ['a', 'b', 'a']) {
        const { results: found, warnings } = await run(captured);
        const { module: ofModule, late, decorated, named, inherited, inheritedStatic, ...rest } = found;
        for (const [kind, result] of Object.entries({ ...rest, inherited, inheritedStatic })) {
          expect(result, kind).to.equal(captured);
        }
        // those are one and the same in all processes
        expect([ofModule, late, decorated, named]).to.deep.equal(['a', 'a', 'a', 'a']);
        expect(warnings.filter(text => text.includes('shared with no other process'))).to.have.lengthOf(
          Object.keys(rest).length,
        );
      }
    });
  });
});
