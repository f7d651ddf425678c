export {
  type AuditOptions,
  CacheopsError,
  type CacheopsOptions,
  type CallOptions,
  type MemoryOptions,
  type Op,
  type PrefixQuery,
  type Profile,
  type Serializer,
  type TableSource,
  type TableSources,
} from './config/index.js';
export { Cached } from './decorators/cached.js';
export { CachedAs } from './decorators/cached_as.js';
export type {} from './decorators/declared.js';
export { cacheops, type Extension } from './extension.js';
export { CacheMiss, type TimedCache } from './functions/cache.js';
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
export type { StoreCache } from './functions/store_cache.js';
export type {
  AnswerKind,
  CacheopsEventMap,
  CacheopsEvents,
  ErrorEvent,
  FillEvent,
  InvalidationEvent,
  MismatchEvent,
  ReadEvent,
  ReadOp,
  UnstoredEvent,
  ValueKind,
} from './orm/events.js';
export { Cacheops, getCacheops, type SkippedInvalidations } from './orm/handle.js';
export { CachedRepository, type CachingMethods } from './orm/repository.js';
export type { EntitySample, Sample } from './orm/samples.js';
export type { CacheopsStats, ReadCounts } from './orm/stats.js';
export { channels, type ReadMessage, type StoreMessage } from './orm/tracing.js';
export type {} from './orm/typing.js';
export { MemoryStore, type MemoryStoreOptions } from './store/memory/memory_store.js';
export { RedisStore, type RedisStoreOptions } from './store/redis/redis_store.js';
export type * from './store/store.js';
export { StoreError } from './store/store_error.js';
