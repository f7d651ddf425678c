import { describeChecks, describeDependencies } from '../../observability/describe.js';
import type { CacheopsEvents } from '../../observability/events.js';
import type { ReadCounts, ReadOp } from '../../observability/stats.js';
import { channels, conclude, type ReadMessage, traced } from '../../observability/tracing.js';
import type { EntryAddress } from '../../store/store.js';

/** A read, as events and traces name it. */
export interface ReportedRead {
  readonly entity: string;
  readonly op: ReadOp;
  /** `performance.now()`; `undefined`: no event has listeners */
  readonly started: number | undefined;
  /** if the read is traced */
  readonly message: ReadMessage | undefined;
}

/** Runs a read that is timed, and traced if a channel has subscribers. */
export function traceRead<T>(
  events: CacheopsEvents,
  entity: string,
  op: ReadOp,
  run: (read: ReportedRead) => Promise<T>,
): Promise<T> {
  const started = performance.now();
  if (!channels.read.hasSubscribers) {
    return run({ entity, op, started, message: undefined });
  }
  const message: ReadMessage = { entity, op, database: events.database, events };
  return traced(channels.read, message, () => run({ entity, op, started, message }));
}

/** @param reason why the result does not come from the cache */
export function reportRead(
  events: CacheopsEvents,
  { entity, op, started, message }: ReportedRead,
  outcome: NonNullable<ReadMessage['outcome']>,
  reason: string | undefined,
  address?: EntryAddress,
): void {
  if (message) {
    conclude(message, outcome, reason, address);
  }
  if (started === undefined) {
    return;
  }
  events.announce('read', () => ({
    entity,
    op,
    source: outcome === 'hit' ? 'cache' : 'database',
    ...(reason !== undefined && { reason }),
    ...(address && {
      key: address.key,
      dependencies: op === 'value' ? [] : describeDependencies(address),
      checks: describeChecks(address),
    }),
    duration: performance.now() - started,
  }));
}

/** Counts and reports a read that has failed. */
export function reportFailure(
  events: CacheopsEvents,
  counts: ReadCounts,
  { entity, op, started }: Omit<ReportedRead, 'message'>,
  error: unknown,
): void {
  counts.errors++;
  if (started === undefined) {
    return;
  }
  events.announce('read', () => ({
    entity,
    op,
    source: 'database',
    reason: 'error',
    error,
    duration: performance.now() - started,
  }));
}
