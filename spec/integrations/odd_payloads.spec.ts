import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { deserialize, serialize } from 'node:v8';
import type { EntityManager } from '@mikro-orm/core';
import { expect } from 'chai';
import fc from 'fast-check';
import { Packr } from 'msgpackr';
import { Article } from '../../fixtures/legacy/index.js';
import { cachedAs, MemoryStore } from '../../lib/index.js';
import { cachedViewAs } from '../../lib/integrations/http/index.js';
import { fragments } from '../../lib/integrations/templates/index.js';
import { startBlog } from '../orm/support/blog.js';
import type { Started } from '../orm/support/start.js';
import { ask, listen, type Site } from './support/site.js';

type Fill = MemoryStore['fill'];

/** Stores something else than what it is given. */
class ForgingStore extends MemoryStore {
  forge: ((payload: Uint8Array) => Uint8Array) | undefined;

  override fill(...[address, seal, payload, ...rest]: Parameters<Fill>): ReturnType<Fill> {
    const isAnswer = /^(view|fragment|function):/.test(address.key);
    return super.fill(address, seal, (isAnswer && this.forge?.(payload)) || payload, ...rest);
  }
}

const RUNS = Number(process.env.ODD_PAYLOADS ?? 300);
const packr = new Packr({ useRecords: false, moreTypes: true });

/** Puts odd values in the place of some part of a value, at any depth. */
const mutation = fc.record({
  path: fc.array(fc.nat(20), { maxLength: 6 }),
  odd: fc.oneof(
    fc.constantFrom<unknown>(undefined, null, -1, 0, 1e9, 99, 600, 1.5, '', '\n', 'a: b\r\n', [], {}, true),
    fc.anything({ withBigInt: true, withDate: true, withTypedArray: true }),
  ),
  act: fc.constantFrom('replace', 'delete', 'add'),
});

type Mutation = typeof mutation extends fc.Arbitrary<infer T> ? T : never;

function mutate(value: unknown, { path: [at, ...rest], odd, act }: Mutation): unknown {
  const isLeaf =
    typeof value !== 'object' || value === null || ArrayBuffer.isView(value) || value instanceof Date;
  if (at === undefined || isLeaf || Object.keys(value).length === 0) {
    return odd;
  }
  const copy: any = Array.isArray(value) ? [...value] : { ...value };
  const keys = Object.keys(copy);
  const key = keys[at % keys.length]!;
  if (rest.length > 0) {
    copy[key] = mutate(copy[key], { path: rest, odd, act });
  } else if (act === 'delete') {
    Array.isArray(copy) ? copy.splice(Number(key), 1) : delete copy[key];
  } else {
    copy[act === 'add' ? (Array.isArray(copy) ? copy.length : '__proto__x') : key] = odd;
  }
  return copy;
}

const formats = {
  msgpack: {
    pack: (value: unknown) => packr.pack(value),
    unpack: (bytes: Uint8Array): unknown => packr.unpack(bytes),
  },
  structured: { pack: serialize, unpack: (bytes: Uint8Array): unknown => deserialize(bytes) },
} as const;

describe('damaged payloads', () => {
  let started: Started;
  let store: ForgingStore;
  let site: Site;

  before(async () => {
    store = new ForgingStore();
    started = await startBlog({ cacheops: { store, profiles: { Article: { ops: [] } } } });
    const { orm } = started;
    const view = cachedViewAs(Article, { orm, fields: ['x-own'] })(async (_request, response) => {
      response.setHeader('x-own', 'yes');
      response.end((await find(orm.em.fork())).title);
    });
    const serve = async (request: IncomingMessage, response: ServerResponse) => {
      try {
        await view(request, response);
      } catch (error) {
        response.writeHead(500).end(String(error));
      }
    };
    site = await listen(createServer((request, response) => void serve(request, response)));
  });

  beforeEach(() => started.orm.em.fork().nativeUpdate(Article, { id: 1 }, { title: 'First' }));

  after(async () => {
    await site.close();
    await started.orm.close();
  });

  const find = (em: EntityManager) => em.findOneOrFail(Article, 1, { populate: ['author'], cacheops: false });
  const cached = cachedAs(Article)(async (em: EntityManager) => ({ found: [await find(em)] }));

  const kinds: Record<
    string,
    { format: keyof typeof formats; read: () => Promise<unknown>; truth: unknown }
  > = {
    'a view': {
      format: 'msgpack',
      read: async () => {
        const { status, body } = await ask(`${site.origin}/`);
        return `${status} ${body}`;
      },
      truth: '200 First',
    },
    'a fragment': {
      format: 'msgpack',
      read: () =>
        fragments(started.orm)('piece', Article, async () => (await find(started.orm.em.fork())).title),
      truth: 'First',
    },
    'a function': {
      format: 'structured',
      read: async () => {
        const em = started.orm.em.fork();
        const { found } = await cached(em);
        const { title, author } = found[0]!;
        // a damaged entity may lack its author, or have another value there
        return `${title} by ${author?.isInitialized?.() && author.unwrap?.()?.name}`;
      },
      truth: 'First by Ann',
    },
  };

  for (const [kind, { format, read, truth }] of Object.entries(kinds)) {
    const { pack, unpack } = formats[format];

    async function readForged(forge: (payload: Uint8Array) => Uint8Array): Promise<unknown> {
      await started.cache.invalidateAll();
      store.forge = forge;
      try {
        await read();
        await started.cache.idle();
      } finally {
        store.forge = undefined;
      }
      const found = await read();
      await started.cache.idle();
      return found;
    }

    it(`are a miss of ${kind}`, async () => {
      await fc.assert(
        fc.asyncProperty(fc.anything({ withBigInt: true, withDate: true, withMap: true }), async odd => {
          const found = await readForged(() => (kind === 'a fragment' ? Buffer.of(0xff) : pack(odd)));
          expect(found).to.equal(truth);
        }),
        { numRuns: RUNS },
      );
    });

    it(`fail no read of ${kind} if they are damaged anywhere`, async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(mutation, { minLength: 1, maxLength: 3 }), async mutations => {
          const damage = (payload: Uint8Array) =>
            kind === 'a fragment'
              ? Buffer.concat([payload, Buffer.from(mutations.flatMap(({ path }) => path))])
              : pack(mutations.reduce((value, each) => mutate(value, each), unpack(payload)));
          expect(await readForged(damage)).to.satisfy(
            (found: string) => kind !== 'a view' || !/^500/.test(found),
          );
        }),
        { numRuns: RUNS },
      );
    });

    it(`fail no read of ${kind} if they are truncated`, async () => {
      await fc.assert(
        fc.asyncProperty(fc.nat(), async length => {
          const found = await readForged(payload => payload.subarray(0, length % payload.length));
          expect(found).to.be.a('string');
        }),
        { numRuns: 50 },
      );
    });
  }

  it('are reported by an error event', async () => {
    const errors: string[] = [];
    started.cache.events.on('error', ({ error }) => errors.push(String(error)));
    await started.cache.invalidateAll();
    store.forge = () => packr.pack([200, null, { 'x y': 'z' }, {}, [], Buffer.of(1), 1]);
    await ask(`${site.origin}/`);
    await started.cache.idle();
    store.forge = undefined;
    expect((await ask(`${site.origin}/`)).body.toString()).to.equal('First');
    expect(errors).to.have.length(1);
    expect(errors[0]).to.include('A stored response is damaged: the fields.');
  });
});
