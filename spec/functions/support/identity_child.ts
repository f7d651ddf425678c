import type { EntityManager } from '@mikro-orm/core';
import { ReflectMetadataProvider } from '@mikro-orm/decorators/legacy';
import { MikroORM } from '@mikro-orm/postgresql';
import { entities, Tag } from '../../../fixtures/legacy/index.js';
import { Cached, CachedAs, cached, cachedAs, cacheops, getCacheops } from '../../../lib/index.js';

/** Prints what functions give that have captured something, or were told by those of another process. */
const [clientUrl, redis, captured] = process.argv.slice(2) as [string, string, string];

type Em = EntityManager;

const warnings: string[] = [];
process.on('warning', ({ message }) => warnings.push(message));

// of the module: what they capture is the user's affair
const atTop = cachedAs(Tag)(async (_em: Em) => captured);

class Decorated {
  @CachedAs(Tag)
  async get(_em: Em): Promise<string> {
    return captured;
  }
}

class Kind {
  kind(): string {
    return '';
  }

  @CachedAs(Tag)
  async sampled(_em: Em): Promise<string> {
    return this.kind();
  }

  @Cached({ timeout: 600 })
  static async timed(_em: Em): Promise<string> {
    // biome-ignore lint/complexity/noThisInStatic: `this` may be a subclass
    return this.kind();
  }

  static kind(): string {
    return '';
  }
}
// as in two modules, of which each process calls another one first
const ofModule: Record<string, typeof Kind> = {
  a: class Report extends Kind {
    override kind() {
      return 'a';
    }
    static override kind() {
      return 'a';
    }
  },
  b: class Report extends Kind {
    override kind() {
      return 'b';
    }
    static override kind() {
      return 'b';
    }
  },
};
const Report = ofModule[captured]!;

const orm = await MikroORM.init({
  clientUrl,
  entities,
  metadataProvider: ReflectMetadataProvider,
  extensions: [cacheops({ redis, prefix: 'identity:', storeTimeout: 5000 })],
});
const cache = getCacheops(orm);
await orm.schema.update();

// after an await: there is no caller on the stack any more
const late = cached({ timeout: 600 })(async (_em: Em) => captured);
const named = cachedAs(Tag, { name: 'named' })(async (_em: Em) => captured);

function factory(value: string) {
  class Service {
    @CachedAs(Tag)
    async sampled(_em: Em): Promise<string> {
      return value;
    }

    @Cached({ timeout: 600 })
    async timed(_em: Em): Promise<string> {
      return value;
    }
  }
  return new Service();
}
const service = factory(captured);
const functionOf = (value: string) => cachedAs(Tag)(async (_em: Em) => value);
const timedOf = (value: string) => cached({ timeout: 600 })(async (_em: Em) => value);
const [mapped] = [captured].map(value => cachedAs(Tag)(async (_em: Em) => `${value}`));
let awaited!: (em: Em) => Promise<string>;
await (async (value: string) => {
  await new Promise(resolve => setImmediate(resolve));
  awaited = cachedAs(Tag)(async (_em: Em) => String(value));
})(captured);

const functions: Record<string, (em: Em) => Promise<string>> = {
  module: atTop,
  decorated: em => new Decorated().get(em),
  late,
  named,
  sampled: em => service.sampled(em),
  timed: em => service.timed(em),
  function: functionOf(captured),
  timedFunction: timedOf(captured),
  mapped: mapped!,
  inherited: em => new Report().sampled(em),
  inheritedStatic: em => Report.timed(em),
  awaited,
};
const results: Record<string, string> = {};
// the first time ends the quarantine of a registry that is new
await named(orm.em.fork());
await cache.idle();
for (const round of [1, 2]) {
  for (const [kind, fn] of Object.entries(functions)) {
    results[kind] = await fn(orm.em.fork());
    await cache.idle();
  }
  void round;
}
process.stdout.write(JSON.stringify({ results, warnings }));
await orm.close();
