import fc from 'fast-check';

/** Some of these values, in their order. */
export function someOf<T>(values: readonly T[], min: number, max: number): fc.Arbitrary<T[]> {
  return fc.subarray([...values], { minLength: min, maxLength: Math.min(max, values.length) });
}

/** An object with the prototype that programs' objects have. */
export function record<T, K extends keyof T = keyof T>(
  properties: { readonly [P in keyof T]: fc.Arbitrary<T[P]> },
  requiredKeys?: K[],
): fc.Arbitrary<T> {
  const constraints = { noNullPrototype: true, ...(requiredKeys && { requiredKeys }) };
  return fc.record(properties, constraints as never) as fc.Arbitrary<T>;
}

/** One of these, as often as its weight says. */
export function weighted<T>(
  ...choices: readonly (readonly [weight: number, arbitrary: fc.Arbitrary<T>])[]
): fc.Arbitrary<T> {
  return fc.oneof(...choices.map(([weight, arbitrary]) => ({ weight, arbitrary })));
}

/** Mostly `undefined`: the value is present once in `often + 1` times. */
export function seldom<T>(often: number, arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> {
  return fc.oneof({ weight: often, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary });
}

/** Caches arbitraries by their arguments, because making them takes longer than using them. */
export function memoised<A extends string, B extends string | number, T>(
  make: (a: A, b: B) => fc.Arbitrary<T>,
): (a: A, b: B) => fc.Arbitrary<T> {
  const made = new Map<string, fc.Arbitrary<T>>();
  return (a, b) => {
    const key = `${a} ${b}`;
    let arbitrary = made.get(key);
    if (!arbitrary) {
      arbitrary = make(a, b);
      made.set(key, arbitrary);
    }
    return arbitrary;
  };
}
