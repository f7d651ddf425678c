export {
  CacheopsError,
  type CacheopsOptions,
  type CallOptions,
  type MemoryOptions,
  type Op,
  type PrefixQuery,
  type Profile,
} from './config/index.js';
export { Cached } from './decorators/cached.js';
export type {} from './decorators/declared.js';
export { cacheops, type Extension } from './extension.js';
export type {
  CacheopsEventMap,
  CacheopsEvents,
  CacheopsStats,
  ErrorEvent,
  FillEvent,
  InvalidationEvent,
  ReadEvent,
} from './orm/events.js';
export { Cacheops, getCacheops } from './orm/handle.js';
export { CachedRepository, type CachingMethods } from './orm/repository.js';
export type {} from './orm/typing.js';
export { MemoryStore, type MemoryStoreOptions } from './store/memory/memory_store.js';
export { RedisStore, type RedisStoreOptions } from './store/redis/redis_store.js';
export type * from './store/store.js';
export { StoreError } from './store/store_error.js';
