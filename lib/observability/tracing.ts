import { tracingChannel } from 'node:diagnostics_channel';
import type { CacheopsEvents } from './events.js';
import type { ReadOp } from './stats.js';

/** What the channel `mikro-orm-cacheops:read` tells. */
export interface ReadMessage {
  /** name of the entity; of a function, view or fragment, its own; of a value, its key */
  readonly entity: string;
  readonly op: ReadOp;
  /** name of the database, as it was configured */
  readonly database: string;
  /** `getCacheops(orm).events` of the cache that was asked: tells several of them apart */
  readonly events: CacheopsEvents;
  /** what became of it, when it has ended; `bypass`: the cache was not asked */
  outcome?: 'hit' | 'miss' | 'bypass';
  /** why it was not in the cache, or not asked of it, when it has ended; may name values of a condition or of rows */
  reason?: string;
  /** when it has ended, and the cache was asked */
  key?: string;
  /** what it failed with */
  error?: unknown;
}

/** What the channel `mikro-orm-cacheops:store` tells: one call of the store. */
export interface StoreMessage {
  /** `mark` is what COMMIT waits for; `settle` comes after it; the others are of readers, or by hand (`drop`, `clear`) */
  readonly operation: 'read' | 'reseal' | 'lease' | 'fill' | 'mark' | 'settle' | 'lift' | 'drop' | 'clear';
  readonly database: string;
  readonly events: CacheopsEvents;
  /** of an entry; left out if it is about several */
  readonly key?: string;
  /** full names of the tables that it is about */
  readonly tables?: readonly string[];
  error?: unknown;
}

/**
 * Channels of `node:diagnostics_channel`, for those who trace: `start` and `end` around the synchronous part, and
 * `asyncStart` and `asyncEnd` when the answer is there, all with the same message; `error` beside, if it fails. What
 * was read is in none of them. While nobody has subscribed, they cost nothing.
 *
 * ```ts
 * channels.read.asyncEnd.subscribe(message => console.log(message));
 * ```
 *
 * The same by name: `tracingChannel('mikro-orm-cacheops:read')`.
 */
export const channels = {
  read: tracingChannel<unknown, ReadMessage>('mikro-orm-cacheops:read'),
  store: tracingChannel<unknown, StoreMessage>('mikro-orm-cacheops:store'),
} as const;

/** When a read has ended well. */
export function conclude(
  message: ReadMessage,
  outcome: NonNullable<ReadMessage['outcome']>,
  reason: string | undefined,
  address: { readonly key: string } | undefined,
): void {
  message.outcome = outcome;
  if (reason !== undefined) {
    message.reason = reason;
  }
  if (address) {
    message.key = address.key;
  }
}

type Channel<M extends object> = ReturnType<typeof tracingChannel<unknown, M>>;

/** Runs it between the channel's messages. Ask first whether somebody has subscribed. */
export async function traced<M extends object, T>(
  channel: Channel<M>,
  message: M,
  run: () => Promise<T>,
): Promise<T> {
  let result: T;
  // the channel is to see the promise, and not what it gives
  await channel.tracePromise(async () => {
    result = await run();
  }, message);
  return result!;
}
