export { Cacheops } from '../../orm/api/handle.js';
export { invalidateView } from '../views/invalidate.js';
export { CachedViewInterceptor } from './interceptor.js';
export { CACHEOPS_EXTENSION, CacheopsModule, type CacheopsModuleAsyncOptions } from './module.js';
export { CachedView, CachedViewAs, type NestViewOptions } from './views.js';
