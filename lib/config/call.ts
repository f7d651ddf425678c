import { show } from './check.js';
import { CacheopsError } from './error.js';
import type { Op, TableSources } from './options.js';
import { ALL_OPS, type ParsedProfile, parseProfile } from './profile.js';
import type { ResolvedProfile } from './profiles.js';

/** The options of a call or a scope, checked. */
export type ParsedCall = boolean | ParsedProfile;

/** Whether one query is cached, and for how long. */
export type CallDecision =
  // timeout: seconds
  | {
      readonly cached: true;
      readonly timeout: number;
      readonly lock?: boolean;
      readonly tables?: TableSources;
    }
  | { readonly cached: false; readonly reason: Bypass };

/**
 * Why a query goes to the database.
 *
 * - `call`: its options say so
 * - `scope`: the scope of its repository says so
 * - `ops`: its op is not among the ops in force
 * - `never`: its entity's profile is `null`
 * - `unconfigured`: its entity has no profile
 */
export type Bypass = 'call' | 'scope' | 'ops' | 'never' | 'unconfigured';

/**
 * @param where the name of the options in messages
 * @throws CacheopsError
 */
export function parseCall(value: unknown, where: string): ParsedCall {
  if (typeof value === 'boolean') {
    return value;
  }
  if (typeof value !== 'object' || value === null) {
    throw new CacheopsError(
      `${where}: ${show(value)} is neither true, false nor an object with ops, timeout and the like.`,
    );
  }
  return parseProfile(value, where);
}

/**
 * Only an entity with a profile can be cached.
 *
 * @throws CacheopsError
 */
export function requireProfile(
  entity: string,
  profile: ResolvedProfile | null | undefined,
): asserts profile is ResolvedProfile {
  if (profile === null) {
    throw new CacheopsError(
      `${entity} is never cached, because its profile is null. Do not ask for it, or give it a profile.`,
    );
  }
  if (profile === undefined) {
    throw new CacheopsError(
      `${entity} has no profile, so that it cannot be cached. Decorate it with @Cached({ ops: [] }), or ` +
        `add profiles: { ${entity}: { ops: [] } } to the options: then it is cached when a call asks for it.`,
    );
  }
}

/** Each inner option overrides the same outer option. */
export function mergeCalls(
  inner: ParsedCall | undefined,
  outer: ParsedCall | undefined,
): ParsedCall | undefined {
  if (inner === undefined || outer === undefined) {
    return inner ?? outer;
  }
  if (typeof inner === 'object') {
    const { ops, timeout, ...rest } =
      typeof outer === 'object' ? outer : { ops: ALL_OPS, timeout: undefined };
    return { ...rest, ...inner, ops: inner.ops ?? ops, timeout: inner.timeout ?? timeout };
  }
  return inner && typeof outer === 'object' ? { ...outer, ops: ALL_OPS } : inner;
}

/**
 * Decides about one query. Call options override the scope's, which override the profile's. Options without ops cache the
 * query, whatever its op is.
 *
 * A *scope* also applies to queries that populate relations: if their entity has no profile, they go to the database.
 * Therefore the code that makes a scope must {@link requireProfile} of its entity; and the options of a call are the scope
 * of the queries that populate its result.
 *
 * @param entity name, for messages
 * @throws CacheopsError if the call caches an entity without a profile
 */
export function resolveCall(
  entity: string,
  op: Op,
  profile: ResolvedProfile | null | undefined,
  scope: ParsedCall | undefined,
  call: ParsedCall | undefined,
): CallDecision {
  const inForce = mergeCalls(call, scope);
  if (inForce === false) {
    return call === false ? BYPASS.call : BYPASS.scope;
  }
  if (call !== undefined) {
    requireProfile(entity, profile);
  }
  if (!profile) {
    return profile === null ? BYPASS.never : BYPASS.unconfigured;
  }
  const options = typeof inForce === 'object' ? inForce : undefined;
  const ops = inForce === undefined ? profile.ops : (options?.ops ?? ALL_OPS);
  if (!ops.has(op)) {
    return BYPASS.ops;
  }
  const { timeout, lock, tables } = { ...profile, ...options };
  return {
    cached: true,
    timeout: timeout ?? profile.timeout,
    ...(lock && { lock }),
    ...(tables && { tables }),
  };
}

const BYPASS = {
  call: { cached: false, reason: 'call' },
  scope: { cached: false, reason: 'scope' },
  ops: { cached: false, reason: 'ops' },
  never: { cached: false, reason: 'never' },
  unconfigured: { cached: false, reason: 'unconfigured' },
} as const satisfies Record<Bypass, CallDecision>;
