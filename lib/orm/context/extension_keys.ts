/** The key of the handle among the extensions of an ORM's configuration. */
export const EXTENSION = 'cacheops';

/** The key of the store. */
export const STORE = `${EXTENSION} store`;

/** The key of the profiles. */
export const PROFILES = `${EXTENSION} profiles`;

/** The key of what cached functions need. */
export const FUNCTIONS = `${EXTENSION} functions`;
