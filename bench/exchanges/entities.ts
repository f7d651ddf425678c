import { defineEntity, p } from '@mikro-orm/postgresql';
import type {} from '../../lib/config/declared_profile.js';
import { Article } from '../article.js';

const properties = { id: p.integer().primary(), name: p.string() };

/** Never cached. */
export const Visit = defineEntity({ name: 'Visit', cacheops: null, properties });

/** Cached if it is read, which nothing does. */
export const Unread = defineEntity({ name: 'Unread', properties });

const others = Array.from({ length: 197 }, (_, i) => defineEntity({ name: `Other${i}`, properties }));

/** 200 of them. */
export const entities = [Article, Visit, Unread, ...others];
