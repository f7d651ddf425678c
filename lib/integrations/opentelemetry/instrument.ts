import {
  type Attributes,
  type Context,
  context,
  diag,
  type Histogram,
  type MeterProvider,
  metrics,
  type Span,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  type TracerProvider,
  trace,
} from '@opentelemetry/api';
import { checkKeys, show } from '../../config/check.js';
import { CacheopsError } from '../../config/error.js';
import { Names } from '../../observability/stats.js';
import {
  channels,
  DURATION_BUCKETS,
  type ReadMessage,
  type StoreMessage,
} from '../../observability/tracing.js';
import { ContextStore } from './context_store.js';

export interface InstrumentOptions {
  /** Default: the global one */
  tracerProvider?: TracerProvider;
  /** Default: the global one */
  meterProvider?: MeterProvider;
  /**
   * Additional attributes of a span: `message => ({ 'cacheops.key': message.key })`. By default no attribute contains
   * values of rows or of conditions. Called when the span ends.
   */
  attributes?: (message: ReadMessage | StoreMessage) => Attributes;
}

const OPTIONS = Object.keys({
  tracerProvider: true,
  meterProvider: true,
  attributes: true,
} satisfies Record<keyof InstrumentOptions, true>);

const NAME = 'mikro-orm-cacheops';

/**
 * Creates spans and metrics for all caches of this process.
 *
 * Spans are children of the active span:
 *
 * - `cache fetch Article` for each read of a query, function, view, fragment or value, with `cacheops.op`,
 *   `cacheops.entity`, `cacheops.outcome` (`hit`, `miss`, `bypass`), for a bypass `cacheops.reason`, and
 *   `db.namespace`. The database's spans are its children.
 * - `cache store mark`, `… lease`, `… settle` for each call of the store within an active span, with
 *   `cacheops.store.operation`. Errors of the store are recorded here even if they fail no read.
 *
 * Metrics are the histograms `cacheops.read.duration` and `cacheops.store.duration`, in seconds, by the same attributes
 * and `error.type`. Names of entities, functions and fragments are attributes. Names of views and values are not,
 * because their number is unbounded.
 *
 * ```ts
 * const stop = instrument();
 * ```
 *
 * @returns a function that stops it
 * @throws CacheopsError if an option is wrong
 */
export function instrument(options: InstrumentOptions = {}): () => void {
  checkKeys(options as unknown, OPTIONS, 'instrument()');
  const { tracerProvider = trace, meterProvider = metrics, attributes } = options;
  if (attributes !== undefined && typeof attributes !== 'function') {
    throw new CacheopsError(
      `instrument(): attributes: ${show(attributes)} is not a function. Give message => ({ … }).`,
    );
  }
  const tracer = tracerProvider.getTracer(NAME);
  const meter = meterProvider.getMeter(NAME);
  const advice = { explicitBucketBoundaries: [...DURATION_BUCKETS] };
  const names = new Names();
  const ends = [
    observe(channels.read, {
      tracer,
      needsParent: false,
      durations: meter.createHistogram('cacheops.read.duration', {
        unit: 's',
        description: 'Duration of reads, from the cache or the database.',
        advice,
      }),
      spanName: ({ op, entity }) => `cache ${op} ${names.of(op, entity)}`.trimEnd(),
      kind: SpanKind.INTERNAL,
      attributes: message => attributesOfRead(message, names),
      more: attributes,
    }),
    observe(channels.store, {
      tracer,
      needsParent: true,
      durations: meter.createHistogram('cacheops.store.duration', {
        unit: 's',
        description: 'Duration of calls of the store.',
        advice,
      }),
      spanName: ({ operation }) => `cache store ${operation}`,
      kind: SpanKind.CLIENT,
      attributes: ({ operation, database }) => ({
        'cacheops.store.operation': operation,
        'db.namespace': database,
      }),
      more: attributes,
    }),
  ];
  return () => {
    for (const end of ends) {
      end();
    }
  };
}

function attributesOfRead({ op, entity, database, outcome, reason }: ReadMessage, names: Names): Attributes {
  const name = names.of(op, entity);
  return {
    'cacheops.op': op,
    ...(name !== '' && { 'cacheops.entity': name }),
    ...(outcome !== undefined && { 'cacheops.outcome': outcome }),
    // the reason of a miss contains values
    ...(outcome === 'bypass' && reason !== undefined && { 'cacheops.reason': reason }),
    'db.namespace': database,
  };
}

interface Observation<M> {
  readonly tracer: Tracer;
  readonly durations: Histogram;
  /** creates no span without an active one */
  readonly needsParent: boolean;
  readonly spanName: (message: M) => string;
  readonly kind: SpanKind;
  readonly attributes: (message: M) => Attributes;
  readonly more: ((message: M) => Attributes) | undefined;
}

interface Begun {
  readonly at: number;
  readonly span: Span | undefined;
  readonly around: Context;
}

type Channel<M extends object> = ReturnType<
  typeof import('node:diagnostics_channel').tracingChannel<unknown, M>
>;

/** @returns a function that stops it */
function observe<M extends ReadMessage | StoreMessage>(
  channel: Channel<M>,
  { tracer, durations, needsParent, spanName, kind, attributes, more }: Observation<M>,
): () => void {
  const all = new WeakMap<M, Begun>();
  const store = new ContextStore();

  /** @returns the context of the traced call */
  const begin = (message: M): Context => {
    const around = context.active();
    const at = performance.now();
    const span =
      needsParent && !trace.getSpan(around)
        ? undefined
        : tracer.startSpan(spanName(message), { kind }, around);
    all.set(message, { at, span, around });
    return span ? trace.setSpan(around, span) : around;
  };

  const end = (message: M): void => {
    const begun = all.get(message);
    if (!begun) {
      return; // started before the subscription
    }
    const { at, span, around } = begun;
    const failed = 'error' in message;
    const known = { ...attributes(message), ...(failed && { 'error.type': typeOf(message.error) }) };
    if (span) {
      span.setAttributes({ ...known, ...ask(more, message) });
      if (failed) {
        span.recordException(message.error instanceof Error ? message.error : String(message.error));
        span.setStatus({ code: SpanStatusCode.ERROR });
      }
      span.end();
    }
    const { 'cacheops.reason': _, ...dimensions } = known as Attributes;
    durations.record((performance.now() - at) / 1000, dimensions, around);
  };

  const subscribers = { asyncEnd: end };
  channel.start.bindStore(store as never, begin as never);
  channel.subscribe(subscribers as never);
  return () => {
    channel.start.unbindStore(store as never);
    channel.unsubscribe(subscribers as never);
  };
}

/** The user's attributes. An exception is only logged. */
function ask<M>(more: ((message: M) => Attributes) | undefined, message: M): Attributes {
  try {
    return more?.(message) ?? {};
  } catch (error) {
    diag.error('mikro-orm-cacheops: the option attributes has thrown', error as Error);
    return {};
  }
}

function typeOf(error: unknown): string {
  return error instanceof Error ? error.name : typeof error;
}
