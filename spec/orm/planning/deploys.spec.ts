import { defineEntity, type EntityProperty, type Platform, p, Type } from '@mikro-orm/core';
import type { MikroORM, Options } from '@mikro-orm/pglite';
import { expect } from 'chai';
import { cachedAs, MemoryStore } from '../../../lib/index.js';
import { emptyEmbedded } from '../support/embedded.js';
import { sourcesOf } from '../support/observe.js';
import { join, joinUncached, type Started } from '../support/start.js';

interface Version {
  readonly toJs?: (value: string) => string;
  readonly toJsSql?: (key: string) => string;
  readonly toDatabaseSql?: (key: string) => string;
  readonly suffix?: string;
  readonly formula?: string;
  readonly size?: number;
  readonly options?: Partial<Options>;
}

/** An entity as another version of a program defines it: names and, where nothing is changed, texts are the same. */
function modelOf({ toJs, toJsSql, toDatabaseSql, suffix = '', formula = '1', size = 1 }: Version) {
  class Word extends Type<string, string> {
    readonly suffix: string;

    constructor(suffix: string) {
      super();
      this.suffix = suffix;
    }

    override convertToJSValue(value: string): string {
      return (toJs?.(value) ?? value) + this.suffix;
    }

    override convertToJSValueSQL(key: string): string {
      return toJsSql ? toJsSql(key) : key;
    }

    override convertToDatabaseValueSQL(key: string): string {
      return toDatabaseSql ? toDatabaseSql(key) : key;
    }

    override getColumnType(_: EntityProperty, platform: Platform): string {
      return platform.getTextTypeDeclarationSQL({});
    }
  }
  return defineEntity({
    name: 'Term',
    cacheops: { ops: 'all', timeout: 60 },
    properties: {
      id: p.integer().primary(),
      word: p.type(new Word(suffix)).$type<string>(),
      computed: p.integer().formula(() => formula),
      size: p.integer(),
    },
    filters: { sized: { name: 'sized', cond: () => ({ size }), default: true } },
  });
}

type Model = ReturnType<typeof modelOf>;
type Em = MikroORM['em'];

const READS: readonly ((em: Em, Term: Model) => Promise<unknown>)[] = [
  (em, Term) => em.find(Term, {}, { orderBy: { id: 1 } }),
  (em, Term) => em.find(Term, { word: 'a' }, { orderBy: { id: 1 } }),
  (em, Term) => em.count(Term, { word: 'a' }),
  (em, Term) => em.createQueryBuilder(Term).orderBy({ id: 1 }).getResultList(),
];

const VERSIONS: Record<string, readonly [Version, Version]> = {
  'the SQL by which a custom type is read': [
    { toJsSql: key => `upper(${key})` },
    { toJsSql: key => `${key} || '!'` },
  ],
  'the SQL by which a custom type is written': [
    { toDatabaseSql: key => `upper(${key})` },
    { toDatabaseSql: key => `lower(${key})` },
  ],
  'what a custom type makes of values': [{ toJs: value => `${value}1` }, { toJs: value => `${value}2` }],
  'an argument of a custom type': [{ suffix: '1' }, { suffix: '2' }],
  'the condition of a filter': [{ size: 1 }, { size: 2 }],
  'a formula': [{ formula: '1' }, { formula: '2' }],
  'how absent values are written': [{}, { options: { forceUndefined: true } }],
};

describe('two versions of a program on one store', () => {
  let store: MemoryStore;
  const opened: MikroORM[] = [];

  beforeEach(async () => {
    const database = await emptyEmbedded();
    await database.exec(`create table term (id int primary key, word text, size int);
      insert into term values (1, 'a', 1), (2, 'A', 2), (3, 'b', 1), (4, null, 2)`);
    store = new MemoryStore();
    const { orm, cache } = await open(modelOf({}));
    // settles what a store that is new has to find out
    await orm.em.fork().count('Term' as never);
    await cache.invalidateAll();
  });

  afterEach(async () => {
    await Promise.all(opened.splice(0).map(orm => orm.close(true)));
    await emptyEmbedded();
  });

  async function open(Term: Model, options: Partial<Options> = {}): Promise<Started> {
    const started = await join({ entities: [Term], cacheops: { store }, ...options });
    opened.push(started.orm);
    return started;
  }

  for (const [what, versions] of Object.entries(VERSIONS)) {
    it(`each version gets the results that it would get without a cache: ${what}`, async () => {
      const found = new Set<string>();
      for (const read of READS) {
        for (const version of [...versions, ...versions]) {
          const Term = modelOf(version);
          const { orm, cache } = await open(Term, version.options);
          const plain = await joinUncached({ entities: [Term], ...version.options });
          opened.push(plain);
          const expected = JSON.stringify(await read(plain.em.fork(), Term));
          expect(JSON.stringify(await read(orm.em.fork(), Term))).to.equal(expected);
          await cache.idle();
          found.add(expected);
        }
      }
      expect(found.size).to.be.greaterThan(READS.length - 1);
    });
  }

  it('versions with equal definitions share results', async () => {
    for (const version of [{}, ...Object.values(VERSIONS).flat()]) {
      const sources: string[] = [];
      for (let i = 0; i < 2; i++) {
        const Term = modelOf(version);
        const { orm, cache } = await open(Term, (version as Version).options);
        // what has been used, and what is new
        sources.push(...(await sourcesOf(cache, () => orm.em.fork().find(Term, {}, { limit: 9 }))));
        await cache.idle();
      }
      expect(sources.at(-1), JSON.stringify(version)).to.equal('cache');
    }
  });

  it('versions with other custom types do not share results of functions', async () => {
    const values: string[] = [];
    for (const suffix of ['1', '2']) {
      const Term = modelOf({ suffix });
      const { orm, cache } = await open(Term);
      const first = cachedAs(Term, { name: `first`, timeout: 60 })(async (em: Em) => {
        return (await em.findOneOrFail(Term, { id: 1 })).word;
      });
      values.push(await first(orm.em.fork()), await first(orm.em.fork()));
      await cache.idle();
    }
    expect(values).to.deep.equal(['a1', 'a1', 'a2', 'a2']);
  });

  it('versions share no results if code makes other SQL each time, and a warning says so', async () => {
    const warnings: string[] = [];
    const logger = (text: string) => warnings.push(text);
    let calls = 0;
    for (let i = 0; i < 2; i++) {
      const Term = modelOf({ toJsSql: key => `${key} || '${calls++}'` });
      const { orm, cache } = await open(Term, { logger, colors: false, debug: ['info'] });
      const [source] = await sourcesOf(cache, () => orm.em.fork().find(Term, {}));
      expect(source).not.to.equal('cache');
    }
    expect(warnings.filter(text => text.includes('cacheops: Term.word: convertToJSValueSQL'))).to.have.length(
      2,
    );
  });
});
