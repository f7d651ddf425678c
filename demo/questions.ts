import { type SqlEntityManager, wrap } from '@mikro-orm/sql';
import { City } from '../fixtures/cities/index.js';
import { number } from './terminal.js';

export type Answer = readonly City[] | City | null | number;

/** The queries of the demo. */
export interface Question {
  readonly title: string;
  /** @param options passed on to the ORM */
  ask(em: SqlEntityManager, options: { cacheops?: false }): Promise<Answer>;
}

export const LYON = 2996944;

export const questions: readonly Question[] = [
  {
    title: '5 largest cities of France',
    ask: (em, options) => largest(em, 'FR', options),
  },
  {
    title: '5 largest cities of Japan',
    ask: (em, options) => largest(em, 'JP', options),
  },
  {
    title: 'the city with the key of Lyon',
    ask: (em, options) => em.findOne(City, LYON, options),
  },
  {
    title: 'number of cities of Monaco',
    ask: (em, options) => em.count(City, { country: 'MC' }, options),
  },
  {
    title: '3 largest capitals of Oceania',
    ask: (em, options) =>
      em.find(
        City,
        { capital: true, country: { continent: 'Oceania' } },
        { orderBy: { population: 'desc' }, limit: 3, ...options },
      ),
  },
  {
    title: 'cities named Camelot',
    ask: (em, options) => em.find(City, { name: 'Camelot' }, options),
  },
];

function largest(em: SqlEntityManager, country: string, options: { cacheops?: false }): Promise<City[]> {
  return em.find(
    City,
    { country },
    { populate: ['country'], orderBy: { population: 'desc' }, limit: 5, ...options },
  );
}

export function inWords(answer: Answer): string {
  if (answer === null) {
    return 'none';
  }
  if (typeof answer === 'number') {
    return String(answer);
  }
  if (answer instanceof City) {
    return `${answer.name}, ${number(answer.population)} inhabitants`;
  }
  const [first] = answer;
  const country = first && wrap(first.country).isInitialized() ? ` (${first.country.name})` : '';
  return first ? answer.map(city => city.name).join(', ') + country : 'none';
}
