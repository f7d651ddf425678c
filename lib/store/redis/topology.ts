import { SLOTS } from './slot.js';

/** The address of a node: `host:port`. */
export type NodeAddress = string;

/** The address of the master of each slot. */
export type Topology = readonly (NodeAddress | undefined)[];

/**
 * @param reply of `CLUSTER SLOTS`: for each range of slots the first and last, then the master's host, port, …
 * @param asked the host of the node that answered, which may not know its own host
 */
export function parseSlots(reply: unknown, asked: string): Topology {
  const topology = new Array<NodeAddress | undefined>(SLOTS).fill(undefined);
  for (const range of reply as [number, number, [string | null, number]][]) {
    const [first, last, [host, port]] = range;
    topology.fill(placeOf(host || asked, port), first, last + 1);
  }
  return topology;
}

export function placeOf(host: string, port: number): NodeAddress {
  return `${host}:${port}`;
}

export function addressOf(place: NodeAddress): { host: string; port: number } {
  const colon = place.lastIndexOf(':');
  return { host: place.slice(0, colon), port: Number(place.slice(colon + 1)) };
}

/** Did a node refuse a command because another node serves the slot, or is about to? Then it was not executed. */
export function isElsewhere(error: unknown): boolean {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof Error && /^(MOVED|ASK|TRYAGAIN|CLUSTERDOWN) /.test(cause.message);
}
