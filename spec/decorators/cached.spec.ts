import { Entity, PrimaryKey } from '@mikro-orm/decorators/legacy';
import { expect } from 'chai';
import { decoratedProfile, ownDecoratedProfile } from '../../lib/config/declared_profile.js';
import { CacheopsError } from '../../lib/config/error.js';
import type { Profile } from '../../lib/config/options.js';
import { Cached } from '../../lib/decorators/cached.js';
import { forgetDecorated } from './forget.js';

/** The decorator as JavaScript can misuse it. */
const decorate: (...args: any[]) => any = (...args) => (Cached() as (...args: any[]) => void)(...args);

describe('@Cached()', () => {
  afterEach(forgetDecorated);

  it('puts a profile on the class as a hidden property', () => {
    @Cached({ ops: 'get', timeout: 60 })
    class Article {}

    expect(decoratedProfile(Article)).to.deep.equal({ ops: ['get'], timeout: 60 });
    expect(Object.keys(Article)).to.deep.equal([]);
    const enumerable = [];
    for (const key in Article) {
      enumerable.push(key);
    }
    expect(enumerable).to.deep.equal([]);
  });

  it('distinguishes given fields, absent fields and null', () => {
    @Cached()
    class Bare {}
    @Cached({ ops: [] })
    class Manual {}
    @Cached({ ops: undefined, timeout: 5 })
    class Timed {}
    @Cached(null)
    class Never {}
    class Undecorated {}

    expect(decoratedProfile(Bare)).to.deep.equal({});
    expect(decoratedProfile(Manual)).to.deep.equal({ ops: [] });
    expect(decoratedProfile(Timed)).to.deep.equal({ timeout: 5 });
    expect(decoratedProfile(Never)).to.equal(null);
    expect(decoratedProfile(Undecorated)).to.equal(undefined);
  });

  it('is unaffected by later changes of the given object', () => {
    const profile: Profile = { ops: ['get'], timeout: 60 };
    @Cached(profile)
    class Article {}

    profile.timeout = 1;
    expect(decoratedProfile(Article)).to.deep.equal({ ops: ['get'], timeout: 60 });
    expect(decoratedProfile(Article)).to.be.frozen;
    expect(decoratedProfile(Article)?.ops).to.be.frozen;
  });

  it('accepts an abstract class, and one with a private constructor', () => {
    @Cached()
    abstract class Content {}
    @Cached()
    class Single {
      static readonly instance = new Single();
      private constructor() {}
    }

    expect(decoratedProfile(Content)).to.deep.equal({});
    expect(decoratedProfile(Single)).to.deep.equal({});
  });

  describe('inheritance', () => {
    function family() {
      @Cached({ ops: 'get', timeout: 60 })
      class Content {}
      class Page extends Content {}
      @Cached({ timeout: 5 })
      class Post extends Content {}
      class PinnedPost extends Post {}
      @Cached(null)
      class Secret extends Content {}
      return { Content, Page, Post, PinnedPost, Secret };
    }

    it('a subclass inherits the profile of its base class', () => {
      const { Content, Page } = family();
      expect(decoratedProfile(Page)).to.equal(decoratedProfile(Content));
      expect(ownDecoratedProfile(Page)).to.equal(undefined);
    });

    it('a profile of the subclass replaces it, and does not change the base class', () => {
      const { Content, Post, PinnedPost, Secret } = family();
      expect(decoratedProfile(Post)).to.deep.equal({ timeout: 5 });
      expect(ownDecoratedProfile(Post)).to.deep.equal({ timeout: 5 });
      expect(decoratedProfile(PinnedPost)).to.deep.equal({ timeout: 5 });
      expect(decoratedProfile(Secret)).to.equal(null);
      expect(ownDecoratedProfile(Secret)).to.equal(null);
      expect(decoratedProfile(Content)).to.deep.equal({ ops: ['get'], timeout: 60 });
    });
  });

  describe('on something else', () => {
    const message = (place: string) => `@Cached() on ${place}: it belongs on an entity's class.`;

    it('is an error on a method, accessor, property, static member or parameter', () => {
      expect(() => {
        class Service {
          // @ts-expect-error: it belongs on a class
          @Cached()
          list() {}
        }
        return Service;
      }).to.throw(CacheopsError, message('Service.list'));
      expect(() => {
        class Service {
          // @ts-expect-error: it belongs on a class
          @Cached()
          get all() {
            return 1;
          }
        }
        return Service;
      }).to.throw(message('Service.all'));
      expect(() => {
        class Service {
          // @ts-expect-error: it belongs on a class
          @Cached()
          list = 1;
        }
        return Service;
      }).to.throw(message('Service.list'));
      expect(() => {
        class Service {
          readonly id = 1;

          // @ts-expect-error: it belongs on a class
          @Cached()
          static list() {}
        }
        return Service;
      }).to.throw(message('Service.list'));
      expect(() => {
        class Service {
          // @ts-expect-error: it belongs on a class
          constructor(@Cached() readonly id: number) {}
        }
        return Service;
      }).to.throw(message('Service.constructor'));
    });

    it('is an error on a member in the standard flavour', () => {
      expect(() => decorate(() => 1, { kind: 'method', name: 'list' })).to.throw(message('the method list'));
      expect(() => decorate(undefined, { kind: 'field', name: 'id' })).to.throw(message('the field id'));
      expect(() => decorate({}, { kind: 'accessor', name: Symbol('s') })).to.throw(
        message('the accessor Symbol(s)'),
      );
    });

    it('is an error on no class at all', () => {
      for (const target of [undefined, null, 7]) {
        expect(() => decorate(target)).to.throw(CacheopsError, /^@Cached\(\) on /);
      }
    });
  });

  describe('used wrongly', () => {
    it('names the class of a wrong profile', () => {
      expect(() => {
        // @ts-expect-error: there is no such op
        @Cached({ ops: ['fecth'] })
        class Article {}
        return Article;
      }).to.throw(CacheopsError, /^@Cached\(\) on Article: ops: 'fecth' is no op\. Did you mean 'fetch'\?/);
      expect(() => {
        // @ts-expect-error: there is no such option
        @Cached({ ttl: 60 })
        class Article {}
        return Article;
      }).to.throw(CacheopsError, /^@Cached\(\) on Article: there is no option 'ttl'\./);
      expect(() => {
        @Cached({ timeout: 0 })
        class Article {}
        return Article;
      }).to.throw(CacheopsError, /^@Cached\(\) on Article: timeout: 0 is not a whole number of seconds\./);
      expect(() => (Cached(false as any) as any)(class {})).to.throw(
        CacheopsError,
        '@Cached() on a class without a name: false is no object.',
      );
    });

    it('does not change a class if it throws', () => {
      class Article {}
      expect(() => Cached({ timeout: -1 })(Article)).to.throw(CacheopsError);
      expect(decoratedProfile(Article)).to.equal(undefined);
      expect(() => Cached({ timeout: 1 })(Article)).not.to.throw();
    });

    it('is an error if it is there twice', () => {
      expect(() => {
        @Cached({ ops: 'get' })
        @Cached({ timeout: 60 })
        class Article {}
        return Article;
      }).to.throw(CacheopsError, '@Cached() on Article: it has one already. Leave one of them out.');
    });

    it('throws an error that names missing parentheses', () => {
      expect(() => {
        // @ts-expect-error: it wants to be called
        @Cached
        class Article {}
        return Article;
      }).to.throw(CacheopsError, '@Cached on Article: the parentheses are missing. Write @Cached().');
    });
  });

  it('works before and after @Entity()', () => {
    @Entity()
    @Cached({ timeout: 1 })
    class Above {
      @PrimaryKey()
      id!: number;
    }
    @Cached({ timeout: 2 })
    @Entity()
    class Below {
      @PrimaryKey()
      id!: number;
    }

    expect(decoratedProfile(Above)).to.deep.equal({ timeout: 1 });
    expect(decoratedProfile(Below)).to.deep.equal({ timeout: 2 });
  });
});
