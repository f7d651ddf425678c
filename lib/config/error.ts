/**
 * An incorrect use of this package: of an option, a profile, a decorator or a call. The message names the value and says
 * what to do. It is thrown before anything has been done.
 */
export class CacheopsError extends Error {
  static {
    // on the prototype, so that it is no enumerable property of each error
    CacheopsError.prototype.name = 'CacheopsError';
  }
}
