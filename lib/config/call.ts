import { show } from './check.js';
import { CacheopsError } from './error.js';
import type { Op, TableSources } from './options.js';
import { ALL_OPS, type ParsedProfile, parseProfile } from './profile.js';
import type { ResolvedProfile } from './profiles.js';

/** What a call or a scope says, as checked. */
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
 * - `call`: it says so
 * - `scope`: its repository's scope says so
 * - `ops`: what it does is not among the ops that are in force
 * - `never`: its entity's profile is `null`
 * - `unconfigured`: its entity has no profile
 */
export type Bypass = 'call' | 'scope' | 'ops' | 'never' | 'unconfigured';

/**
 * @param where whose options they are, for the message
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
 * For whoever asks that something be cached: only what has a profile can be.
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
        `add profiles: { ${entity}: {} } to the options: then it is cached when a call asks for it.`,
    );
  }
}

/** An inner option wins over an outer one, each by itself. */
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
 * Decides about one query. The call wins over the scope, and the scope over the profile. Whoever gives options
 * without ops asks that the query be cached, whatever it does.
 *
 * A *scope* reaches queries that its author did not write (those of populated relations): where these ask for an
 * entity without a profile, they go to the database. So who makes a scope must {@link requireProfile} of its
 * entity, and the options of a call are a scope to the queries that populate its result.
 *
 * @param entity name, for messages
 * @throws CacheopsError if the call asks that something without a profile be cached
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
