import type { EntityMetadata, MetadataStorage } from '@mikro-orm/core';
import { type CallDecision, resolveCall } from '../../config/call.js';
import { declaredProfile } from '../../config/declared_profile.js';
import type { Op } from '../../config/options.js';
import {
  checkProfileKeys,
  type EntityIdentity,
  type ResolvedProfile,
  resolveProfile,
} from '../../config/profiles.js';
import type { ResolvedOptions } from '../../config/validate.js';
import type { Catalog } from '../catalog/table.js';
import { checkNamedEntities } from './declared_tables.js';

/** Seconds. */
const MONTH = 30 * 86_400;

interface Resolved {
  readonly profile: ResolvedProfile | null | undefined;
  readonly decisions: Partial<Record<Op, CallDecision>>;
}

/** The profiles of the entities of one ORM. They are resolved on demand, because entities may be discovered late. */
export class Profiles {
  readonly #options: ResolvedOptions;
  readonly #metadata: () => MetadataStorage;
  readonly #resolved = new WeakMap<EntityMetadata, Resolved>();

  constructor(options: ResolvedOptions, metadata: () => MetadataStorage) {
    this.#options = options;
    this.#metadata = metadata;
  }

  of(meta: EntityMetadata): ResolvedProfile | null | undefined {
    return this.#resolve(meta).profile;
  }

  /** The decision about a query that has no options and is in no scope. */
  decisionOf(meta: EntityMetadata, op: Op): CallDecision {
    const { profile, decisions } = this.#resolve(meta);
    decisions[op] ??= resolveCall(meta.className, op, profile, undefined, undefined);
    return decisions[op];
  }

  #resolve(meta: EntityMetadata): Resolved {
    let resolved = this.#resolved.get(meta);
    if (!resolved) {
      const profile = resolveProfile(identify(meta, this.#metadata()), this.#options);
      resolved = { profile, decisions: {} };
      this.#resolved.set(meta, resolved);
    }
    return resolved;
  }

  /**
   * Resolves all profiles, so that mistakes are found at the start.
   *
   * @returns warnings
   * @throws CacheopsError
   */
  check(metadata: MetadataStorage): string[] {
    const entities = entitiesOf(metadata);
    const warnings = checkProfileKeys(
      entities.map(meta => identify(meta, metadata)),
      this.#options,
    );
    let hasProfiles = false;
    for (const meta of entities) {
      const profile = resolveProfile(identify(meta, metadata), this.#options);
      hasProfiles ||= profile !== undefined;
      if (profile && profile.timeout > MONTH) {
        const days = Math.round(profile.timeout / 86_400);
        warnings.push(
          `${meta.className}: timeout: ${profile.timeout} seconds are ${days} days. Is it in milliseconds?`,
        );
      }
      if (profile?.tables) {
        checkNamedEntities(profile.tables, metadata, `${meta.className}: tables`);
      }
    }
    if (!hasProfiles && (this.#options.defaults.ops || this.#options.defaults.timeout)) {
      warnings.push(
        "defaults complete profiles, and no entity has one: nothing is cached. To cache every entity: profiles: { '*': {} }.",
      );
    }
    return warnings;
  }

  /** Names of entities that are never cached, by the full names of their tables. */
  forbiddenTables(catalog: Catalog): Map<string, string> {
    const forbidden = new Map<string, string>();
    for (const meta of entitiesOf(this.#metadata())) {
      if (this.of(meta) !== null) {
        continue;
      }
      // an entity without a schema of its own may be read in any schema
      const isFixed = meta.schema && meta.schema !== '*';
      const table = isFixed && catalog.resolve({ schema: meta.schema, name: meta.tableName });
      for (const { fullName } of isFixed ? (table ? [table] : []) : catalog.named(meta.tableName)) {
        forbidden.set(fullName, meta.className);
      }
    }
    return forbidden;
  }
}

function entitiesOf(metadata: MetadataStorage): EntityMetadata[] {
  return [...metadata.getAll().values()].filter(
    meta => !meta.pivotTable && !meta.embeddable && !!meta.tableName,
  );
}

function identify(meta: EntityMetadata, metadata: MetadataStorage): EntityIdentity {
  return {
    className: meta.className,
    tableName: meta.tableName,
    schema: meta.schema ?? DEFAULT_SCHEMA,
    declared: declaredProfile(meta.class as never, target => metadata.find(target as never)?.cacheops),
  };
}

const DEFAULT_SCHEMA = 'public';
