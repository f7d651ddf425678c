import { Counter, register as globalRegister, Histogram, type Registry } from 'prom-client';
import { checkKeys, show } from '../../config/check.js';
import { CacheopsError } from '../../config/error.js';
import type { CacheopsStats, ReadCounts } from '../../observability/stats.js';
import { channels, DURATION_BUCKETS, type ReadMessage } from '../../observability/tracing.js';
import { Cacheops } from '../../orm/api/handle.js';

export interface MetricsOptions {
  /** Default: the global one of prom-client */
  register?: Registry;
  /** Begins the name of each metric. Default: `'cacheops_'` */
  prefix?: string;
  /** Upper bounds of the histogram, in seconds. Default: 50 µs to 2.5 s */
  buckets?: readonly number[];
}

const OPTIONS = Object.keys({
  register: true,
  prefix: true,
  buckets: true,
} satisfies Record<keyof MetricsOptions, true>);

/**
 * Registers metrics of one or several caches:
 *
 * - `cacheops_reads_total{cache, op, entity, outcome}`, where `outcome` is `hit`, `miss`, `bypass` or `error`
 * - `cacheops_fills_total{cache, op, entity, outcome}`: `stored`, `refused` (a writer was in flight) or `unstored`
 * - `cacheops_invalidations_total{cache}` and `cacheops_errors_total{cache}` (mostly of the store)
 * - `cacheops_audits_total{cache, outcome}`: `match` or `mismatch`
 * - `cacheops_read_duration_seconds{cache, op, outcome}`, a histogram; `outcome` may also be `error`
 *
 * `entity` is the name of an entity, function or fragment, as in `stats()`, which bounds their number. Counters are
 * read from `stats()` when they are scraped, so they count from the start of the program and have no other cost.
 *
 * ```ts
 * const stop = collectMetrics({ main: getCacheops(orm), reports: getCacheops(reports) });
 * app.get('/metrics', async (_request, response) => {
 *   response.type(register.contentType).send(await register.metrics());
 * });
 * ```
 *
 * @param caches by their value of the label `cache`; a single one is `default`
 * @returns a function that removes the metrics. The metrics of a cache also end when it is closed.
 * @throws CacheopsError if a value is not a cache or an option is wrong
 * @throws Error of prom-client, if the register has metrics of these names: give another `prefix`
 */
export function collectMetrics(
  caches: Cacheops | Readonly<Record<string, Cacheops>>,
  options: MetricsOptions = {},
): () => void {
  checkKeys(options as unknown, OPTIONS, 'collectMetrics()');
  const named = new Map(Object.entries(caches instanceof Cacheops ? { default: caches } : (caches ?? {})));
  if (named.size === 0) {
    throw new CacheopsError(
      'collectMetrics(): there is no cache. Give getCacheops(orm), or several by name.',
    );
  }
  for (const [name, cache] of named) {
    if (!(cache instanceof Cacheops)) {
      throw new CacheopsError(
        `collectMetrics(): ${name}: ${show(cache)} is not a cache. Give the result of getCacheops(orm).`,
      );
    }
  }
  const metrics = new Metrics(named, options);
  return () => metrics.stop();
}

class Metrics {
  readonly #caches: Map<string, Cacheops>;
  readonly #register: Registry;
  readonly #counters: readonly Counter[];
  readonly #durations: Histogram;
  readonly #begun = new WeakMap<ReadMessage, number>();
  readonly #subscribers = {
    start: (message: ReadMessage) => this.#begin(message),
    asyncEnd: (message: ReadMessage) => this.#end(message),
  };
  readonly #listeners = new Map<string, () => void>();

  constructor(
    caches: Map<string, Cacheops>,
    { register = globalRegister, prefix = 'cacheops_', buckets = DURATION_BUCKETS }: MetricsOptions,
  ) {
    this.#caches = caches;
    this.#register = register;
    const common = { registers: [] };
    this.#counters = COUNTERS.map(({ name, help, labels, read }) => {
      const counter: Counter = new Counter({
        ...common,
        name: prefix + name,
        help,
        labelNames: ['cache', ...labels],
        collect: () => {
          // stats() returns totals, not increments
          counter.reset();
          for (const [cache, handle] of this.#caches) {
            for (const { value, ...rest } of read(handle.stats())) {
              counter.inc({ cache, ...rest }, value);
            }
          }
        },
      });
      return counter;
    });
    this.#durations = new Histogram({
      ...common,
      name: `${prefix}read_duration_seconds`,
      help: 'Duration of reads, from the cache or the database.',
      labelNames: ['cache', 'op', 'outcome'],
      buckets: [...buckets],
    });
    this.#add();
    channels.read.subscribe(this.#subscribers as never);
    for (const [name, { events }] of caches) {
      const listener = () => this.#remove(name);
      this.#listeners.set(name, listener);
      events.once('close', listener);
    }
  }

  stop(): void {
    channels.read.unsubscribe(this.#subscribers as never);
    for (const [name, listener] of this.#listeners) {
      this.#caches.get(name)?.events.off('close', listener);
    }
    this.#caches.clear();
    for (const metric of this.#all()) {
      const { name } = metric as unknown as { readonly name: string };
      if (this.#register.getSingleMetric(name) === metric) {
        this.#register.removeSingleMetric(name);
      }
    }
  }

  /** Registers all metrics, or none if one cannot be registered. */
  #add(): void {
    for (const metric of this.#all()) {
      try {
        this.#register.registerMetric(metric);
      } catch (error) {
        this.stop();
        throw error;
      }
    }
  }

  #all(): readonly (Counter | Histogram)[] {
    return [...this.#counters, this.#durations];
  }

  #remove(name: string): void {
    const cache = this.#caches.get(name);
    this.#caches.delete(name);
    if (this.#caches.size === 0) {
      this.stop();
      return;
    }
    for (const op of Object.keys(cache?.stats().ops ?? {})) {
      for (const outcome of OUTCOMES) {
        this.#durations.remove({ cache: name, op, outcome });
      }
    }
  }

  #begin(message: ReadMessage): void {
    this.#begun.set(message, performance.now());
  }

  #end(message: ReadMessage): void {
    const begun = this.#begun.get(message);
    const cache = this.#nameOf(message);
    if (begun !== undefined && cache !== undefined) {
      const seconds = (performance.now() - begun) / 1000;
      this.#durations.observe({ cache, op: message.op, outcome: message.outcome ?? 'error' }, seconds);
    }
  }

  #nameOf({ events }: ReadMessage): string | undefined {
    for (const [name, cache] of this.#caches) {
      if (cache.events === events) {
        return name;
      }
    }
    return undefined;
  }
}

const OUTCOMES = ['hit', 'miss', 'bypass', 'error'];

type Sample = Readonly<Record<string, string | number>> & { readonly value: number };

interface CounterDeclaration {
  readonly name: string;
  readonly help: string;
  /** in addition to `cache` */
  readonly labels: readonly string[];
  readonly read: (stats: CacheopsStats) => readonly Sample[];
}

const COUNTERS: readonly CounterDeclaration[] = [
  {
    name: 'reads_total',
    help: 'Reads by outcome.',
    labels: ['op', 'entity', 'outcome'],
    read: byEntity({ hit: 'hits', miss: 'misses', bypass: 'bypassed', error: 'errors' }),
  },
  {
    name: 'fills_total',
    help: 'Results of misses by outcome.',
    labels: ['op', 'entity', 'outcome'],
    read: byEntity({ stored: 'fills', refused: 'refused', unstored: 'unstored' }),
  },
  {
    name: 'invalidations_total',
    help: 'Transactions and manual calls that invalidated.',
    labels: [],
    read: ({ invalidations }) => [{ value: invalidations }],
  },
  {
    name: 'errors_total',
    help: 'Errors of the store and of the cache.',
    labels: [],
    read: ({ errors, ops }) => [
      { value: Object.values(ops).reduce((rest, counts) => rest - counts.errors, errors) },
    ],
  },
  {
    name: 'audits_total',
    help: 'Hits that were compared with the database.',
    labels: ['outcome'],
    read: ({ audited, mismatches }) => [
      { outcome: 'match', value: audited - mismatches },
      { outcome: 'mismatch', value: mismatches },
    ],
  },
];

function byEntity(outcomes: Readonly<Record<string, keyof ReadCounts>>): CounterDeclaration['read'] {
  const samplesOf = (op: string, entity: string, counts: ReadCounts) =>
    Object.entries(outcomes).map(([outcome, name]) => ({ op, entity, outcome, value: counts[name] }));
  return ({ ops, entities }) => [
    ...Object.entries(entities).flatMap(([entity, byOp]) =>
      Object.entries(byOp).flatMap(([op, counts]) => samplesOf(op, entity, counts)),
    ),
    ...(['view', 'value'] as const).flatMap(op => samplesOf(op, '', ops[op])),
  ];
}
