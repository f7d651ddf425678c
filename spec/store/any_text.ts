import fc from 'fast-check';

/** Difficult texts: punctuation of keys, control characters, lone surrogates, great length. */
export const ANY_TEXT: fc.Arbitrary<string> = fc.oneof(
  fc.string({ unit: fc.constantFrom(...'{}:#%*?[]\\,!-"\''), maxLength: 8 }),
  fc.string({
    unit: fc.constantFrom('\0', '\n', '\r', ' ', 'a', 'A', '1', 'é', 'é', '😀', '\ud83d', '\ude00'),
  }),
  fc.string({ unit: 'binary' }),
  fc.array(fc.nat(0xffff)).map(units => String.fromCharCode(...units)),
  fc.string({ minLength: 150, maxLength: 1200 }),
  fc.tuple(fc.constantFrom('x', '{', 'é'), fc.integer({ min: 190, max: 215 })).map(([c, n]) => c.repeat(n)),
);
