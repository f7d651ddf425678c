import type { ReadEvent } from '../../../lib/index.js';
import { readsOf } from '../../orm/support/observe.js';
import type { Started } from '../../orm/support/start.js';

/** Where the answers of functions came from while this ran: `cache`, or why not. */
export async function answersOf({ cache }: Pick<Started, 'cache'>, run: () => unknown): Promise<string[]> {
  const reads = await readsOf(cache, run);
  return reads.filter(isOfFunction).map(({ source, reason }) => reason ?? source);
}

export function isOfFunction({ op }: ReadEvent): boolean {
  return op === 'function';
}
