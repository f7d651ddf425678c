import { CacheopsError } from '../../lib/config/error.js';
import { checkDecorated } from '../../lib/decorators/stray.js';

/**
 * Forgets the decorated classes of a test which are no entities, so that the next ORM does not complain of them.
 * For the same reason no such class may be decorated while a spec is only being loaded.
 */
export function forgetDecorated(): void {
  try {
    checkDecorated([]);
  } catch (error) {
    if (!(error instanceof CacheopsError)) {
      throw error;
    }
  }
}
