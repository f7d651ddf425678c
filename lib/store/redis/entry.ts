import { crc32 } from 'node:zlib';
import { stepsBetween } from '../counted.js';
import { dependenciesOf } from '../keys.js';
import type { EntryAddress, Moved, Seal } from '../store.js';
import { token } from '../token.js';
import { isCounted } from '../touched.js';

/*
 * An entry, as bytes:
 *
 *   0  magic, the last byte of which is the version of this format
 *   4  CRC-32 of the key and of all that follows, except the payload
 *   8  CRC-32 of the payload
 *  12  length of the seal
 *  16  a random token, different for each fill
 *  32  seal, then payload
 *
 * The key is part of the checksum, so that the answer to another command is noticed. The bytes before the payload have
 * a checksum of their own, so that the seal can be replaced without reading the payload.
 */
const MAGIC = 0x9cac_0e02;
const CHECKSUM_AT = 4;
const PAYLOAD_CHECKSUM_AT = 8;
const LENGTH_AT = 12;
const TOKEN_AT = 16;
const SEAL_AT = 32;
const COMMA = ','.charCodeAt(0);

/** A versioned stamp that has increased since the entry was sealed. */
export interface Drift extends Omit<Moved, 'steps'> {
  readonly sealed: string;
  /** offset in the entry */
  readonly at: number;
}

export interface Decoded {
  /** the bytes before the payload */
  readonly head: Buffer;
  readonly payload: Buffer;
  readonly drifts: readonly Drift[];
}

const NO_DRIFTS: readonly Drift[] = [];

/** @param seal stamps, separated by commas */
export function encodeEntry(key: string, seal: Seal, payload: Uint8Array): Buffer {
  const end = SEAL_AT + seal.length;
  const entry = Buffer.allocUnsafe(end + payload.byteLength);
  entry.writeUInt32BE(MAGIC, 0);
  entry.writeUInt32BE(crc32(payload), PAYLOAD_CHECKSUM_AT);
  entry.writeUInt32BE(seal.length, LENGTH_AT);
  entry.write(token(), TOKEN_AT, 'latin1');
  entry.write(seal, SEAL_AT, 'latin1');
  entry.set(payload, end);
  entry.writeUInt32BE(checksum(key, entry, end), CHECKSUM_AT);
  return entry;
}

/**
 * Decodes an entry into views of what was read. Returns `undefined` if a stamp differs from the seal (other than by a
 * later version), and for anything that is not an entry, truncated or damaged.
 *
 * @param replies the entry, then the present stamps
 */
export function decodeEntry(
  key: string,
  replies: readonly (Buffer | null)[],
  address: EntryAddress,
): Decoded | undefined {
  const entry = replies[0];
  if (!entry || entry.length < SEAL_AT || entry.readUInt32BE(0) !== MAGIC) {
    return undefined;
  }
  const end = SEAL_AT + entry.readUInt32BE(LENGTH_AT);
  let at = SEAL_AT;
  let different: number[] | undefined;
  for (let i = 1; i < replies.length; i++) {
    const stamp = replies[i];
    if (!stamp || (i > 1 && entry[at++] !== COMMA)) {
      return undefined;
    }
    if (!startsWith(entry, at, stamp)) {
      different ??= [];
      different.push(i, at);
    }
    at += stamp.length;
  }
  if (at !== end || end > entry.length || entry.readUInt32BE(CHECKSUM_AT) !== checksum(key, entry, end)) {
    return undefined;
  }
  const drifts = different ? driftsOf(entry, different, replies, address) : NO_DRIFTS;
  const payload = entry.subarray(end);
  return drifts && entry.readUInt32BE(PAYLOAD_CHECKSUM_AT) === crc32(payload)
    ? { head: entry.subarray(0, end), payload, drifts }
    : undefined;
}

/** @param head the bytes before an entry's payload */
export function sealOf(head: Buffer): Seal {
  return head.toString('latin1', SEAL_AT);
}

/** False beyond the end of the entry, where bytes are `undefined`. */
function startsWith(entry: Buffer, at: number, stamp: Buffer): boolean {
  for (let i = 0; i < stamp.length; i++) {
    if (entry[at + i] !== stamp[i]) {
      return false;
    }
  }
  return true;
}

/** @param different index of the reply and offset in the entry, for each stamp that has changed */
function driftsOf(
  entry: Buffer,
  different: readonly number[],
  replies: readonly (Buffer | null)[],
  address: EntryAddress,
): Drift[] | undefined {
  const dependencies = dependenciesOf(address);
  const drifts: Drift[] = [];
  for (let i = 0; i < different.length; i += 2) {
    const [reply, at] = [different[i]!, different[i + 1]!];
    const on = dependencies[reply - 1];
    const now = replies[reply]!.toString('latin1');
    const sealed = entry.toString('latin1', at, at + now.length);
    if (!on || !isCounted(on.dependency.scheme) || stepsBetween(sealed, now) === undefined) {
      return undefined;
    }
    drifts.push({ ...on, sealed, at });
  }
  return drifts;
}

/** The bytes before the payload, with later stamps in the seal. These have the same length. */
export function resealed(
  key: string,
  head: Buffer,
  drifts: readonly Drift[],
  stamps: readonly string[],
): Buffer {
  const changed = Buffer.from(head);
  for (const [i, { at }] of drifts.entries()) {
    changed.write(stamps[i]!, at, 'latin1');
  }
  changed.writeUInt32BE(checksum(key, changed, changed.length), CHECKSUM_AT);
  return changed;
}

function checksum(key: string, entry: Buffer, end: number): number {
  return crc32(entry.subarray(PAYLOAD_CHECKSUM_AT, end), crc32(key));
}
