import type { Row } from './database.js';
import type { Kept } from './loss.js';
import type { Query } from './query.js';
import type { WriterPart } from './writer.js';

/** The participants, and the state before their first step. */
export interface Cast {
  readonly rows: readonly Row[];
  /** the entries in the store; without it, even the registry is missing */
  readonly cached?: readonly Query[];
  readonly readers: readonly Query[];
  /** readers that lease together with their read, so also when the entry is there */
  readonly eager?: readonly Query[];
  readonly writers: readonly WriterPart[];
  /** each reads once, and reseals the entry if it still holds after row deltas */
  readonly resealers?: readonly Query[];
  /** each reads once, and reseals the entry if lookups of joined rows show that it still holds */
  readonly lookers?: readonly Query[];
  /** number of writers that may die. Default: none */
  readonly crashes?: number;
  /** how many things the store may lose, and their kinds. Default: none */
  readonly losses?: { readonly of: readonly Kept[]; readonly count: number };
  /** Default: no effective limit */
  readonly maxSchemes?: number;
}
