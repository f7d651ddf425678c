import { CacheopsError } from '../../config/error.js';

/** Takes a value past a cache that must not store it, because errors are not stored. */
export class Unstored extends CacheopsError {
  readonly compute: unknown;
  readonly value: unknown;

  constructor(compute: unknown, value: unknown, reason: string) {
    super(`A value is not stored: ${reason}.`);
    this.compute = compute;
    this.value = value;
  }
}
