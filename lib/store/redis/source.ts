/**
 * The shapes of ioredis' clients and options, without importing them, because ioredis is an optional peer dependency
 * and the types of this package must compile without it.
 */

/** An ioredis `Redis` or `Cluster`. */
export interface RedisClient {
  status: string;
  call(command: string, ...args: any[]): Promise<any>;
  defineCommand(name: string, definition: any): void;
  disconnect(...args: any[]): void;
  duplicate(...args: any[]): any;
  on(event: string, listener: (...args: any[]) => void): unknown;
}

/** The options of ioredis' `Redis`: these, and all others. */
export interface RedisConnection {
  /** default: 127.0.0.1 */
  host?: string;
  /** default: 6379 */
  port?: number;
  /** of a Unix socket, instead of host and port */
  path?: string;
  /** number of the database; default: 0 */
  db?: number;
  username?: string;
  password?: string;
  // `any`, because ioredis' interface is assignable to nothing else
  [option: string]: any;
}

export function isRedisClient(value: object): value is RedisClient {
  const client = value as Partial<RedisClient>;
  return typeof client.call === 'function' && typeof client.defineCommand === 'function';
}
