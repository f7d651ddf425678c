import type { Row } from './database.js';
import type { Kept } from './loss.js';
import type { Query } from './query.js';
import type { WriterPart } from './writer.js';

/** Who takes part, and what there is before anything happens. */
export interface Cast {
  readonly rows: readonly Row[];
  /** what is in the store; without it not even a registry is */
  readonly cached?: readonly Query[];
  readonly readers: readonly Query[];
  readonly writers: readonly WriterPart[];
  /** read once, and put another seal on what they have found if it holds though steps have come */
  readonly resealers?: readonly Query[];
  /** how many of the writers may die. Default: none */
  readonly crashes?: number;
  /** how many things the store may lose, and of which kinds. Default: nothing */
  readonly losses?: { readonly of: readonly Kept[]; readonly count: number };
  /** Default: no limit that matters */
  readonly maxSchemes?: number;
}
