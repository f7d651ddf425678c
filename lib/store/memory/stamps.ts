import type { LRUCache } from 'lru-cache';
import type { Dependency } from '../../values/scheme.js';
import { advanced, firstCounted, stepsBetween } from '../counted.js';
import { idOf, type TableKeys } from '../keys.js';
import type { Moved } from '../store.js';
import { token } from '../token.js';
import { isCounted, type Touch } from '../touched.js';
import type { Kept, Stamp } from './kept.js';
import { Trail } from './trail.js';

/** The stamps of the memory store, and the trails of versioned stamps. */
export class Stamps {
  readonly #kept: LRUCache<string, Kept>;

  constructor(kept: LRUCache<string, Kept>) {
    this.#kept = kept;
  }

  /** The stamps of a table and of dependencies on it; creates missing ones. */
  lease(keys: TableKeys, dependencies: readonly Dependency[], ttl: number): Stamp[] {
    return [
      this.#stamp(keys.stamp, ttl),
      ...dependencies.map(dependency => {
        const id = idOf(dependency);
        const trail = isCounted(dependency.scheme) ? keys.trails + id : undefined;
        return this.#stamp(keys.dependencies + id, ttl, trail);
      }),
    ];
  }

  /** Applies a mark to one dependency. */
  touch(keys: TableKeys, { id, steps }: Touch): void {
    const [stampKey, trailKey] = [keys.dependencies + id, keys.trails + id];
    const stamp = steps && this.#kept.get(stampKey);
    const later = typeof stamp === 'string' ? advanced(stamp, steps!.length) : undefined;
    if (later === undefined) {
      // without its stamp no seal is valid, so no reader will need the trail
      this.#kept.delete(stampKey);
      this.#kept.delete(trailKey);
      return;
    }
    const trail = Trail.extend(this.#trail(trailKey), stamp as string, later, steps!);
    const ttl = remaining(this.#kept, stampKey);
    this.#kept.set(trailKey, trail, { ttl });
    this.#kept.set(stampKey, later, { ttl });
  }

  /** The row deltas between two stamps of a dependency, if they are known. */
  between(
    keys: TableKeys,
    { scheme, values }: Dependency,
    earlier: Stamp | undefined,
    later: Stamp,
  ): Moved['steps'] | undefined {
    return earlier !== undefined && isCounted(scheme) && stepsBetween(earlier, later) !== undefined
      ? this.#trail(keys.trails + idOf({ scheme, values }))?.between(earlier, later)
      : undefined;
  }

  /**
   * The stamp under this key, which lives for at least `ttl` milliseconds from now on; created if it is missing.
   *
   * @param trailKey of a versioned stamp
   */
  #stamp(key: string, ttl: number, trailKey?: string): Stamp {
    const kept = this.#kept.get(key);
    if (typeof kept !== 'string') {
      const made = trailKey === undefined ? token() : firstCounted(token());
      if (trailKey !== undefined) {
        this.#kept.delete(trailKey); // belongs to a stamp that is lost
      }
      this.#kept.set(key, made, { ttl });
      return made;
    }
    if (remaining(this.#kept, key) < ttl) {
      this.#kept.set(key, kept, { ttl });
      const trail = trailKey !== undefined && this.#kept.get(trailKey);
      if (trail) {
        this.#kept.set(trailKey, trail, { ttl });
      }
    }
    return kept;
  }

  #trail(key: string): Trail | undefined {
    const kept = this.#kept.get(key);
    return kept instanceof Trail ? kept : undefined;
  }
}

/** The remaining time to live, in milliseconds; at least one, because zero would mean forever. */
export function remaining(kept: LRUCache<string, Kept>, key: string): number {
  return Math.max(1, kept.getRemainingTTL(key));
}
