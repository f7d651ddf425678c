/** Metadata key of the view of a controller or method. */
export const VIEW = Symbol('cacheops view');
