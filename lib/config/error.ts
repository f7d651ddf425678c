/**
 * Something about the use of this package is wrong: an option, a profile, a decorator, a call. The message says
 * what, with the value, and what to do. It is thrown before anything has been done.
 */
export class CacheopsError extends Error {
  static {
    // on the prototype, so that it is no enumerable property of every error
    CacheopsError.prototype.name = 'CacheopsError';
  }
}
