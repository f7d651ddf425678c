import { CacheopsError } from './error.js';
import { nearest } from './nearest.js';
import type { Op, TableSources } from './options.js';
import { type EntityNames, type ProfileKey, qualifiedNames } from './pattern.js';
import { ALL_OPS, type ParsedProfile } from './profile.js';
import type { ProfileRule, ResolvedOptions } from './validate.js';

/** An entity as far as the configuration needs it. */
export interface EntityIdentity extends EntityNames {
  /** the profile that its class declares (see `declaredProfile`) */
  readonly declared: ParsedProfile | null | undefined;
}

/** The profile of one entity with its defaults. */
export interface ResolvedProfile {
  /** the ops that are cached without call options */
  readonly ops: ReadonlySet<Op>;
  /** seconds */
  readonly timeout: number;
  /** of all processes that miss a result, one asks the database */
  readonly lock?: boolean;
  /** see `Profile.tables` */
  readonly tables?: TableSources;
}

type Profiles = Pick<ResolvedOptions, 'defaults' | 'profiles'>;

/**
 * The profile of an entity: `null` if it is never cached, even if a call asks for it; `undefined` if it has no profile.
 * For the order of precedence see {@link CacheopsOptions.profiles}.
 *
 * @throws CacheopsError if it has a profile, but no timeout
 */
export function resolveProfile(
  entity: EntityIdentity,
  options: Profiles,
): ResolvedProfile | null | undefined {
  const matching = options.profiles.filter(rule => rule.matches(entity));
  const exact = mostSpecific(matching.filter(rule => rule.exact))?.profile;
  const pattern = mostSpecific(matching.filter(rule => !rule.exact))?.profile;
  const { declared } = entity;
  if (exact === null || declared === null) {
    return null;
  }
  if (!exact && !declared && !pattern) {
    return pattern as null | undefined;
  }
  const layers = [exact, declared, pattern, options.defaults].filter(layer => !!layer);
  const ops = firstGiven(layers, 'ops') ?? ALL_OPS;
  const timeout = firstGiven(layers, 'timeout');
  if (timeout === undefined) {
    throw new CacheopsError(
      `${entity.className} has a profile, but no timeout. Give timeout, in seconds, in the profile or in defaults.`,
    );
  }
  const lock = firstGiven(layers, 'lock');
  const tables = firstGiven(layers, 'tables');
  return { ops, timeout, ...(lock !== undefined && { lock }), ...(tables && { tables }) };
}

/**
 * Finds keys of `profiles` that match no entity.
 *
 * @returns a warning for every pattern without an entity
 * @throws CacheopsError if a key without `*` is the name of no entity
 */
export function checkProfileKeys(entities: readonly EntityNames[], options: Profiles): string[] {
  const idle = options.profiles.filter(rule => !entities.some(entity => rule.matches(entity)));
  const misnomer = idle.find(rule => rule.exact);
  if (misnomer) {
    throw new CacheopsError(misnomerMessage(misnomer, entities));
  }
  return idle.map(rule => `profiles['${rule.text}']: this pattern matches no entity.`);
}

function mostSpecific(rules: readonly ProfileRule[]): ProfileRule | undefined {
  return rules.reduce<ProfileRule | undefined>(
    (best, rule) => (best && best.literal > rule.literal ? best : rule),
    undefined,
  );
}

function firstGiven<K extends keyof ParsedProfile>(
  layers: readonly ParsedProfile[],
  field: K,
): ParsedProfile[K] {
  return layers.find(layer => layer[field] !== undefined)?.[field];
}

function misnomerMessage({ text }: ProfileKey, entities: readonly EntityNames[]): string {
  const names = entities.flatMap(entity =>
    text.includes('.') ? qualifiedNames(entity) : [entity.className],
  );
  const meant = nearest(text, names);
  const hint = meant === undefined ? 'Give the name of an entity' : `Did you mean '${meant}'? Give that`;
  return `profiles['${text}']: there is no such entity. ${hint}, a pattern, or leave it out.`;
}
