import { faultOf } from '../store/keys.js';
import { type Backend, backendOf } from './backend.js';
import { checkInteger, checkKeys, isObject, list, show } from './check.js';
import { CacheopsError } from './error.js';
import { type Granularity, granularityOf } from './granularity.js';
import { didYouMean } from './nearest.js';
import type { AuditOptions, CacheopsOptions, PrefixQuery, Serializer } from './options.js';
import { type ProfileKey, parseKey } from './pattern.js';
import { type ParsedProfile, parseProfile } from './profile.js';
import { checkSerializer } from './serializer.js';

/** The checked options with their defaults. */
export interface ResolvedOptions {
  readonly backend: Backend;
  readonly prefix: string | ((query: PrefixQuery) => string);
  readonly defaults: ParsedProfile;
  /** in the order in which they were given */
  readonly profiles: readonly ProfileRule[];
  readonly enabled: boolean;
  /** `undefined`: the default */
  readonly serializer: Serializer | undefined;
  readonly onStoreFailure: 'degrade' | 'throw';
  readonly onUnknownWrite: 'widen' | 'refuse';
  /** milliseconds */
  readonly storeTimeout: number;
  /** milliseconds */
  readonly retryAfter: number;
  readonly granularity: Granularity;
  readonly maxConjunctions: number;
  readonly maxIn: number;
  readonly maxRows: number;
  readonly audit: Readonly<AuditOptions> | undefined;
}

export interface ProfileRule extends ProfileKey {
  readonly profile: ParsedProfile | null;
}

// typed by its keys, so that the compiler reports a missing option
const OPTIONS = Object.keys({
  redis: true,
  memory: true,
  store: true,
  prefix: true,
  defaults: true,
  profiles: true,
  enabled: true,
  serializer: true,
  onStoreFailure: true,
  onUnknownWrite: true,
  storeTimeout: true,
  retryAfter: true,
  maxConjunctions: true,
  maxIn: true,
  maxRows: true,
  audit: true,
} satisfies Record<keyof CacheopsOptions, true>);

/**
 * Checks the options of the extension and completes them with their defaults. It connects to nothing.
 *
 * @throws CacheopsError at the first option that is wrong
 */
export function validateOptions(options: CacheopsOptions = {}): ResolvedOptions {
  checkKeys(options as unknown, OPTIONS, 'cacheops()');
  const { prefix = 'cacheops:', defaults = {}, profiles = {} } = options;
  const { enabled = true, onStoreFailure = 'degrade', storeTimeout = 250, retryAfter = 1000 } = options;
  const { onUnknownWrite = 'widen' } = options;
  const { maxConjunctions = 100, maxIn = 100, maxRows = 10_000 } = options;
  return {
    backend: backendOf(options),
    prefix: checkPrefix(prefix),
    defaults: parseProfile(defaults, 'defaults'),
    profiles: rulesOf(profiles),
    enabled: oneOf(enabled, [true, false], 'enabled'),
    serializer: checkSerializer(options.serializer),
    onStoreFailure: oneOf(onStoreFailure, ['degrade', 'throw'], 'onStoreFailure'),
    onUnknownWrite: oneOf(onUnknownWrite, ['widen', 'refuse'], 'onUnknownWrite'),
    storeTimeout: checkInteger(storeTimeout, 1, 'storeTimeout', 'milliseconds'),
    retryAfter: checkInteger(retryAfter, 0, 'retryAfter', 'milliseconds'),
    granularity: granularityOf(options),
    maxConjunctions: checkInteger(maxConjunctions, 1, 'maxConjunctions'),
    maxIn: checkInteger(maxIn, 1, 'maxIn'),
    maxRows: checkInteger(maxRows, 1, 'maxRows'),
    audit: options.audit === undefined ? undefined : checkAudit(options.audit),
  };
}

function checkAudit(audit: unknown): Readonly<AuditOptions> {
  checkKeys(audit, ['share'], 'audit');
  const { share } = audit;
  if (typeof share !== 'number' || !(share > 0 && share <= 1)) {
    throw new CacheopsError(
      `audit: share: ${show(share)} is no share of the hits. Give a number above 0, up to 1.`,
    );
  }
  return { share };
}

function checkPrefix(prefix: unknown): ResolvedOptions['prefix'] {
  if (typeof prefix !== 'string' && typeof prefix !== 'function') {
    throw new CacheopsError(`prefix: ${show(prefix)} is neither a string nor a function that gives one.`);
  }
  const fault = typeof prefix === 'string' ? faultOf(prefix) : undefined;
  if (fault) {
    throw new CacheopsError(`prefix: ${show(prefix)} cannot be used: ${fault}. Give another one.`);
  }
  return prefix as ResolvedOptions['prefix'];
}

function oneOf<T>(value: T, choices: readonly T[], where: string): T {
  if (!choices.includes(value)) {
    const words = choices.filter(choice => typeof choice === 'string');
    const hint = typeof value === 'string' ? didYouMean(value, words) : '';
    throw new CacheopsError(
      `${where}: ${show(value)} is none of its values.${hint} They are ${list(choices.map(show))}.`,
    );
  }
  return value;
}

function rulesOf(profiles: unknown): ProfileRule[] {
  if (!isObject(profiles)) {
    throw new CacheopsError(
      `profiles: ${show(profiles)} is no object. Give profiles by entity: { User: { ops: 'get' } }.`,
    );
  }
  return Object.entries(profiles)
    .filter(([, profile]) => profile !== undefined)
    .map(([key, profile]) => ruleOf(key, profile));
}

function ruleOf(key: string, profile: unknown): ProfileRule {
  if (key.trim() === '') {
    throw new CacheopsError(`profiles: ${show(key)} names no entity. Give the name of one, or a pattern.`);
  }
  return { ...parseKey(key), profile: profile === null ? null : parseProfile(profile, `profiles['${key}']`) };
}
