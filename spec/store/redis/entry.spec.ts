import { expect } from 'chai';
import fc from 'fast-check';
import { decodeEntry, encodeEntry } from '../../../lib/store/redis/entry.js';
import { articles, category } from '../words.js';

describe('An entry in Redis', () => {
  const STAMPS = ['epoch.aaaa', 'bbbb', 'cccc'];
  const KEY = 'e:key';
  const ADDRESS = articles(category('7'), category('8'));
  const stamp = fc.string({ unit: fc.constantFrom(...'abc-_.'), minLength: 1, maxLength: 6 });
  const stamps = fc.array(stamp, { minLength: 2, maxLength: 6 });
  const payload = fc.uint8Array({ maxLength: 300 });

  const buffers = (texts: readonly string[]) => texts.map(text => Buffer.from(text));
  const decode = (entry: Buffer | null, now: readonly string[] = STAMPS, key = KEY) =>
    decodeEntry(key, [entry, ...buffers(now)], ADDRESS)?.payload;

  it('returns its payload for the stamps that it was sealed with', () => {
    fc.assert(
      fc.property(stamps, payload, (sealed, bytes) => {
        const entry = encodeEntry(KEY, sealed.join(), bytes);
        expect(Buffer.compare(decode(entry, sealed)!, bytes)).to.equal(0);
      }),
    );
  });

  it('is a miss for any other stamps', () => {
    fc.assert(
      fc.property(stamps, stamps, payload, (sealed, now, bytes) => {
        fc.pre(sealed.join() !== now.join());
        expect(decode(encodeEntry(KEY, sealed.join(), bytes), now)).to.equal(undefined);
      }),
      { numRuns: 1000 },
    );
    const entry = encodeEntry(KEY, STAMPS.join(), Buffer.from('payload'));
    expect(decode(entry, STAMPS.slice(0, 2))).to.equal(undefined);
    expect(decode(entry, [...STAMPS, ''])).to.equal(undefined);
    expect(decode(entry, [...STAMPS, 'payload'])).to.equal(undefined);
    expect(decode(entry, ['epoch.aaaa', 'bbbbc', 'ccc'])).to.equal(undefined);
    expect(decode(encodeEntry(KEY, `${STAMPS},`, Buffer.of()), STAMPS)).to.equal(undefined);
    expect(decodeEntry(KEY, [entry, ...buffers(STAMPS.slice(0, 2)), null], ADDRESS)).to.equal(undefined);
  });

  it('is a miss under another key', () => {
    const entry = encodeEntry(KEY, STAMPS.join(), Buffer.from('payload'));
    expect(decode(entry, STAMPS, 'e:another')).to.equal(undefined);
  });

  it('is a miss if any of its bytes has changed', () => {
    const entry = encodeEntry(KEY, STAMPS.join(), Buffer.from('payload'));
    for (let at = 0; at < entry.length; at++) {
      for (let bit = 0; bit < 8; bit++) {
        const changed = Buffer.from(entry);
        changed[at]! ^= 1 << bit;
        expect(decode(changed), `bit ${bit} of byte ${at}`).to.equal(undefined);
      }
    }
  });

  it('is a miss if it was truncated or extended', () => {
    const entry = encodeEntry(KEY, STAMPS.join(), Buffer.from('payload'));
    for (let length = 0; length < entry.length; length++) {
      expect(decode(entry.subarray(0, length))).to.equal(undefined);
    }
    expect(decode(Buffer.concat([entry, Buffer.of(0)]))).to.equal(undefined);
    expect(decode(null)).to.equal(undefined);
  });

  it('is a miss if it has another format', () => {
    const entry = encodeEntry(KEY, STAMPS.join(), Buffer.from('payload'));
    entry[3]! += 1;
    expect(decode(entry)).to.equal(undefined);
  });

  it('may contain any bytes, even those of another entry', () => {
    const start = encodeEntry(KEY, STAMPS.join(), Buffer.of()).subarray(0, 32);
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat(32), (bytes, kept) => {
        const entry = Buffer.concat([start.subarray(0, kept), bytes]);
        expect(decode(entry)).to.equal(undefined);
      }),
      { numRuns: 2000 },
    );
  });
});
