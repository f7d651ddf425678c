import { Counter, register as globalRegister, Histogram, type Registry } from 'prom-client';
import { checkKeys, show } from '../../config/check.js';
import { CacheopsError } from '../../config/error.js';
import type { CacheopsStats, ReadCounts } from '../../observability/stats.js';
import { channels, type ReadMessage } from '../../observability/tracing.js';
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

const BUCKETS = [
  0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5,
];

/**
 * Registers metrics of one or several caches:
 *
 * - `cacheops_reads_total{cache, op, entity, outcome}`, where `outcome` is `hit`, `miss`, `bypass` or `error`
 * - `cacheops_fills_total{cache, op, entity, outcome}`: `stored`, `refused` (a writer was in flight) or `unstored`
 * - `cacheops_invalidations_total{cache}` and `cacheops_errors_total{cache}` (of the store, for the most part)
 * - `cacheops_audits_total{cache, outcome}`: `match` or `mismatch`
 * - `cacheops_read_duration_seconds{cache, op, outcome}`, a histogram; `outcome` may also be `error`
 *
 * `entity` is the name of an entity, function or fragment, as in `stats()`: there are never many. Counters are read from
 * `stats()` when they are scraped, so that they count from the beginning of the program and cost nothing in between.
 *
 * ```ts
 * const stop = collectMetrics({ main: getCacheops(orm), reports: getCacheops(reports) });
 * app.get('/metrics', async (_request, response) => {
 *   response.type(register.contentType).send(await register.metrics());
 * });
 * ```
 *
 * @param caches by what they are called in the label `cache`; one alone is `default`
 * @returns what removes the metrics. What is told of a cache ends by itself when that is closed.
 * @throws CacheopsError if something is no cache or an option is wrong
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
        `collectMetrics(): ${name}: ${show(cache)} is no cache. Give what getCacheops(orm) gives.`,
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
    { register = globalRegister, prefix = 'cacheops_', buckets = BUCKETS }: MetricsOptions,
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
          // what is told is the whole, and not what has been added
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
      help: 'How long reads took, also those that went to the database.',
      labelNames: ['cache', 'op', 'outcome'],
      buckets: [...buckets],
    });
    this.#add();
    channels.read.subscribe(this.#subscribers as never);
    for (const [name, { events }] of caches) {
      const listener = () => this.#reportNotStored(name);
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

  /** All, or none if one cannot be. */
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

  #reportNotStored(name: string): void {
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
  /** besides `cache` */
  readonly labels: readonly string[];
  readonly read: (stats: CacheopsStats) => readonly Sample[];
}

const COUNTERS: readonly CounterDeclaration[] = [
  {
    name: 'reads_total',
    help: 'Reads, and whether they were answered from the cache.',
    labels: ['op', 'entity', 'outcome'],
    read: byEntity({ hit: 'hits', miss: 'misses', bypass: 'bypassed', error: 'errors' }),
  },
  {
    name: 'fills_total',
    help: 'Results of misses, and whether they were stored.',
    labels: ['op', 'entity', 'outcome'],
    read: byEntity({ stored: 'fills', refused: 'refused', unstored: 'unstored' }),
  },
  {
    name: 'invalidations_total',
    help: 'Transactions, and calls by hand, that dropped something.',
    labels: [],
    read: ({ invalidations }) => [{ value: invalidations }],
  },
  {
    name: 'errors_total',
    help: 'Errors of the store and of the cache, none of which was the application’s.',
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
  const told = (op: string, entity: string, counts: ReadCounts) =>
    Object.entries(outcomes).map(([outcome, name]) => ({ op, entity, outcome, value: counts[name] }));
  return ({ ops, entities }) => [
    ...Object.entries(entities).flatMap(([entity, byOp]) =>
      Object.entries(byOp).flatMap(([op, counts]) => told(op, entity, counts)),
    ),
    ...(['view', 'value'] as const).flatMap(op => told(op, '', ops[op])),
  ];
}
