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
import { channels, type ReadMessage, type StoreMessage } from '../../observability/tracing.js';
import { ContextStore } from './context_store.js';

export interface InstrumentOptions {
  /** Default: the global one */
  tracerProvider?: TracerProvider;
  /** Default: the global one */
  meterProvider?: MeterProvider;
  /**
   * More attributes of a span: `message => ({ 'cacheops.key': message.key })`. By default there are none that hold values
   * of rows or of conditions. Called when it ends.
   */
  attributes?: (message: ReadMessage | StoreMessage) => Attributes;
}

const OPTIONS = Object.keys({
  tracerProvider: true,
  meterProvider: true,
  attributes: true,
} satisfies Record<keyof InstrumentOptions, true>);

const NAME = 'mikro-orm-cacheops';

/** Upper bounds, in seconds: a hit in memory takes some dozen microseconds. */
const BOUNDARIES = [
  0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5,
];

/**
 * Makes spans and metrics of what all caches of this process do.
 *
 * Spans are children of the one that is active where something is read or written:
 *
 * - `cache fetch Article` for each read of a query, function, view, fragment or value, with `cacheops.op`,
 *   `cacheops.entity`, `cacheops.outcome` (`hit`, `miss`, `bypass`), for the last of them `cacheops.reason`, and
 *   `db.namespace`. What it does is in its context: the database's spans are its children.
 * - `cache store mark`, `… lease`, `… settle`, each a call of the store, with `cacheops.store.operation`, where a span is
 *   active. An error is recorded there, also if nobody else notices it.
 *
 * Metrics are the histograms `cacheops.read.duration` and `cacheops.store.duration`, in seconds, by the same attributes
 * and `error.type`. Names of entities, functions and fragments are attributes; those of views and values, of which there
 * may be any number, are not.
 *
 * ```ts
 * const stop = instrument();
 * ```
 *
 * @returns what ends it
 * @throws CacheopsError if an option is wrong
 */
export function instrument(options: InstrumentOptions = {}): () => void {
  checkKeys(options as unknown, OPTIONS, 'instrument()');
  const { tracerProvider = trace, meterProvider = metrics, attributes } = options;
  if (attributes !== undefined && typeof attributes !== 'function') {
    throw new CacheopsError(
      `instrument(): attributes: ${show(attributes)} is no function. Give message => ({ … }).`,
    );
  }
  const tracer = tracerProvider.getTracer(NAME);
  const meter = meterProvider.getMeter(NAME);
  const advice = { explicitBucketBoundaries: BOUNDARIES };
  const names = new Names();
  const ends = [
    observe(channels.read, {
      tracer,
      needsParent: false,
      durations: meter.createHistogram('cacheops.read.duration', {
        unit: 's',
        description: 'How long reads took, also those that went to the database.',
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
        description: 'How long calls of the store took.',
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
    // that of a miss names values
    ...(outcome === 'bypass' && reason !== undefined && { 'cacheops.reason': reason }),
    'db.namespace': database,
  };
}

interface Observation<M> {
  readonly tracer: Tracer;
  readonly durations: Histogram;
  /** without an active span, there is none of it */
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

/** @returns what ends it */
function observe<M extends ReadMessage | StoreMessage>(
  channel: Channel<M>,
  { tracer, durations, needsParent, spanName, kind, attributes, more }: Observation<M>,
): () => void {
  const all = new WeakMap<M, Begun>();
  const store = new ContextStore();

  /** @returns the context for what it is about */
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
      return; // it began before anybody listened
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

/** What the user adds; whatever he does wrong harms nobody. */
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
