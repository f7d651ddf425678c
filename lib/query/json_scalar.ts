import { canonicalFloat } from '../values/comparable.js';

/** Kinds to which the ORM casts a text from JSON, by the values that it is compared with. */
export type JsonScalar = 'boolean' | 'float' | 'integer';

/**
 * The canonical form of what the database makes of a text from JSON when it casts it; `undefined` if that is not known
 * for certain, as of texts of which it may make an error.
 */
export function readScalar(kind: JsonScalar, text: string): string | undefined {
  switch (kind) {
    case 'boolean':
      return text === 'true' || text === 'false' ? text : undefined;
    case 'integer':
      return INTEGER.test(text) ? BigInt(text).toString() : undefined;
    case 'float': {
      const number = DECIMAL.test(text) ? Number(text) : Number.NaN;
      // the database refuses what is too large or too small
      return Number.isFinite(number) && (number !== 0 || ZERO.test(text))
        ? canonicalFloat(number)
        : undefined;
    }
  }
}

const INTEGER = /^-?\d{1,18}$/;
const DECIMAL = /^-?\d{1,400}(?:\.\d{1,400})?$/;
const ZERO = /^-?[0.]+$/;
