import { crc32 } from 'node:zlib';

/*
 * A file, as bytes:
 *
 *   0  magic, the last byte of which is the version of this format
 *   4  CRC-32 of all that follows
 *   8  length of the key in bytes
 *  12  key (UTF-16), then payload
 *
 * The time when it expires is its time of modification.
 */
const MAGIC = 0x9cac_f101;
const CHECKSUM_AT = 4;
const LENGTH_AT = 8;
const HEADER_SIZE = 12;
export const MAGIC_SIZE = 4;

/**
 * Whether a file has the magic number of any version of this format, or only zeros, as after a loss of power.
 *
 * @param start its first {@link MAGIC_SIZE} bytes, or fewer if it is shorter
 */
export function isOwnFile(start: Buffer): boolean {
  return (
    start.every(byte => byte === 0) ||
    (start.length >= MAGIC_SIZE && (start.readUInt32BE(0) ^ MAGIC) >>> 8 === 0)
  );
}

export function encodeFile(key: string, payload: Uint8Array): Buffer {
  const name = Buffer.from(key, 'utf16le');
  const file = Buffer.allocUnsafe(HEADER_SIZE + name.length + payload.byteLength);
  file.writeUInt32BE(MAGIC, 0);
  file.writeUInt32BE(name.length, LENGTH_AT);
  file.set(name, HEADER_SIZE);
  file.set(payload, HEADER_SIZE + name.length);
  file.writeUInt32BE(crc32(file.subarray(LENGTH_AT)), CHECKSUM_AT);
  return file;
}

/** The payload, if the file is undamaged and was written for this key. */
export function decodeFile(key: string, file: Buffer): Buffer | undefined {
  if (file.length < HEADER_SIZE || file.readUInt32BE(0) !== MAGIC) {
    return undefined;
  }
  if (file.readUInt32BE(CHECKSUM_AT) !== crc32(file.subarray(LENGTH_AT))) {
    return undefined;
  }
  const end = HEADER_SIZE + file.readUInt32BE(LENGTH_AT);
  const name = file.subarray(HEADER_SIZE, end);
  return name.equals(Buffer.from(key, 'utf16le')) ? file.subarray(end) : undefined;
}
