import { decodeRowDelta } from '../../values/row_delta.js';
import type { TableLease } from '../leases.js';
import type { InFlight } from '../store.js';
import type { TrailAnswer } from './found.js';
import { type KnownSchemes, parseScheme } from './schemes.js';

/** The answer of the script `lease`. */
export type LeaseAnswer = OtherEpoch | TableLease;

/** The answer of the script `mark`. */
export type MarkAnswer =
  | OtherEpoch
  | { readonly kind: 'marked' }
  | ({ readonly kind: 'schemes' } & KnownSchemes);

/** The registry was created in another epoch than the given one. */
export interface OtherEpoch {
  readonly kind: 'epoch';
}

export function parseLease(reply: unknown): LeaseAnswer {
  const [kind, ...rest] = listFrom(reply);
  switch (kind) {
    case 'epoch':
      return { kind };
    case 'quarantine':
      return { kind, nonce: rest[0] };
    case 'granted':
      return { kind, stamps: rest };
    case 'writers':
      return { kind, writers: writersFrom(rest) };
    default:
      throw nonsense(reply);
  }
}

export function parseMark(reply: unknown): MarkAnswer {
  const [kind, ...rest] = listFrom(reply);
  switch (kind) {
    case 'epoch':
    case 'marked':
      return { kind };
    case 'schemes':
      return { kind, ...schemesFrom(rest) };
    default:
      throw nonsense(reply);
  }
}

/** The present stamp and the row deltas that led to it, or `undefined` if these are not known. */
export function parseTrail(reply: unknown): TrailAnswer | undefined {
  if (reply === null) {
    return undefined;
  }
  const [stamp, ...texts] = listFrom(reply);
  const steps = texts.map(decodeRowDelta);
  return steps.every(step => step !== undefined) ? { stamp, steps } : undefined;
}

export function parseSchemes(reply: unknown): KnownSchemes {
  return schemesFrom(listFrom(reply));
}

/** @param flat version, then definitions */
function schemesFrom([version, ...definitions]: readonly any[]): KnownSchemes {
  const schemes = definitions.map(parseScheme).filter(scheme => scheme !== undefined);
  return { version, schemes, isOdd: schemes.length < definitions.length };
}

/** @param flat id, xid (or `''`) and age of each */
function writersFrom(flat: readonly any[]): Omit<InFlight, 'tables'>[] {
  const writers: Omit<InFlight, 'tables'>[] = [];
  for (let i = 0; i < flat.length; i += 3) {
    writers.push({ id: flat[i], xid: flat[i + 1] || undefined, age: flat[i + 2] });
  }
  return writers;
}

function listFrom(reply: unknown): any[] {
  if (!Array.isArray(reply)) {
    throw nonsense(reply);
  }
  return reply;
}

function nonsense(reply: unknown): Error {
  return new Error(`Redis gave an answer that makes no sense: ${reply}`);
}
