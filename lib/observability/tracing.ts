import { tracingChannel } from 'node:diagnostics_channel';
import type { CacheopsEvents } from './events.js';
import type { ReadOp } from './stats.js';

/** A message of the channel `mikro-orm-cacheops:read`. */
export interface ReadMessage {
  /** name of the entity; of a function, view or fragment, its own; of a value, its key */
  readonly entity: string;
  readonly op: ReadOp;
  /** configured name of the database */
  readonly database: string;
  /** `getCacheops(orm).events` of the cache: identifies it among several */
  readonly events: CacheopsEvents;
  /** set when the read has ended; `bypass`: the cache was not asked */
  outcome?: 'hit' | 'miss' | 'bypass';
  /** set when the read has ended: why it was a miss or a bypass; may contain values of a condition or of rows */
  reason?: string;
  /** set when the read has ended, and the cache was asked */
  key?: string;
  /** the exception of a failed read */
  error?: unknown;
}

/** A message of the channel `mikro-orm-cacheops:store`: one call of the store. */
export interface StoreMessage {
  /**
   * COMMIT waits for `mark`; `settle` comes after COMMIT; readers do the others, except manual ones (`drop`, `clear`)
   */
  readonly operation: 'read' | 'reseal' | 'lease' | 'fill' | 'mark' | 'settle' | 'lift' | 'drop' | 'clear';
  readonly database: string;
  readonly events: CacheopsEvents;
  /** of an entry; omitted for several */
  readonly key?: string;
  /** full names of the tables concerned */
  readonly tables?: readonly string[];
  error?: unknown;
}

/**
 * Channels of `node:diagnostics_channel` for tracing: `start` and `end` around the synchronous part, `asyncStart` and
 * `asyncEnd` when it has completed, and `error` if it fails, all with the same message. Messages do not contain
 * results. Without subscribers, there is no overhead.
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

/** Upper bounds for histograms of durations, in seconds. A hit in memory takes some dozen microseconds. */
export const DURATION_BUCKETS: readonly number[] = [
  0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5,
];

/** Completes the message of a successful read. */
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

/** Publishes the messages of a call. For use if the channel has subscribers. */
export async function traced<M extends object, T>(
  channel: Channel<M>,
  message: M,
  run: () => Promise<T>,
): Promise<T> {
  let result: T;
  // the promise of the channel has no value, so that messages do not contain results
  await channel.tracePromise(async () => {
    result = await run();
  }, message);
  return result!;
}
