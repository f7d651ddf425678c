export { addCachedTags, type CachedTag, type CachedTags, type CachedTagsOptions } from './tags.js';
