import fc from 'fast-check';

/**
 * Lists of a given length, which shrink below it: first by removing runs of items at any position, the longest first,
 * then by shrinking items.
 */
export class Sequence<T> extends fc.Arbitrary<T[]> {
  readonly #item: fc.Arbitrary<T>;
  readonly #min: number;
  readonly #max: number;

  constructor(item: fc.Arbitrary<T>, min: number, max: number) {
    super();
    this.#item = item;
    this.#min = min;
    this.#max = max;
  }

  override generate(random: fc.Random, _bias: number | undefined): fc.Value<T[]> {
    const length = random.nextInt(this.#min, this.#max);
    return listOf(Array.from({ length }, () => this.#item.generate(random, undefined)));
  }

  /** Only values with their context are shrunk. */
  override canShrinkWithoutContext(_value: unknown): _value is T[] {
    return false;
  }

  override shrink(_value: T[], context: unknown): fc.Stream<fc.Value<T[]>> {
    return context ? fc.stream(this.#smaller(context as fc.Value<T>[])) : fc.Stream.nil();
  }

  *#smaller(items: readonly fc.Value<T>[]): IterableIterator<fc.Value<T[]>> {
    for (let run = Math.ceil(items.length / 2); run >= 1; run = run === 1 ? 0 : Math.ceil(run / 2)) {
      for (let start = items.length - run; start > -run; start -= run) {
        yield listOf([...items.slice(0, Math.max(start, 0)), ...items.slice(start + run)]);
      }
    }
    for (const [i, item] of items.entries()) {
      for (const smaller of this.#item.shrink(item.value_, item.context)) {
        yield listOf(items.with(i, smaller));
      }
    }
  }
}

function listOf<T>(items: readonly fc.Value<T>[]): fc.Value<T[]> {
  return new fc.Value(
    items.map(item => item.value),
    items,
  );
}
