import type { EntityManager, EntityMetadata, EntityName, FilterQuery } from '@mikro-orm/core';
import { type AnyEntity, helper, Utils } from '@mikro-orm/core';
import { type AbstractSqlDriver, QueryBuilder, type SqlEntityManager } from '@mikro-orm/sql';
import { requireProfile } from '../../config/call.js';
import { show } from '../../config/check.js';
import { CacheopsError } from '../../config/error.js';
import { anyOf } from '../../query/dependencies.js';
import type { TableDependencies } from '../../values/scheme.js';
import type { Catalog } from '../catalog/table.js';
import type { Environment } from '../context/environment.js';
import { patch } from '../context/patches.js';
import { currentScope, withScope } from '../context/scope.js';
import { hasAddedFilters } from './added_filters.js';
import { conditionOf } from './builder_condition.js';
import type { Limits } from './plan.js';
import { Planner } from './planner.js';
import type { Profiles } from './profiles.js';
import { relevant } from './relevant_options.js';

/** Rows of an entity that satisfy a condition, as `em.find()` takes it. */
export interface EntitySample<Entity extends object = any> {
  readonly entity: EntityName<Entity>;
  readonly where?: FilterQuery<NoInfer<Entity>>;
}

/**
 * What a result depends on:
 *
 * - the class of an entity: all rows of it;
 * - an entity: its row;
 * - `{ entity, where }`: the rows that satisfy a condition;
 * - a query builder: the rows that satisfy its conditions, and those that it joins;
 * - an array of these: all of them.
 */
export type Sample =
  | EntityName<any>
  | QueryBuilder<any, any, any, any, any, any>
  | EntitySample
  | object
  | readonly Sample[];

/** The dependencies of samples. */
export interface PlannedSamples {
  readonly tables: readonly TableDependencies[];
  /** differs from that of other samples */
  readonly identity: string;
  /** name of the first sample's entity */
  readonly entity: string;
  /** the shortest of their profiles; seconds */
  readonly timeout: number;
}

export interface SampleParts {
  readonly driver: AbstractSqlDriver;
  readonly environment: Environment;
  readonly profiles: Profiles;
  readonly limits: Limits;
}

type Query = Parameters<NonNullable<ReturnType<typeof currentScope>['sampling']>>[0];

/** The query that one sample stands for. */
interface Subject {
  readonly meta: EntityMetadata;
  readonly where: unknown;
  readonly builder?: QueryBuilder<any>;
}

/**
 * Finds the dependencies of samples. Each sample becomes the query that it stands for, which the planner takes from the
 * driver instead of sending it: so samples are planned by the code that plans queries.
 */
export class Samples {
  readonly #parts: SampleParts;
  #planner:
    | { readonly catalog: Catalog; readonly environmentState: string; readonly planner: Planner }
    | undefined;

  constructor(parts: SampleParts) {
    this.#parts = parts;
  }

  /** Must be installed after all other patches of `driver.find`, so that it runs first. */
  install(): void {
    const { driver } = this.#parts;
    patch(driver, 'driver.find for samples', find => (entityName, where, options = {}) => {
      const { sampling, dryRun } = currentScope();
      const run = () => find.call(driver, entityName, where, options);
      if (!sampling || dryRun) {
        return run();
      }
      sampling({ entityName, where, options, run });
      return Promise.resolve([]);
    });
  }

  /**
   * @returns a reason if they cannot be analysed
   * @throws CacheopsError if one of them is no sample, or its entity is not cached
   */
  async plan(
    em: SqlEntityManager,
    samples: readonly Sample[],
    catalog: Catalog,
    where: string,
  ): Promise<PlannedSamples | { readonly reason: string }> {
    const planner = this.#plannerFor(catalog);
    const tables: TableDependencies[] = [];
    const identities: string[] = [];
    const timeouts: number[] = [];
    const subjects = samples.flatMap((sample, i) => this.#subjectsOf(sample, `${where}: sample ${i + 1}`));
    for (const subject of subjects) {
      const { className } = subject.meta;
      const profile = this.#parts.profiles.of(subject.meta);
      requireProfile(className, profile);
      timeouts.push(profile.timeout);
      const plan = await this.#planOne(em, planner, subject);
      if ('reason' in plan) {
        return plan;
      }
      tables.push(...plan.tables);
      identities.push(plan.identity);
    }
    return {
      tables: anyOf(tables, this.#parts.limits.maxConjunctions),
      identity: identities.join(),
      entity: subjects[0]!.meta.className,
      timeout: Math.min(...timeouts),
    };
  }

  async #planOne(em: SqlEntityManager, planner: Planner, subject: Subject) {
    const { meta, builder } = subject;
    if (builder) {
      const plan = await planner.plan({
        kind: 'find',
        meta,
        where: conditionOf(builder),
        // the builder cannot be serialised, so that its SQL is the key
        options: { builder, schema: builder.state.schema ?? em.schema },
        em,
        run: () => builder.clone().execute('all'),
      });
      return plan.cacheable ? { tables: plan.address.tables, identity: plan.address.key } : plan;
    }
    // a filter narrows no dependency, because the function may have read without it; but it separates tenants
    const plain = await this.#planQuery(em, planner, subject, false);
    if ('reason' in plain || !this.#mayHaveFilters(meta)) {
      return plain;
    }
    const filtered = await this.#planQuery(em, planner, subject, true);
    return 'reason' in filtered ? filtered : { ...plain, identity: filtered.identity };
  }

  async #planQuery(em: SqlEntityManager, planner: Planner, { meta, where }: Subject, filters: boolean) {
    let query: Query | undefined;
    const sampling = (found: Query) => {
      query = found;
    };
    await withScope({ sampling, call: undefined, repository: undefined }, () =>
      em.find(
        meta.class,
        where as never,
        {
          flushMode: 'commit',
          populate: false,
          cache: false,
          disableIdentityMap: false,
          ...(!filters && { filters: false }),
        } as never,
      ),
    );
    const { where: condition, options, run } = query!;
    const plan = await planner.plan({
      kind: 'find',
      meta,
      where: condition,
      options: relevant(options),
      em,
      run,
    });
    return plan.cacheable ? { tables: plan.address.tables, identity: plan.address.key } : plan;
  }

  #mayHaveFilters(meta: EntityMetadata): boolean {
    const { driver } = this.#parts;
    return (
      hasAddedFilters(driver) ||
      Object.keys(meta.filters ?? {}).length > 0 ||
      Object.keys(driver.config.get('filters') ?? {}).length > 0
    );
  }

  #subjectsOf(sample: unknown, where: string): Subject[] {
    if (Array.isArray(sample)) {
      return sample.flatMap((item, i) => this.#subjectsOf(item, `${where}[${i}]`));
    }
    const metadata = this.#parts.driver.getMetadata();
    if (sample instanceof QueryBuilder) {
      const meta = sample.state.mainAlias?.meta ?? metadata.find(sample.state.mainAlias?.entityName as never);
      if (!meta) {
        throw new CacheopsError(`${where}: a query builder of no entity. Give createQueryBuilder() one.`);
      }
      return [{ meta: meta as EntityMetadata, where: {}, builder: sample as QueryBuilder<any> }];
    }
    if (Utils.isEntity<object>(sample)) {
      const wrapped = helper(sample as AnyEntity);
      if (!wrapped.hasPrimaryKey()) {
        throw new CacheopsError(`${where}: an entity without a key has no row yet. Flush it first.`);
      }
      return [{ meta: wrapped.__meta as EntityMetadata, where: keyCondition(sample) }];
    }
    if (isEntitySample(sample)) {
      const meta = metadata.find(sample.entity as never);
      if (!meta) {
        throw new CacheopsError(`${where}: ${show(sample.entity)} is no entity of this ORM.`);
      }
      return [{ meta: meta as EntityMetadata, where: sample.where ?? {} }];
    }
    const meta = isName(sample) ? metadata.find(sample as never) : undefined;
    if (!meta) {
      throw new CacheopsError(
        `${where}: ${show(sample)} is no sample. Pass an entity, its class, a query builder, { entity, where } or an array of these.`,
      );
    }
    return [{ meta: meta as EntityMetadata, where: {} }];
  }

  /** Its dependencies include all columns, because it is not known which columns a function reads. */
  #plannerFor(catalog: Catalog): Planner {
    const { driver, environment, limits, profiles } = this.#parts;
    const environmentState = environment.current?.text ?? '';
    if (this.#planner?.catalog !== catalog || this.#planner.environmentState !== environmentState) {
      const forbidden = profiles.forbiddenTables(catalog);
      this.#planner = {
        catalog,
        environmentState,
        planner: new Planner(
          driver,
          catalog,
          environmentState,
          {
            ...limits,
            granularity: limits.granularity === 'table' ? 'table' : 'equality',
            prefix: '', // the prefix belongs to the function's key
          },
          forbidden,
        ),
      };
    }
    return this.#planner.planner;
  }
}

/**
 * Checks samples when they are declared, so that an error points to the declaration.
 *
 * @throws CacheopsError
 */
export function checkSamples(samples: readonly unknown[], where: string): void {
  if (samples.length === 0) {
    throw new CacheopsError(
      `${where}: Pass an entity, its class, a query builder, { entity, where } or a function that gives one.`,
    );
  }
  for (const sample of samples) {
    if (Array.isArray(sample)) {
      checkSamples(sample, where);
    } else if (
      !isName(sample) &&
      typeof sample !== 'function' &&
      (typeof sample !== 'object' || sample === null)
    ) {
      throw new CacheopsError(
        `${where}: ${show(sample)} is no sample. Pass an entity, its class, a query builder, { entity, where } or a function that gives one.`,
      );
    }
  }
}

function isName(sample: unknown): boolean {
  return (
    (typeof sample === 'string' && sample !== '') ||
    typeof sample === 'function' ||
    (typeof sample === 'object' && sample !== null)
  );
}

export function isEntitySample(sample: unknown): sample is EntitySample {
  return (
    typeof sample === 'object' &&
    sample !== null &&
    Object.getPrototypeOf(sample) === Object.prototype &&
    'entity' in sample
  );
}

/** The EntityManager of the first query builder or entity among samples. */
export function managerOfSamples(samples: readonly unknown[]): EntityManager | undefined {
  for (const sample of samples) {
    const em = Array.isArray(sample)
      ? managerOfSamples(sample)
      : sample instanceof QueryBuilder
        ? (sample as unknown as { em?: EntityManager }).em
        : Utils.isEntity<object>(sample)
          ? helper(sample as AnyEntity).__em
          : undefined;
    if (em) {
      return em;
    }
  }
  return undefined;
}

function keyCondition(entity: object): unknown {
  const wrapped = helper(entity as AnyEntity);
  const meta = wrapped.__meta as EntityMetadata;
  return Object.fromEntries(meta.primaryKeys.map(name => [name, (entity as Record<string, unknown>)[name]]));
}
