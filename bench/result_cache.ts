import type { CacheAdapter } from '@mikro-orm/core';
import { Redis } from 'ioredis';
import { decodeResult, encodeResult } from '../lib/orm/reads/codec.js';

export interface ResultCacheOptions {
  readonly url: string;
  readonly prefix: string;
}

/** MikroORM's own result cache, on Redis. */
export class RedisResultCache implements CacheAdapter {
  readonly #client: Redis;
  readonly #prefix: string;

  // not a client, because the ORM copies these options deeply
  constructor({ url, prefix }: ResultCacheOptions) {
    this.#client = new Redis(url);
    this.#prefix = prefix;
  }

  async get(name: string): Promise<any> {
    const payload = await this.#client.getBuffer(this.#prefix + name);
    return payload ? decodeResult(payload) : undefined;
  }

  async set(name: string, data: unknown, _origin: string, expiration: number): Promise<void> {
    await this.#client.set(this.#prefix + name, Buffer.from(encodeResult(data)!), 'PX', expiration);
  }

  async remove(name: string): Promise<void> {
    await this.#client.del(this.#prefix + name);
  }

  clear(): void {}

  close(): void {
    this.#client.disconnect();
  }
}
