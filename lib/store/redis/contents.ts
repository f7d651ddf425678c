import type { Session } from './connection.js';

/** The number and size of keys of one kind. */
export interface Share {
  readonly keys: number;
  readonly bytes: number;
}

/** The contents of a store. */
export interface Contents {
  readonly entries: Share;
  /** including their trails */
  readonly stamps: Share;
  /** registries of tables with stored results, and of the definitions of each database */
  readonly tables: Share;
}

const KINDS: Readonly<Record<string, keyof Contents>> = {
  e: 'entries',
  c: 'stamps',
  g: 'stamps',
  s: 'stamps',
  t: 'tables',
};

type Server = Pick<Session, 'client' | 'wait'>;

/**
 * All keys of stores with this root, and no others, in batches. A key may occur more than once.
 *
 * @param root see `rootOf`
 */
export async function* ownKeys({ client, wait }: Server, root: string): AsyncGenerator<Buffer[]> {
  const begin = Buffer.from(root);
  const pattern = `${root.replace(/[*?[\]\\^]/g, '\\$&')}*`;
  const isOwn = (key: Buffer) =>
    key.subarray(0, begin.length).equals(begin) &&
    kindOf(key, begin.length) !== undefined &&
    /[:#]/.test(String.fromCharCode(key[begin.length + 1] ?? 0));
  let cursor = '0';
  do {
    const [next, keys] = await wait(client.scanBuffer(cursor, 'MATCH', pattern, 'COUNT', 1000));
    // checked again, because some servers treat the pattern differently
    const own = keys.filter(isOwn);
    if (own.length > 0) {
      yield own;
    }
    cursor = String(next);
  } while (cursor !== '0');
}

function kindOf(key: Buffer, at: number): keyof Contents | undefined {
  const kind = String.fromCharCode(key[at] ?? 0);
  return Object.hasOwn(KINDS, kind) ? KINDS[kind] : undefined;
}

export async function contentsOf(
  server: Server,
  root: string,
  progress: (keys: number) => void,
): Promise<Contents> {
  const { client, wait } = server;
  const contents = {
    entries: { keys: 0, bytes: 0 },
    stamps: { keys: 0, bytes: 0 },
    tables: { keys: 0, bytes: 0 },
  };
  const kindAt = Buffer.byteLength(root);
  let found = 0;
  for await (const keys of ownKeys(server, root)) {
    const sizes = await wait(Promise.all(keys.map(key => client.memory('USAGE', key))));
    for (const [i, key] of keys.entries()) {
      const share = contents[kindOf(key, kindAt)!];
      share.keys++;
      share.bytes += sizes[i] ?? 0; // the key may have been deleted
    }
    found += keys.length;
    progress(found);
  }
  return contents;
}
