import { expect } from 'chai';
import { assert, constantFrom, option, property, record, shuffledSubarray } from 'fast-check';
import { CacheopsError } from '../../lib/config/error.js';
import type { CacheopsOptions, Profile } from '../../lib/config/options.js';
import { parseProfile } from '../../lib/config/profile.js';
import { checkProfileKeys, type EntityIdentity, resolveProfile } from '../../lib/config/profiles.js';
import { validateOptions } from '../../lib/config/validate.js';

const ALL = ['get', 'fetch', 'count', 'aggregate', 'exists'];

function entity(className: string, declared?: Profile | null, schema = 'public'): EntityIdentity {
  return {
    className,
    tableName: `${className.toLowerCase()}s`,
    schema,
    declared: declared && parseProfile(declared, className),
  };
}

/** The resolved profile with its ops as a list. */
function resolve(identity: EntityIdentity, options: CacheopsOptions) {
  const profile = resolveProfile(identity, validateOptions(options));
  return profile && { ops: [...profile.ops], timeout: profile.timeout };
}

describe('resolveProfile', () => {
  describe('without a profile', () => {
    it('gives undefined for an entity without a profile', () => {
      expect(resolve(entity('User'), {})).to.equal(undefined);
      expect(resolve(entity('User'), { profiles: { 'News*': {} }, defaults: { timeout: 1 } })).to.equal(
        undefined,
      );
    });

    it('defaults alone make no profile', () => {
      expect(resolve(entity('User'), { defaults: { ops: 'all', timeout: 60 } })).to.equal(undefined);
    });
  });

  describe('ops', () => {
    const defaults = { timeout: 60 };

    it('a profile without ops means all, whether it is in the configuration or a decorator', () => {
      const all = { ops: ALL, timeout: 60 };
      expect(resolve(entity('User'), { defaults, profiles: { User: {} } })).to.deep.equal(all);
      expect(resolve(entity('User'), { defaults, profiles: { 'U*': {} } })).to.deep.equal(all);
      expect(resolve(entity('User', {}), { defaults })).to.deep.equal({ ops: ALL, timeout: 60 });
      expect(resolve(entity('User', { timeout: 5 }), { profiles: { User: {} } })).to.deep.equal({
        ops: ALL,
        timeout: 5,
      });
    });

    it('the ops of defaults override both', () => {
      const defaults = { ops: 'get', timeout: 60 } as const;
      expect(resolve(entity('User'), { defaults, profiles: { User: {} } })?.ops).to.deep.equal(['get']);
      expect(resolve(entity('User', {}), { defaults })?.ops).to.deep.equal(['get']);
    });

    it('an empty list differs from no list', () => {
      const defaults = { ops: 'all', timeout: 60 } as const;
      expect(resolve(entity('User', { ops: [] }), { defaults })?.ops).to.deep.equal([]);
      expect(resolve(entity('User'), { defaults, profiles: { User: { ops: [] } } })?.ops).to.deep.equal([]);
    });
  });

  describe('precedence', () => {
    it('takes each option from the exact key, the decorator, the pattern or defaults, in this order', async () => {
      const profile = option(
        record({
          ops: constantFrom<Profile['ops']>(undefined, 'get', 'count', []),
          timeout: option(constantFrom(1, 2, 3), { nil: undefined }),
        }),
        { nil: undefined },
      );
      await assert(
        property(profile, profile, profile, profile, (exact, decorator, pattern, defaults) => {
          const profiles = { ...(pattern && { 'Us*': pattern }), ...(exact && { User: exact }) };
          const options = { profiles, defaults: { timeout: 99, ...strip(defaults) } };
          const layers = [exact, decorator, pattern, defaults];
          const ops = layers.find(layer => layer?.ops !== undefined)?.ops ?? ALL;
          const timeout = layers.find(layer => layer?.timeout !== undefined)?.timeout ?? 99;
          const expected = exact || decorator || pattern ? { ops: [ops].flat(), timeout } : undefined;
          expect(resolve(entity('User', decorator), options)).to.deep.equal(expected);
        }),
        { numRuns: 1000 },
      );
    });

    it('takes the pattern with the most literal characters, whatever the order', async () => {
      const rules: [string, Profile][] = [
        ['*', { timeout: 1 }],
        ['U*', { timeout: 2 }],
        ['U*r', { timeout: 3 }],
        ['public.U*', { timeout: 4 }],
      ];
      await assert(
        property(shuffledSubarray(rules, { minLength: 1 }), chosen => {
          const longest = Math.max(...chosen.map(([, { timeout }]) => timeout!));
          expect(resolve(entity('User'), { profiles: Object.fromEntries(chosen) })?.timeout).to.equal(
            longest,
          );
        }),
      );
    });

    it('takes the last of equally specific patterns', () => {
      const one = { 'U*': { timeout: 1 }, '*r': { timeout: 2 } };
      const other = { '*r': { timeout: 2 }, 'U*': { timeout: 1 } };
      expect(resolve(entity('User'), { profiles: one })?.timeout).to.equal(2);
      expect(resolve(entity('User'), { profiles: other })?.timeout).to.equal(1);
    });

    it('takes nothing from a less specific pattern', () => {
      const profiles = { '*': { ops: 'get', timeout: 1 }, 'User*': { timeout: 2 } } as const;
      expect(resolve(entity('User'), { profiles })).to.deep.equal({ ops: ALL, timeout: 2 });
    });

    it('takes the longer of two exact keys', () => {
      const profiles = { 'public.User': { timeout: 2 }, User: { timeout: 1 } };
      expect(resolve(entity('User'), { profiles })?.timeout).to.equal(2);
      expect(resolve(entity('User', undefined, 'auth'), { profiles })?.timeout).to.equal(1);
    });
  });

  describe('never', () => {
    const all = { ops: 'all', timeout: 60 } as const;

    it('null in a profile or a decorator means never', () => {
      expect(resolve(entity('Secret'), { profiles: { Secret: null } })).to.equal(null);
      expect(resolve(entity('Secret', null), {})).to.equal(null);
      expect(resolve(entity('Secret'), { profiles: { 'Sec*': null } })).to.equal(null);
    });

    it('no other profile overrides never', () => {
      expect(resolve(entity('Secret', all), { profiles: { Secret: null } })).to.equal(null);
      expect(resolve(entity('Secret', null), { profiles: { Secret: all } })).to.equal(null);
      expect(resolve(entity('Secret', null), { profiles: { '*': all }, defaults: all })).to.equal(null);
      expect(resolve(entity('Secret'), { profiles: { '*': all, Secret: null } })).to.equal(null);
    });

    it('a profile of the entity itself overrides never of a pattern', () => {
      expect(resolve(entity('User', all), { profiles: { '*': null } })).to.deep.equal({
        ops: ALL,
        timeout: 60,
      });
      expect(resolve(entity('User'), { profiles: { '*': null, User: all } })?.timeout).to.equal(60);
      expect(resolve(entity('User'), { profiles: { '*': null, 'U*': all } })?.timeout).to.equal(60);
      expect(resolve(entity('User'), { profiles: { '*': all, 'U*': null } })).to.equal(null);
    });

    it('never needs no timeout', () => {
      expect(() => resolve(entity('Secret', null), {})).not.to.throw();
    });
  });

  it('refuses a profile without any timeout, and names the entity', () => {
    const message =
      'User has a profile, but no timeout. Give timeout, in seconds, in the profile or in defaults.';
    expect(() => resolve(entity('User', { ops: 'all' }), {})).to.throw(CacheopsError, message);
    expect(() => resolve(entity('User'), { profiles: { '*': { ops: 'get' } } })).to.throw(
      CacheopsError,
      message,
    );
    expect(() => resolve(entity('User'), { profiles: { User: {} }, defaults: { ops: 'all' } })).to.throw(
      message,
    );
  });
});

describe('checkProfileKeys', () => {
  const entities = [entity('User', undefined, 'auth'), entity('Article')];

  function check(keys: string[], among: EntityIdentity[] = entities): string[] {
    const profiles = Object.fromEntries(keys.map(key => [key, null]));
    return checkProfileKeys(among, validateOptions({ profiles }));
  }

  it('gives no warning for keys that match entities', () => {
    expect(check(['User', 'A*', 'auth.*', 'auth.User', 'public.articles', '*'])).to.deep.equal([]);
  });

  it('warns of a pattern that matches no entity', () => {
    expect(check(['News*', 'User', 'log.*'])).to.deep.equal([
      "profiles['News*']: this pattern matches no entity.",
      "profiles['log.*']: this pattern matches no entity.",
    ]);
  });

  it('refuses a name that no entity has, and names the nearest', () => {
    expect(() => check(['Usre'])).to.throw(
      CacheopsError,
      "profiles['Usre']: there is no such entity. Did you mean 'User'? Give that, a pattern, or leave it out.",
    );
    expect(() => check(['users'])).to.throw("Did you mean 'User'?");
    expect(() => check(['auth.Uzer'])).to.throw("Did you mean 'auth.User'?");
    expect(() => check(['auth.usrs'])).to.throw("Did you mean 'auth.users'?");
    expect(() => check(['Payment'])).to.throw(
      "profiles['Payment']: there is no such entity. Give the name of an entity, a pattern, or leave it out.",
    );
  });

  it('a key with a schema matches no entity without one', () => {
    const [user] = entities as [EntityIdentity];
    expect(() => check(['auth.User'], [{ ...user, schema: undefined }])).to.throw(CacheopsError);
  });
});

function strip(profile: Profile | undefined): Profile {
  return Object.fromEntries(Object.entries(profile ?? {}).filter(([, value]) => value !== undefined));
}
