/** Measurements of one subject, in microseconds, in several rounds that each measured all subjects. */
export class Timings {
  readonly rounds: number[][] = [];

  get median(): number {
    return quantile(this.rounds.flat(), 0.5);
  }

  get p99(): number {
    return quantile(this.rounds.flat(), 0.99);
  }

  /** The medians of each round. */
  get medians(): number[] {
    return this.rounds.map(round => quantile(round, 0.5));
  }
}

/**
 * The ratio to others. Compared within each round, so that a slow round slows down both sides.
 */
export function ratio(timings: Timings, ...others: readonly Timings[]): number {
  const medians = others.map(other => other.medians);
  const ratios = timings.medians.map((median, round) => median / sum(medians.map(other => other[round]!)));
  return quantile(ratios, 0.5);
}

/** How long something takes, in microseconds. */
export async function time(run: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await run();
  return (performance.now() - started) * 1000;
}

/** In random order, so that no subject always follows the same one. */
export function shuffled<T>(items: readonly T[]): T[] {
  return items
    .map(item => ({ item, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ item }) => item);
}

function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))]!;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
