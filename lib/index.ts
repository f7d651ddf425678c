export type {} from './config/declared_profile.js';
export { CacheopsError } from './config/error.js';
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
} from './config/options.js';
export { Cached } from './decorators/cached.js';
export { CachedAs } from './decorators/cached_as.js';
export { cacheops, type Extension } from './extension.js';
export {
  cached,
  cachedMethod,
  type TimedControls,
  type TimedFunction,
  type TimedKey,
  type TimedOptions,
} from './functions/cached.js';
export {
  type CachedAsOptions,
  type CachedFunction,
  cachedAs,
  type SampleFunction,
  type SampleSource,
} from './functions/cached_as.js';
export {
  type CleanReport,
  type FileCache,
  type FileCacheOptions,
  fileCache,
} from './functions/file_cache.js';
export type {
  CacheopsEventMap,
  CacheopsEvents,
  ErrorEvent,
  FillEvent,
  InvalidationEvent,
  MismatchEvent,
  ReadEvent,
  UnstoredEvent,
} from './observability/events.js';
export type { AnswerKind, CacheopsStats, ReadCounts, ReadOp, ValueKind } from './observability/stats.js';
export { channels, type ReadMessage, type StoreMessage } from './observability/tracing.js';
export { Cacheops, getCacheops, type SkippedInvalidations } from './orm/api/handle.js';
export { CachedRepository, type CachingMethods } from './orm/api/repository.js';
export type { WithCaching } from './orm/api/typing.js';
export { CacheMiss, type TimedCache } from './orm/computed/timed_cache.js';
export type { StoreCache } from './orm/computed/timed_values.js';
export type { EntitySample, Sample } from './orm/planning/samples.js';
export { MemoryStore, type MemoryStoreOptions } from './store/memory/memory_store.js';
export { RedisStore, type RedisStoreOptions } from './store/redis/redis_store.js';
export type * from './store/store.js';
export { StoreError } from './store/store_error.js';
export type * from './values/scheme.js';
