/** The name under which an ORM's configuration keeps its handle. */
export const EXTENSION = 'cacheops';

/** The name under which it keeps the store, as it was made or given. */
export const STORE = `${EXTENSION} store`;

/** The name under which an ORM's configuration keeps its profiles. */
export const PROFILES = `${EXTENSION} profiles`;

/** The name under which an ORM's configuration keeps what functions need. */
export const FUNCTIONS = `${EXTENSION} functions`;
