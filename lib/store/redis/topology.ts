import { SLOTS } from './slot.js';

/** Where a node listens: `host:port`. */
export type Place = string;

/** The place of the master of each slot. */
export type Topology = readonly (Place | undefined)[];

/**
 * @param reply of `CLUSTER SLOTS`: of each range of slots the first and last, then the master's host, port, …
 * @param asked the host of the node that answered, which may not know its own
 */
export function parseSlots(reply: unknown, asked: string): Topology {
  const topology = new Array<Place | undefined>(SLOTS).fill(undefined);
  for (const range of reply as [number, number, [string | null, number]][]) {
    const [first, last, [host, port]] = range;
    topology.fill(placeOf(host || asked, port), first, last + 1);
  }
  return topology;
}

export function placeOf(host: string, port: number): Place {
  return `${host}:${port}`;
}

export function addressOf(place: Place): { host: string; port: number } {
  const colon = place.lastIndexOf(':');
  return { host: place.slice(0, colon), port: Number(place.slice(colon + 1)) };
}

/** Whether a node said that the slot is another's, or about to be. What it was asked to do was not done. */
export function isElsewhere(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof Error && /^(MOVED|ASK|TRYAGAIN|CLUSTERDOWN) /.test(cause.message);
}
