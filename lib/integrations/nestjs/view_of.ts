/** Under which a controller, or a method of one, keeps its view. */
export const VIEW = Symbol('cacheops view');
