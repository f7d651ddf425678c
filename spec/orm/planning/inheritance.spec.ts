import { Collection } from '@mikro-orm/core';
import {
  Embeddable,
  Embedded,
  Entity,
  Enum,
  ManyToMany,
  ManyToOne,
  OneToMany,
  PrimaryKey,
  Property,
} from '@mikro-orm/decorators/legacy';
import type { EntityManager, MikroORM } from '@mikro-orm/pglite';
import { expect } from 'chai';
import { Cached } from '../../../lib/index.js';
import { sourcesOf } from '../support/observe.js';
import { snapshotOf } from '../support/snapshot.js';
import { joinUncached, type Started, start } from '../support/start.js';
import { expectNoticed, type Step, type WritePath } from '../support/write_path.js';

/** One table a type. */
@Entity({ inheritance: 'tpt' })
@Cached({ timeout: 60 })
class Vehicle {
  @PrimaryKey()
  id!: number;

  @Property()
  name!: string;

  @ManyToOne(() => Garage, { nullable: true })
  garage?: unknown;
}

@Entity()
class Car extends Vehicle {
  @Property()
  doors!: number;
}

@Entity()
class Taxi extends Car {
  @Property()
  number!: string;
}

@Entity()
class Bike extends Vehicle {
  @Property({ default: 1 })
  gears!: number;
}

@Entity()
@Cached({ timeout: 60 })
class Garage {
  @PrimaryKey()
  id!: number;

  @Property()
  name!: string;

  @OneToMany(
    () => Vehicle,
    vehicle => vehicle.garage,
  )
  vehicles = new Collection<Vehicle>(this);
}

@Embeddable({ abstract: true, discriminatorColumn: 'kind' })
abstract class Shape {
  @Enum({ items: ['circle', 'square'] })
  kind!: 'circle' | 'square';
}

@Embeddable({ discriminatorValue: 'circle' })
class Circle extends Shape {
  @Property()
  radius!: number;
}

@Embeddable({ discriminatorValue: 'square' })
class Square extends Shape {
  @Property()
  side!: number;
}

/** Refers to entities of several types. */
@Entity()
@Cached({ timeout: 60 })
class Note {
  @PrimaryKey()
  id!: number;

  @Property()
  text!: string;

  @ManyToOne(() => [Garage, Label] as never, { nullable: true })
  about?: unknown;

  @Embedded(() => [Circle, Square])
  shape!: Circle | Square;

  @ManyToMany(() => Label)
  labels = new Collection<Label>(this);
}

@Entity()
@Cached({ timeout: 60 })
class Label {
  @PrimaryKey()
  id!: number;

  @Property()
  name!: string;
}

const entities = [Vehicle, Car, Taxi, Bike, Garage, Note, Label, Circle, Square, Shape];

const READS: Record<string, Step> = {
  'all vehicles': em => em.find(Vehicle, {}, { orderBy: { id: 1 } }),
  cars: em => em.find(Car, {}, { orderBy: { id: 1 } }),
  taxis: em => em.find(Taxi, { number: '7' }),
  'a bike': em => em.findOne(Bike, { gears: 21 }),
  'by a column of the parent': em => em.find(Taxi, { name: 'Taxi' }),
  'the number of cars': em => em.count(Car, { doors: 4 }),
  'vehicles of a garage': em => em.find(Garage, {}, { populate: ['vehicles'] }),
  'vehicles of a garage, joined': em => em.find(Garage, {}, { populate: ['vehicles'], strategy: 'joined' }),
  'by what stands in it': em => em.find(Garage, { vehicles: { name: 'Bike' } }),
  'notes about anything': em => em.find(Note, {}, { orderBy: { id: 1 } }),
  'notes and what they are about': em =>
    em.find(Note, {}, { populate: ['about' as never, 'labels'], orderBy: { id: 1 } }),
  'notes with a shape': em => em.find(Note, { shape: { kind: 'circle', radius: 5 } }),
};

const WRITES: Record<string, WritePath> = {
  'a column of the parent’s table': {
    write: async em => {
      (await em.findOneOrFail(Taxi, 3)).name = 'Cab';
      await em.flush();
    },
    changes: [
      READS['all vehicles']!,
      READS.cars!,
      READS['by a column of the parent']!,
      READS['vehicles of a garage']!,
    ],
  },
  'a column of the child’s table': {
    write: async em => {
      (await em.findOneOrFail(Taxi, 3)).number = '8';
      await em.flush();
    },
    changes: [READS.taxis!, READS['all vehicles']!, em => em.find(Taxi, { number: '8' })],
    keeps: [READS['a bike']!, em => em.find(Label, {})],
  },
  'a new row in three tables': {
    write: async em => {
      em.create(Taxi, { id: 9, name: 'New', doors: 4, number: '9' } as never);
      await em.flush();
    },
    changes: [READS['all vehicles']!, READS.cars!, READS['the number of cars']!, em => em.find(Taxi, {})],
    keeps: [em => em.find(Label, {})],
  },
  'a removal from three tables': {
    write: async em => {
      em.remove(await em.findOneOrFail(Taxi, 3));
      await em.flush();
    },
    changes: [READS['all vehicles']!, READS.cars!, READS.taxis!],
  },
  'a native removal': {
    write: em => em.nativeDelete(Vehicle, { id: 3 }),
    changes: [READS['all vehicles']!, READS.cars!, READS.taxis!],
  },
  'a kind of embeddable': {
    write: async em => {
      (await em.findOneOrFail(Note, 1)).shape = Object.assign(new Square(), { kind: 'square', side: 2 });
      await em.flush();
    },
    // which are not cached for the sake of their relation
    changes: [em => em.find(Note, { shape: { radius: 5 } }, { fields: ['text', 'shape'] })],
  },
};

describe('inheritance and polymorphism', () => {
  let started: Started;
  let uncached: MikroORM;

  beforeEach(async () => {
    started = await start({ entities });
    uncached = await joinUncached({ entities });
    const em = uncached.em.fork();
    const garage = em.create(Garage, { id: 1, name: 'Main' });
    const label = em.create(Label, { id: 1, name: 'x' });
    em.create(Vehicle, { id: 1, name: 'Thing', garage });
    em.create(Car, { id: 2, name: 'Car', doors: 4 } as never);
    em.create(Taxi, { id: 3, name: 'Taxi', doors: 4, number: '7', garage } as never);
    em.create(Bike, { id: 4, name: 'Bike', gears: 21, garage } as never);
    const circle = Object.assign(new Circle(), { kind: 'circle', radius: 5 });
    const square = Object.assign(new Square(), { kind: 'square', side: 3 });
    em.create(Note, { id: 1, text: 'a', about: garage, shape: circle, labels: [label] } as never);
    em.create(Note, { id: 2, text: 'b', about: label, shape: square } as never);
    em.create(Note, { id: 3, text: 'c', about: null, shape: square } as never);
    await em.flush();
  });

  afterEach(async () => {
    await uncached.close();
    await started.orm.close();
  });

  const snapshot = async (orm: MikroORM, read: Step) => {
    const em: EntityManager = orm.em.fork();
    return snapshotOf(em, await read(em));
  };

  it('a hit gives the result that the database would give', async () => {
    for (const [what, read] of Object.entries(READS)) {
      const expected = await snapshot(uncached, read);
      // what is populated of several types is dirty without a cache, too
      expect(JSON.parse(expected).changes, what).to.have.length(what.includes('what they are about') ? 2 : 0);
      for (let i = 0; i < 2; i++) {
        expect(await snapshot(started.orm, read), what).to.equal(expected);
        await started.cache.idle();
      }
    }
  });

  it('queries of inherited entities are cached, except references to several types', async () => {
    const sources: Record<string, boolean> = {};
    for (const [what, read] of Object.entries(READS)) {
      await read(started.orm.em.fork());
      await started.cache.idle();
      const again = await sourcesOf(started.cache, () => read(started.orm.em.fork()));
      sources[what] = again.every(source => source === 'cache');
    }
    expect(Object.keys(sources).filter(what => !sources[what])).to.deep.equal([
      'notes about anything',
      'notes and what they are about',
      'notes with a shape',
    ]);
  });

  for (const [what, path] of Object.entries(WRITES)) {
    it(`a write invalidates results of the hierarchy: ${what}`, async () => {
      await expectNoticed(started, path);
    });
  }

  it('invalidating an entity invalidates all of its tables', async () => {
    for (const read of [READS.cars!, READS.taxis!, READS['all vehicles']!]) {
      await read(started.orm.em.fork());
      await started.cache.idle();
      await started.cache.invalidateModel(Car);
      expect(await sourcesOf(started.cache, () => read(started.orm.em.fork()))).to.deep.equal(['miss']);
      await started.cache.idle();
      const taxi = await started.orm.em.fork().findOneOrFail(Taxi, 3, { cacheops: false });
      await started.cache.invalidateObject(taxi);
      expect(await sourcesOf(started.cache, () => read(started.orm.em.fork()))).to.deep.equal(['miss']);
    }
  });
});
