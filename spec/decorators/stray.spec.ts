import { defineEntity, p } from '@mikro-orm/core';
import { Embeddable, Entity, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import { expect } from 'chai';
import { CacheopsError } from '../../lib/config/error.js';
import { Cached } from '../../lib/decorators/cached.js';
import { checkDecorated } from '../../lib/decorators/stray.js';
import { forgetDecorated } from './forget.js';

describe('checkDecorated', () => {
  beforeEach(forgetDecorated);
  afterEach(forgetDecorated);

  it('refuses a decorated class that is no entity, once', () => {
    @Cached()
    class Service {}
    @Cached()
    class Helper {}

    expect(() => checkDecorated([])).to.throw(
      CacheopsError,
      "@Cached() on Service and Helper: it belongs on an entity's class. Add @Entity(), or take it away.",
    );
    expect(() => checkDecorated([])).not.to.throw();
    expect([Service, Helper]).to.have.length(2);
  });

  it('refuses a decorated class with properties, but without @Entity()', () => {
    @Cached()
    class Forgetful {
      @Property({ type: 'string' })
      name!: string;
    }

    expect(() => checkDecorated([])).to.throw(CacheopsError, '@Cached() on Forgetful:');
    expect(Forgetful).to.be.a('function');
  });

  it('refuses a decorated embeddable, which is no entity', () => {
    @Cached()
    @Embeddable()
    class Address {
      @Property({ type: 'string' })
      city!: string;
    }

    expect(() => checkDecorated([Address])).to.throw(CacheopsError, '@Cached() on Address:');
  });

  it('accepts an entity of another ORM', () => {
    @Cached()
    @Entity()
    class Elsewhere {
      @PrimaryKey()
      id!: number;
    }

    expect(() => checkDecorated([])).not.to.throw();
    expect(Elsewhere).to.be.a('function');
  });

  it('accepts a class that a schema describes', () => {
    @Cached()
    class Described {
      id!: number;
    }
    defineEntity({ class: Described, properties: { id: p.integer().primary() } });

    expect(() => checkDecorated([])).not.to.throw();
  });

  it('accepts a discovered class, however it became an entity', () => {
    @Cached()
    class Discovered {}

    expect(() => checkDecorated([Discovered])).not.to.throw();
  });

  it('accepts a class that an entity extends', () => {
    @Cached()
    class Base {}
    class Middle extends Base {}
    class Leaf extends Middle {}

    expect(() => checkDecorated([Leaf])).not.to.throw();
  });
});
