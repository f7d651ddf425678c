import { raw, type SqlEntityManager } from '@mikro-orm/sql';
import { City, Country } from '../fixtures/cities/index.js';
import { LYON } from './questions.js';

/** Something that changes rows. */
export interface Write {
  readonly title: string;
  /** source code, shortened */
  readonly code: string;
  /** the table that it writes to */
  readonly table: 'city' | 'country';
  run(em: SqlEntityManager): Promise<unknown>;
  /** the affected rows, before or after the write */
  rows(em: SqlEntityManager): Promise<readonly (City | Country)[]>;
}

const NICE = 2990440;
const PARIS = 2988507;
const CAMELOT = 1;
const MILLIONS_IN_JAPAN = { country: 'JP', population: { $gt: 1_000_000 } };

export const writes: readonly Write[] = [
  {
    title: 'Lyon grows',
    code: 'lyon.population += 1000; await em.flush()',
    table: 'city',
    async run(em) {
      const lyon = await em.findOneOrFail(City, LYON);
      lyon.population += 1000;
      await em.flush();
    },
    rows: em => em.find(City, { id: LYON }),
  },
  {
    title: 'Nice moves to Monaco',
    code: 'nice.country = monaco; await em.flush()',
    table: 'city',
    async run(em) {
      const nice = await em.findOneOrFail(City, NICE);
      nice.country = em.getReference(Country, 'MC');
      await em.flush();
    },
    rows: em => em.find(City, { id: NICE }),
  },
  {
    title: 'Cities of Japan grow',
    code: 'await em.nativeUpdate(City, moreThanAMillionInJapan, …)',
    table: 'city',
    run: em => em.nativeUpdate(City, MILLIONS_IN_JAPAN, { population: raw('population + 1000') }),
    rows: em => em.find(City, MILLIONS_IN_JAPAN, { orderBy: { population: 'desc' } }),
  },
  {
    title: 'France is renamed',
    code: "france.name = 'République française'; await em.flush()",
    table: 'country',
    async run(em) {
      const france = await em.findOneOrFail(Country, 'FR');
      france.name = 'République française';
      await em.flush();
    },
    rows: em => em.find(Country, { code: 'FR' }),
  },
  {
    title: 'Camelot is founded',
    code: 'em.create(City, camelot); await em.flush()',
    table: 'city',
    async run(em) {
      em.create(City, {
        id: CAMELOT,
        name: 'Camelot',
        country: em.getReference(Country, 'GB'),
        capital: false,
        population: 150,
        latitude: 51.02,
        longitude: -2.53,
      });
      await em.flush();
    },
    rows: em => em.find(City, { id: CAMELOT }),
  },
  {
    title: 'Paris moves to Monaco, rolled back',
    code: 'await em.transactional(() => { …; throw … })',
    table: 'city',
    async run(em) {
      const secondThoughts = new Error('second thoughts');
      const move = em.transactional(async inner => {
        const paris = await inner.findOneOrFail(City, PARIS);
        paris.country = inner.getReference(Country, 'MC');
        await inner.flush();
        throw secondThoughts;
      });
      await move.catch(error => {
        if (error !== secondThoughts) {
          throw error;
        }
      });
    },
    rows: em => em.find(City, { id: PARIS }),
  },
];
