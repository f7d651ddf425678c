import { describeBounds } from './conformance/bounds.js';
import { describeEverything } from './conformance/everything.js';
import { describeKeys } from './conformance/keys.js';
import { describeLifetime } from './conformance/lifetime.js';
import { describeLoss } from './conformance/loss.js';
import { describeMany } from './conformance/many.js';
import { describeParallel } from './conformance/parallel.js';
import { describePayloads } from './conformance/payloads.js';
import { describeQuarantine } from './conformance/quarantine.js';
import { describeRandom } from './conformance/random.js';
import { describeSchemes } from './conformance/schemes.js';
import { describeTrails } from './conformance/trails.js';
import { describeWriters } from './conformance/writers.js';
import type { MakeSubject } from './subject.js';

/** What every store promises. */
export function describeStore(name: string, make: MakeSubject): void {
  describe(name, () => {
    describe('payloads', () => describePayloads(make));
    describe('writers in flight', () => describeWriters(make));
    describe('many at once', () => describeMany(make));
    describe('trails', () => describeTrails(make));
    describe('schemes', () => describeSchemes(make));
    describe('everything at once', () => describeEverything(make));
    describe('quarantine', () => describeQuarantine(make));
    describe('loss', () => describeLoss(make));
    describe('lifetime', () => describeLifetime(make));
    describe('bounds', () => describeBounds(make));
    describe('keys', () => describeKeys(make));
    describe('parallel readers and writers', () => describeParallel(make));
    describe('any sequence of events', () => describeRandom(make));
  });
}
