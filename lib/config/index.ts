export type { RedisClient, RedisConnection } from '../store/redis/source.js';
export type { Backend } from './backend.js';
export {
  type Bypass,
  type CallDecision,
  mergeCalls,
  type ParsedCall,
  parseCall,
  requireProfile,
  resolveCall,
} from './call.js';
export { CacheopsError } from './error.js';
export type {
  AuditOptions,
  CacheopsOptions,
  CallOptions,
  MemoryOptions,
  Op,
  PrefixQuery,
  Profile,
  Serializer,
  TableSource,
  TableSources,
} from './options.js';
export { checkTables, type ParsedProfile } from './profile.js';
export { checkProfileKeys, type EntityIdentity, type ResolvedProfile, resolveProfile } from './profiles.js';
export { serializerKey } from './serializer.js';
export { type ResolvedOptions, validateOptions } from './validate.js';
