import type { MikroORM } from '@mikro-orm/postgresql';
import type { Redis } from 'ioredis';
import { decodeResult, encodeResult } from '../lib/orm/reads/codec.js';

/** The storage of a floor. */
export interface Shelf {
  get(key: string): Promise<Uint8Array | null> | Uint8Array | undefined;
  set(key: string, payload: Uint8Array): unknown;
}

export function redisShelf(client: Redis, prefix: string): Shelf {
  return {
    get: key => client.getBuffer(prefix + key),
    set: (key, payload) => client.set(prefix + key, Buffer.from(payload)),
  };
}

/**
 * Answers calls of the driver by one look-up and a decode. No cache of rows below the EntityManager can be faster. It
 * ignores options, dependencies and changes, so it is useful for this comparison only.
 */
export function answerFromShelf(orm: MikroORM, shelf: Shelf): void {
  const driver = orm.driver as unknown as Record<string, (...args: any[]) => Promise<unknown>>;
  for (const method of ['find', 'count']) {
    const ask = driver[method]!;
    driver[method] = async (entityName, where, options) => {
      const key = method + JSON.stringify(where);
      const payload = await shelf.get(key);
      if (payload) {
        return decodeResult(payload);
      }
      const result = await ask.call(driver, entityName, where, options);
      await shelf.set(key, encodeResult(result)!);
      return result;
    };
  }
}
