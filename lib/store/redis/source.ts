/**
 * What an ioredis client looks like, and what its options look like. Told by shape, not by import: ioredis is an
 * optional peer, and the types of this package must compile where it is not installed.
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

/** The options of ioredis' `Redis`: these, and all the others that it has. */
export interface RedisConnection {
  /** default: 127.0.0.1 */
  host?: string;
  /** default: 6379 */
  port?: number;
  /** of a Unix socket, in place of host and port */
  path?: string;
  /** number of the database; default: 0 */
  db?: number;
  username?: string;
  password?: string;
  // `any`, because only to that may an interface like ioredis' own be assigned
  [option: string]: any;
}

export function isRedisClient(value: object): value is RedisClient {
  const client = value as Partial<RedisClient>;
  return typeof client.call === 'function' && typeof client.defineCommand === 'function';
}
