import { hash, randomUUID } from 'node:crypto';

/** Where a view stands in an application, as far as the framework tells: which handler it is that answers. */
export interface Place {
  /** the objects that stand there: the same ones make the same place */
  readonly parts: readonly object[];
  /**
   * What every process of this program knows the place by: route, constraints, and the source text of the handler.
   * `undefined` if the framework does not tell.
   */
  describe(): string | undefined;
  /** Tells places of the same parts from each other, where they have no description. */
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

/** The place that a description belongs to; `null` if several have it. */
const owners = new Map<string, readonly WeakRef<object>[] | null>();

/**
 * A name for the place in the keys of answers.
 *
 * A description names it in all processes. Handlers made by one function have the same source text and may answer
 * differently. So two places of one description, and a place without one, get names of their own, which only this
 * process knows: it shares no answers of theirs with others.
 */
export function nameOfPlace(place: Place): string {
  const { digest, own } = resolve(place);
  const owner = digest === undefined ? null : owners.get(digest);
  return owner ? digest! : `${own} ${place.hint ?? ''}`;
}

/** Makes it known that a place exists, before the first request comes to it. */
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
    // the text of a bound function or of a native one says nothing of what it does
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
