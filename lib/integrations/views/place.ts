import { hash, randomUUID } from 'node:crypto';

/** The place of a view in an application, which identifies its handler. */
export interface Place {
  /** the objects at that place: the same objects mean the same place */
  readonly parts: readonly object[];
  /**
   * The same text in every process of the program: route, constraints, and the source text of the handler. `undefined`
   * if the framework does not reveal these.
   */
  describe(): string | undefined;
  /** Distinguishes places with the same parts and without a description. */
  readonly hint?: string;
}

interface Known {
  readonly parts: readonly WeakRef<object>[];
  readonly digest: string | undefined;
  /** in this process only */
  readonly own: string;
}

/** The places by their first part. */
const known = new WeakMap<object, Known[]>();

/** The parts of the place with a description; `null` if several places have the same one. */
const owners = new Map<string, readonly WeakRef<object>[] | null>();

/**
 * The name of the place in keys.
 *
 * A description is its name in all processes. But handlers created by one function have the same source text and may
 * respond differently. So two places with one description, and places without one, get random names: their responses
 * are not shared with other processes.
 */
export function nameOfPlace(place: Place): string {
  const { digest, own } = resolve(place);
  const owner = digest === undefined ? null : owners.get(digest);
  return owner ? digest! : `${own} ${place.hint ?? ''}`;
}

/** Registers a place before its first request. */
export function claimPlace(place: Place): void {
  resolve(place);
}

function resolve(place: Place): Known {
  const [first] = place.parts as [object];
  const siblings = known.get(first) ?? [];
  const found = siblings.find(({ parts }) => isSame(parts, place.parts));
  if (found) {
    return found;
  }
  const text = place.describe();
  const parts = place.parts.map(part => new WeakRef(part));
  const made: Known = {
    parts,
    // the text of a bound or native function does not identify it
    digest:
      text === undefined || text.includes('[native code]') ? undefined : hash('sha256', text, 'base64url'),
    own: randomUUID(),
  };
  const alive = siblings.filter(({ parts }) => parts.every(part => part.deref() !== undefined));
  known.set(first, [...alive, made]);
  if (made.digest !== undefined) {
    owners.set(made.digest, owners.has(made.digest) ? null : parts);
  }
  return made;
}

function isSame(known: readonly WeakRef<object>[], parts: readonly object[]): boolean {
  return known.length === parts.length && known.every((part, i) => part.deref() === parts[i]);
}

/** Handlers, routes and the like as text, for descriptions. */
export function textOf(value: unknown): unknown {
  return typeof value === 'function' || value instanceof RegExp
    ? `${(value as { name?: string }).name ?? ''} ${String(value)}`
    : typeof value === 'symbol'
      ? String(value)
      : (value ?? null);
}
