import { canonicalFloat } from '../values/comparable.js';

/** Kinds that the ORM casts a JSON text to, depending on the value that it is compared with. */
export type JsonScalar = 'boolean' | 'float' | 'integer';

/**
 * The canonical form of the database's cast of a JSON text; `undefined` if it is not certain, for example because the
 * cast may fail.
 */
export function readScalar(kind: JsonScalar, text: string): string | undefined {
  switch (kind) {
    case 'boolean':
      return text === 'true' || text === 'false' ? text : undefined;
    case 'integer':
      return INTEGER.test(text) ? BigInt(text).toString() : undefined;
    case 'float': {
      const number = DECIMAL.test(text) ? Number(text) : Number.NaN;
      // the database rejects numbers that are too large or too small
      return Number.isFinite(number) && (number !== 0 || ZERO.test(text))
        ? canonicalFloat(number)
        : undefined;
    }
  }
}

const INTEGER = /^-?\d{1,18}$/;
const DECIMAL = /^-?\d{1,400}(?:\.\d{1,400})?$/;
const ZERO = /^-?[0.]+$/;
