import { Packr } from 'msgpackr';

/** Names in lower case. Only `set-cookie` and its like have several values. */
export type HeaderFields = Readonly<Record<string, string | readonly string[]>>;

/** A whole answer to a request. */
export interface Answer {
  readonly status: number;
  readonly headers: HeaderFields;
  readonly body: Uint8Array;
}

/** An answer as it is kept. */
export interface StoredAnswer extends Answer {
  /** when it was made, in milliseconds since 1970 by the clock of who made it */
  readonly made: number;
}

const packr = new Packr({ useRecords: false });

/** Is in the keys of stored answers: those of other versions are not found. */
export const FORMAT = 1;

export function encodeAnswer({ status, headers, body, made }: StoredAnswer): Uint8Array {
  return packr.pack([status, headers, body, made]);
}

export function decodeAnswer(payload: Uint8Array): StoredAnswer {
  const [status, headers, body, made] = packr.unpack(payload);
  return { status, headers, body, made };
}
