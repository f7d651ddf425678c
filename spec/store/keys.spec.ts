import { expect } from 'chai';
import fc from 'fast-check';
import { dependencyId, faultOf, Keys, MARKER, rootOf, schemeId } from '../../lib/store/keys.js';
import { slotOf } from '../../lib/store/redis/slot.js';
import { token } from '../../lib/store/token.js';
import { ANY_TEXT } from './any_text.js';
import { ALL, ARTICLE, category, on, query } from './words.js';

describe('Keys', () => {
  const keys = new Keys('p:');

  it('are readable', () => {
    const address = { ...query(on(ARTICLE, category('7'), ALL)), key: 'articles' };
    expect(keys.ofAddress(address)).to.deep.equal([
      'p:e:articles',
      'p:g:{blog.public.article}',
      'p:c:{blog.public.article}:8:category:7',
      'p:c:{blog.public.article}:0::',
    ]);
    expect(keys.of(ARTICLE).registry).to.equal('p:t:{blog.public.article}');
  });

  it('of one table are in one slot of a cluster, whatever its name', () => {
    fc.assert(
      fc.property(ANY_TEXT, ANY_TEXT, ANY_TEXT, (table, id, values) => {
        const [, stamp, dependency] = keys.ofAddress(
          query(on(table, { scheme: { id, columns: [] }, values })),
        );
        const { registry } = keys.of(table);
        const tag = /^p:t:\{([^{}]*)\}$/.exec(registry)![1];
        expect(stamp).to.equal(`p:g:{${tag}}`);
        expect(dependency!.slice(0, dependency!.indexOf('}') + 1)).to.equal(`p:c:{${tag}}`);
      }),
    );
  });

  it('differ for different tables', () => {
    fc.assert(
      fc.property(ANY_TEXT, ANY_TEXT, (a, b) => {
        fc.pre(a !== b);
        expect(keys.of(a).registry).not.to.equal(keys.of(b).registry);
      }),
      { numRuns: 1000 },
    );
  });

  it('differ for different dependencies, schemes and entries', () => {
    fc.assert(
      fc.property(ANY_TEXT, ANY_TEXT, ANY_TEXT, ANY_TEXT, (a, b, c, d) => {
        fc.pre(a !== c || b !== d);
        expect(dependencyId(a, b)).not.to.equal(dependencyId(c, d));
        if (a !== c) {
          expect(schemeId(a)).not.to.equal(schemeId(c));
          expect(keys.entry(a)).not.to.equal(keys.entry(c));
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('do not depend on where the scheme ends and the values begin', () => {
    const spelt = [
      ['a', ':b'],
      ['a:', 'b'],
      ['a:b', ''],
      ['', 'a:b'],
      ['1:a', 'b'],
    ].map(([id, values]) => dependencyId(id!, values!));

    expect(new Set(spelt).size).to.equal(spelt.length);
  });

  it('have the same bytes in every process: UTF-8 changes none of them', () => {
    fc.assert(
      fc.property(ANY_TEXT, ANY_TEXT, (a, b) => {
        for (const key of [keys.entry(a), keys.of(a).registry, dependencyId(a, b), schemeId(a)]) {
          expect(Buffer.from(key).toString()).to.equal(key);
          expect(key.length).to.be.lessThan(700);
        }
      }),
      { numRuns: 1000 },
    );
  });
});

describe('Tokens', () => {
  it('never repeat', () => {
    const tokens = new Set(Array.from({ length: 10_000 }, token));
    expect(tokens.size).to.equal(10_000);
    for (const one of tokens) {
      expect(one).to.match(/^[\w-]{16}$/);
    }
  });
});

describe('Prefixes', () => {
  const PREFIX = fc
    .array(fc.oneof(fc.constantFrom('a', '{', '}', '{x}', '@', '@cacheops', ':', 'e:'), ANY_TEXT), {
      maxLength: 5,
    })
    .map(parts => parts.join(''))
    .filter(prefix => !faultOf(prefix));

  it('never share a key', () => {
    fc.assert(
      fc.property(PREFIX, PREFIX, ANY_TEXT, ANY_TEXT, (one, two, table, key) => {
        fc.pre(one !== two);
        const [first, second] = [new Keys(rootOf(one)), new Keys(rootOf(two))];
        for (const keys of [second.entry(key), ...Object.values(second.of(table))]) {
          expect(keys.startsWith(first.root)).to.equal(false);
        }
        expect(first.root.startsWith(second.root)).to.equal(false);
      }),
      { numRuns: 1000 },
    );
  });

  it('keep everything of one table in one slot of a cluster', () => {
    fc.assert(
      fc.property(PREFIX, ANY_TEXT, ANY_TEXT, (prefix, table, values) => {
        const keys = new Keys(rootOf(prefix)).of(table);
        const all = [keys.registry, keys.stamp, keys.dependencies + dependencyId('a', values)];
        expect(new Set([...all, keys.trails + dependencyId('a', values)].map(slotOf)).size).to.equal(1);
      }),
      { numRuns: 1000 },
    );
  });

  it('may contain anything else', () => {
    for (const prefix of ['', 'blog', 'blog:', '{blog}:', 'a}b', '}{x}{', 'é 😀', '*?[a]\\^-', '@cacheops']) {
      expect(faultOf(prefix), prefix).to.equal(undefined);
    }
  });

  it('are refused if they cannot be used', () => {
    for (const prefix of ['{', 'blog{', '{}', '{}{x}', 'a{b', '\ud800', MARKER, `a${MARKER}b`]) {
      expect(faultOf(prefix), prefix).to.be.a('string');
      expect(() => rootOf(prefix), prefix).to.throw(RangeError, 'cannot be used');
    }
  });
});
