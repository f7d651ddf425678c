import { crc32 } from 'node:zlib';
import type { Seal } from '../store.js';

/*
 * An entry, as bytes:
 *
 *   0  magic, the last byte of which is the version of this format
 *   4  CRC-32 of the key and of all that follows
 *   8  length of the seal
 *  12  seal, then payload
 *
 * The key is part of the checksum, so that an answer to another question is not taken for one to this.
 */
const MAGIC = 0x9cac_0e01;
const CHECKSUM_AT = 4;
const LENGTH_AT = 8;
const SEAL_AT = 12;
const COMMA = ','.charCodeAt(0);

/** @param seal stamps, separated by commas */
export function encodeEntry(key: string, seal: Seal, payload: Uint8Array): Buffer {
  const entry = Buffer.allocUnsafe(SEAL_AT + seal.length + payload.byteLength);
  entry.writeUInt32BE(MAGIC, 0);
  entry.writeUInt32BE(seal.length, LENGTH_AT);
  entry.write(seal, SEAL_AT, 'latin1');
  entry.set(payload, SEAL_AT + seal.length);
  entry.writeUInt32BE(checksum(key, entry), CHECKSUM_AT);
  return entry;
}

/**
 * The payload, as a view of the entry, if these are the stamps that it was sealed with. What is no entry, was cut
 * short or damaged has none.
 *
 * @param replies the entry, then the stamps as they are now
 */
export function decodeEntry(key: string, replies: readonly (Buffer | null)[]): Buffer | undefined {
  const entry = replies[0];
  if (!entry || entry.length < SEAL_AT || entry.readUInt32BE(0) !== MAGIC) {
    return undefined;
  }
  const end = SEAL_AT + entry.readUInt32BE(LENGTH_AT);
  let at = SEAL_AT;
  for (let i = 1; i < replies.length; i++) {
    const stamp = replies[i];
    if (!stamp || (i > 1 && entry[at++] !== COMMA)) {
      return undefined;
    }
    // beyond its end an entry has no bytes, so that nothing equals them
    for (let j = 0; j < stamp.length; j++) {
      if (entry[at++] !== stamp[j]) {
        return undefined;
      }
    }
  }
  if (at !== end || entry.readUInt32BE(CHECKSUM_AT) !== checksum(key, entry)) {
    return undefined;
  }
  return entry.subarray(end);
}

function checksum(key: string, entry: Buffer): number {
  return crc32(entry.subarray(LENGTH_AT), crc32(key));
}
