import type { Session } from './connection.js';

/** Keys of one kind, and what they take up. */
export interface Share {
  readonly keys: number;
  readonly bytes: number;
}

/** What is in a store. */
export interface Contents {
  readonly entries: Share;
  /** with what is remembered of their changes */
  readonly stamps: Share;
  /** those of which results were stored */
  readonly tables: Share;
}

/** Matches all keys that a store with this prefix has written, and no others. */
export function patternOf(prefix: string): string {
  return `${prefix.replace(/[*?[\]\\^]/g, '\\$&')}[ectgs][:#]*`;
}

const KINDS: Readonly<Record<string, keyof Contents>> = {
  e: 'entries',
  c: 'stamps',
  g: 'stamps',
  s: 'stamps',
  t: 'tables',
};

export async function contentsOf(
  { client, wait }: Pick<Session, 'client' | 'wait'>,
  prefix: string,
  progress: (keys: number) => void,
): Promise<Contents> {
  const contents = {
    entries: { keys: 0, bytes: 0 },
    stamps: { keys: 0, bytes: 0 },
    tables: { keys: 0, bytes: 0 },
  };
  const kindAt = Buffer.byteLength(prefix);
  let found = 0;
  let cursor = '0';
  do {
    const [next, keys] = await wait(client.scanBuffer(cursor, 'MATCH', patternOf(prefix), 'COUNT', 1000));
    const sizes = await wait(Promise.all(keys.map(key => client.memory('USAGE', key))));
    for (const [i, key] of keys.entries()) {
      const share = contents[KINDS[String.fromCharCode(key[kindAt]!)]!];
      share.keys++;
      share.bytes += sizes[i] ?? 0; // it may be gone by now
    }
    found += keys.length;
    progress(found);
    cursor = String(next);
  } while (cursor !== '0');
  return contents;
}
