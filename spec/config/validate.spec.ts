import { expect } from 'chai';
import { Cluster, Redis, type RedisOptions } from 'ioredis';
import { createClient, createCluster } from 'redis';
import { CacheopsError } from '../../lib/config/error.js';
import type { CacheopsOptions } from '../../lib/config/options.js';
import { validateOptions } from '../../lib/config/validate.js';
import type { Store } from '../../lib/store/store.js';

/** Options as they come from JavaScript. */
function refusal(options: unknown): string {
  try {
    validateOptions(options as CacheopsOptions);
  } catch (error) {
    expect(error).to.be.instanceOf(CacheopsError);
    return (error as Error).message;
  }
  throw new Error('these options were accepted');
}

const nothing = async () => undefined as never;
const store: Store = {
  read: nothing,
  readMany: nothing as never,
  reseal: nothing,
  schemes: nothing,
  lease: nothing,
  fill: nothing,
  mark: nothing,
  settle: nothing,
  lift: nothing,
  drop: nothing,
  clear: nothing,
  close: nothing,
};

describe('validateOptions', () => {
  describe('defaults', () => {
    it('needs no options', () => {
      const expected = {
        backend: { kind: 'memory', maxSize: undefined },
        prefix: 'cacheops:',
        defaults: { ops: undefined, timeout: undefined },
        profiles: [],
        enabled: true,
        serializer: undefined,
        onStoreFailure: 'degrade',
        onUnknownWrite: 'widen',
        storeTimeout: 250,
        retryAfter: 1000,
        granularity: 'full',
        maxConjunctions: 100,
        maxIn: 100,
        maxRows: 10_000,
        audit: undefined,
      };
      expect(validateOptions()).to.deep.equal(expected);
      expect(validateOptions({})).to.deep.equal(expected);
    });

    it('treats an undefined option as absent', () => {
      const options = {
        redis: undefined,
        prefix: undefined,
        maxIn: undefined,
        profiles: { User: undefined },
      };
      expect(validateOptions(options as unknown as CacheopsOptions)).to.deep.equal(validateOptions());
    });

    it('uses the given values', () => {
      const options = validateOptions({
        prefix: 'blog:',
        enabled: false,
        onStoreFailure: 'throw',
        onUnknownWrite: 'refuse',
        storeTimeout: 1,
        retryAfter: 0,
        maxConjunctions: 1,
        maxIn: 2,
        maxRows: 3,
      });
      expect(options).to.include({
        prefix: 'blog:',
        enabled: false,
        onStoreFailure: 'throw',
        onUnknownWrite: 'refuse',
        storeTimeout: 1,
        retryAfter: 0,
        maxConjunctions: 1,
        maxIn: 2,
        maxRows: 3,
      });
    });
  });

  it('refuses a wrong audit', () => {
    expect(validateOptions({ audit: { share: 0.01 } }).audit).to.deep.equal({ share: 0.01 });
    for (const share of [0, -1, 1.5, Number.NaN, '1', undefined]) {
      expect(refusal({ audit: { share } }), String(share)).to.match(
        /^audit: share: .* is no share of the hits/,
      );
    }
    expect(refusal({ audit: true })).to.match(/^audit: true is no object/);
    expect(refusal({ audit: { rate: 1 } })).to.match(/there is no option 'rate'/);
  });

  it('refuses a serializer of bound functions, unless it has a name', () => {
    const encode = String.bind(undefined);
    const decode = (text: unknown) => text;
    expect(refusal({ serializer: { encode, decode } })).to.match(
      /^serializer: a bound function has no source/,
    );
    expect(refusal({ serializer: { encode, decode, name: '' } })).to.match(
      /^serializer: name: '' is no name/,
    );
    expect(validateOptions({ serializer: { encode, decode, name: 'mine' } }).serializer).to.include({
      name: 'mine',
    });
    expect(validateOptions({ serializer: { encode: String, decode } }).serializer).to.include({
      encode: String,
    });
  });

  it('refuses a value that is no serializer', () => {
    for (const serializer of [7, {}, { encode: () => '' }]) {
      expect(refusal({ serializer })).to.match(/^serializer: .* is no serializer\. Give \{ encode/);
    }
  });

  describe('typos', () => {
    it('refuses an unknown option and names the nearest', () => {
      expect(refusal({ profile: {} })).to.match(
        /^cacheops\(\): there is no option 'profile'\. Did you mean 'profiles'\? The options are redis, memory, /,
      );
    });

    it('refuses an unknown field of a profile, and names the entity', () => {
      expect(refusal({ profiles: { User: { timout: 3 } } })).to.equal(
        "profiles['User']: there is no option 'timout'. Did you mean 'timeout'? The options are ops, timeout, lock and tables.",
      );
      expect(refusal({ defaults: { opts: [] } })).to.match(
        /^defaults: there is no option 'opts'\. Did you mean 'ops'\?/,
      );
      expect(refusal({ memory: { max: 3 } })).to.match(/^memory: there is no option 'max'/);
    });

    it('refuses an unknown op and names the nearest', () => {
      expect(refusal({ profiles: { User: { ops: 'fecth' } } })).to.equal(
        "profiles['User']: ops: 'fecth' is no op. Did you mean 'fetch'? " +
          "The ops are get, fetch, count, aggregate and exists; 'all', outside of a list, is all of them.",
      );
      expect(refusal({ defaults: { ops: ['get', 'al'] } })).to.match(/^defaults: ops: 'al' is no op\./);
    });

    it("refuses 'all' in a list of ops", () => {
      expect(refusal({ defaults: { ops: ['all'] } })).to.match(
        /^defaults: ops: 'all' is no op\. The ops are /,
      );
    });

    it('refuses an unknown policy and names the nearest', () => {
      expect(refusal({ onStoreFailure: 'trow' })).to.equal(
        "onStoreFailure: 'trow' is none of its values. Did you mean 'throw'? They are 'degrade' and 'throw'.",
      );
      expect(refusal({ onUnknownWrite: 'drop' })).to.equal(
        "onUnknownWrite: 'drop' is none of its values. They are 'widen' and 'refuse'.",
      );
    });
  });

  describe('types', () => {
    for (const options of [null, 7, 'redis://127.0.0.1', [], true]) {
      it(`refuses ${JSON.stringify(options)} for options`, () => {
        expect(refusal(options)).to.match(/^cacheops\(\): .* is no object\./);
      });
    }

    for (const name of ['storeTimeout', 'retryAfter', 'maxConjunctions', 'maxIn', 'maxRows']) {
      for (const value of [-1, 1.5, NaN, Infinity, 2 ** 31, '100', null, 7n]) {
        it(`refuses ${typeof value === 'string' ? `'${value}'` : value} for ${name}`, () => {
          expect(refusal({ [name]: value })).to.match(new RegExp(`^${name}: .* is not a whole number`));
        });
      }
    }

    for (const name of ['storeTimeout', 'maxConjunctions', 'maxIn', 'maxRows']) {
      it(`refuses 0 for ${name}`, () => {
        expect(refusal({ [name]: 0 })).to.match(/: 0 is not .* Give one from 1 to 2147483647\.$/);
      });
    }

    for (const timeout of [0, -5, 0.5, NaN, Infinity, 2 ** 31, '60', null]) {
      it(`refuses ${JSON.stringify(timeout)} for a timeout`, () => {
        expect(refusal({ profiles: { User: { timeout } } })).to.match(
          /^profiles\['User'\]: timeout: .* is not a whole number of seconds\. Give one from 1 to 2147483647\.$/,
        );
      });
    }

    for (const ops of [7, null, true, { get: true }, [7], [null], ['']]) {
      it(`refuses ${JSON.stringify(ops)} for ops`, () => {
        expect(refusal({ defaults: { ops } })).to.match(/^defaults: ops: .* is (neither an op|no op)/);
      });
    }

    it('refuses a value that is neither a profile nor null', () => {
      expect(refusal({ profiles: { User: 60 } })).to.match(/^profiles\['User'\]: 60 is no object\./);
      expect(refusal({ profiles: { User: false } })).to.match(/^profiles\['User'\]: false is no object\./);
      expect(refusal({ profiles: [{ ops: 'get' }] })).to.match(/^profiles: .* is no object\./);
      expect(refusal({ profiles: null })).to.match(/^profiles: null is no object\./);
      expect(refusal({ defaults: null })).to.match(/^defaults: null is no object\./);
      expect(refusal({ defaults: [] })).to.match(/^defaults: \[\] is no object\./);
    });

    it('refuses a profile for a name without letters', () => {
      expect(refusal({ profiles: { '': {} } })).to.match(/^profiles: '' names no entity\./);
      expect(refusal({ profiles: { ' ': {} } })).to.match(/^profiles: ' ' names no entity\./);
    });

    it('refuses a flag that is no boolean, and a prefix that is no string', () => {
      expect(refusal({ enabled: 'yes' })).to.match(
        /^enabled: 'yes' is none of its values\. They are true and false\.$/,
      );
      expect(refusal({ enabled: null })).to.match(/^enabled: null /);
      expect(refusal({ prefix: 7 })).to.match(/^prefix: 7 is neither a string nor a function/);
      expect(refusal({ prefix: null })).to.match(/^prefix: null /);
      expect(refusal({ prefix: 'a{b:' })).to.match(
        /^prefix: 'a\{b:' cannot be used: it has an opening brace/,
      );
    });
  });

  describe('profiles', () => {
    it("accepts ops as a word, a list or 'all'", () => {
      const { profiles, defaults } = validateOptions({
        defaults: { ops: ['get', 'get'], timeout: 60 },
        profiles: { A: { ops: 'all' }, B: { ops: 'count' }, C: { ops: [] }, D: null, E: { timeout: 1 } },
      });
      expect(defaults).to.deep.equal({ ops: new Set(['get']), timeout: 60 });
      expect(profiles.map(({ text, profile }) => [text, profile])).to.deep.equal([
        ['A', { ops: new Set(['get', 'fetch', 'count', 'aggregate', 'exists']), timeout: undefined }],
        ['B', { ops: new Set(['count']), timeout: undefined }],
        ['C', { ops: new Set(), timeout: undefined }],
        ['D', null],
        ['E', { ops: undefined, timeout: 1 }],
      ]);
    });

    it('does not change the given options, and is unaffected by later changes of them', () => {
      const ops: ('get' | 'count')[] = ['get'];
      const options = Object.freeze({ defaults: Object.freeze({ ops, timeout: 1 }) });
      const { defaults } = validateOptions(options);
      ops.push('count');
      expect(defaults.ops).to.deep.equal(new Set(['get']));
    });
  });

  describe('the option of the store', () => {
    it('refuses more than one store', () => {
      expect(refusal({ redis: 'redis://127.0.0.1', memory: {} })).to.equal(
        'redis and memory: results are kept in one place only. Give one of them.',
      );
      expect(refusal({ redis: 'redis://127.0.0.1', memory: {}, store })).to.match(
        /^redis, memory and store: /,
      );
    });

    it('accepts a size of memory', () => {
      expect(validateOptions({ memory: {} }).backend).to.deep.equal({ kind: 'memory', maxSize: undefined });
      expect(validateOptions({ memory: { maxSize: 2 ** 40 } }).backend).to.deep.equal({
        kind: 'memory',
        maxSize: 2 ** 40,
      });
      for (const maxSize of [0, -1, 1.5, Infinity, '1 GB', null]) {
        expect(refusal({ memory: { maxSize } })).to.match(
          /^memory\.maxSize: .* is not a whole number of bytes\./,
        );
      }
    });

    it('accepts a URL or options of ioredis', () => {
      expect(validateOptions({ redis: 'redis://127.0.0.1:6379/1' }).backend).to.deep.equal({
        kind: 'redis',
        client: undefined,
        connection: 'redis://127.0.0.1:6379/1',
      });
      const connection: RedisOptions = { host: 'cache', port: 6380, keyPrefix: 'x' };
      expect(validateOptions({ redis: connection }).backend).to.deep.equal({
        kind: 'redis',
        client: undefined,
        connection,
      });
    });

    const wrong: Readonly<Record<string, readonly [unknown, RegExp]>> = {
      'a URL of another protocol': [
        'http://:secret@127.0.0.1',
        /^redis: 'http:\/\/…' is no URL of a Redis\. Write redis:/,
      ],
      'a database that is no number': [
        'redis://127.0.0.1/blog',
        /^redis: '\/blog' is no number of a database\./,
      ],
      'the option url of node-redis': [
        { url: 'redis://:secret@127.0.0.1' },
        /no option 'url'\. Give the URL itself/,
      ],
      'the option socket of node-redis': [
        { socket: { host: 'x' } },
        /no option 'socket'\. Give host, port and tls\.$/,
      ],
      'the option database of node-redis': [{ host: 'x', database: 1 }, /no option 'database'\. Give db\.$/],
      'a misspelt option of ioredis': [{ hots: 'x' }, /^redis: ioredis has no option 'hots'\. Give host\.$/],
      'an option that ioredis does not have': [
        { host: 'x', maxMemory: 'hunter2' },
        /^redis: ioredis has no option 'maxMemory'\. Leave it out, or give a Redis of ioredis\.$/,
      ],
      'a cluster of node-redis': [
        createCluster({ rootNodes: [{ url: 'redis://127.0.0.1' }] }),
        /^redis: that is a client of node-redis .* Give a URL, options of ioredis, or a Redis or Cluster of ioredis\.$/,
      ],
      'a client of node-redis': [
        createClient(),
        /that is a client of node-redis .* Give a URL, options of ioredis/,
      ],
    };
    for (const [what, [redis, message]] of Object.entries(wrong)) {
      it(`refuses ${what}, and tells the right form`, () => {
        expect(refusal({ redis })).to.match(message).and.not.to.include('secret');
      });
    }

    it('accepts every option of ioredis', () => {
      // typed by its keys, so that the compiler reports a new one
      const all: Required<{ [K in keyof RedisOptions]: unknown }> = {
        Connector: undefined,
        autoPipeliningIgnoredCommands: undefined,
        autoResendUnfulfilledCommands: undefined,
        autoResubscribe: undefined,
        blockingTimeout: undefined,
        blockingTimeoutGrace: undefined,
        clientInfoTag: undefined,
        commandQueue: undefined,
        commandTimeout: undefined,
        connectTimeout: undefined,
        connectionName: undefined,
        db: undefined,
        disableClientInfo: undefined,
        disconnectTimeout: undefined,
        enableAutoPipelining: undefined,
        enableOfflineQueue: undefined,
        enableReadyCheck: undefined,
        enableTLSForSentinelMode: undefined,
        failoverDetector: undefined,
        family: undefined,
        himportFieldsets: undefined,
        host: undefined,
        keepAlive: undefined,
        keyPrefix: undefined,
        lazyConnect: undefined,
        maxLoadingRetryTime: undefined,
        maxRetriesPerRequest: undefined,
        monitor: undefined,
        name: undefined,
        natMap: undefined,
        noDelay: undefined,
        offlineQueue: undefined,
        password: undefined,
        path: undefined,
        port: undefined,
        preferredSlaves: undefined,
        protocol: undefined,
        readOnly: undefined,
        reconnectOnError: undefined,
        replyMapping: undefined,
        retryStrategy: undefined,
        role: undefined,
        scripts: undefined,
        sentinelCommandTimeout: undefined,
        sentinelMaxConnections: undefined,
        sentinelPassword: undefined,
        sentinelReconnectStrategy: undefined,
        sentinelRetryStrategy: undefined,
        sentinelTLS: undefined,
        sentinelUsername: undefined,
        sentinels: undefined,
        showFriendlyErrorStack: undefined,
        socketTimeout: undefined,
        stringNumbers: undefined,
        tls: undefined,
        updateSentinels: undefined,
        username: undefined,
      };
      for (const [name, value] of Object.entries(all)) {
        expect(validateOptions({ redis: { [name]: value } }).backend, name).to.include({ kind: 'redis' });
      }
    });

    it('accepts an address without a scheme', () => {
      for (const redis of ['127.0.0.1:6379', '/run/redis.sock', 'rediss://127.0.0.1', 'redis://127.0.0.1/']) {
        expect(validateOptions({ redis }).backend).to.include({ connection: redis });
      }
    });

    it('accepts a Redis or a Cluster of ioredis, and does not connect it', () => {
      const redis = new Redis({ lazyConnect: true });
      const resp3 = new Redis({ lazyConnect: true, replyMapping: 'resp3' });
      const cluster = new Cluster([], { lazyConnect: true });
      expect(validateOptions({ redis }).backend).to.deep.equal({ kind: 'redis', client: redis });
      expect(validateOptions({ redis: resp3 }).backend).to.include({ client: resp3 });
      expect(validateOptions({ redis: cluster }).backend).to.include({ client: cluster });
      expect([redis.status, cluster.status]).to.deep.equal(['wait', 'wait']);
    });

    it('refuses a client of another kind, without its secrets in the message', () => {
      class OtherClient {
        readonly password = 'hunter2';
        sendCommand() {}
      }
      const message = refusal({ redis: new OtherClient() });
      expect(message).to.equal(
        'redis: an instance of OtherClient leads to no Redis. ' +
          'Give a URL, options of ioredis, or a Redis or Cluster of ioredis.',
      );
      for (const redis of [7, true, '', ['redis://:hunter2@127.0.0.1']]) {
        expect(refusal({ redis }))
          .to.match(/^redis: .* leads to no Redis\./)
          .and.not.include('hunter2');
      }
      expect(refusal({ redis: null })).to.match(/^redis: /);
    });

    it("accepts a user's own store", () => {
      expect(validateOptions({ store }).backend).to.deep.equal({ kind: 'store', store });
      class Own {
        async read() {}
      }
      expect(refusal({ store: new Own() })).to.equal(
        'store: that is no Store. It lacks the methods readMany, reseal, schemes, lease, fill, mark, settle, lift, drop, clear and close.',
      );
      expect(refusal({ store: 'memory' })).to.match(/^store: that is no Store\./);
    });
  });
});

describe('CacheopsError', () => {
  it('has the name CacheopsError', () => {
    const error = new CacheopsError('so');
    expect(String(error)).to.equal('CacheopsError: so');
    expect(error).to.be.instanceOf(Error);
    expect(Object.keys(error)).to.deep.equal([]);
  });
});
