import { randomFillSync } from 'node:crypto';

const BYTES = 12;
/** One call for many tokens, because the call takes most of the time. */
const pool = Buffer.allocUnsafe(BYTES * 256);
let used = pool.length;

/** Ninety-six random bits, as sixteen characters that never need escaping. */
export function token(): string {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += BYTES;
  return pool.toString('base64url', used - BYTES, used);
}
