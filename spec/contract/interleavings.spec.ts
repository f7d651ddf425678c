import { expect } from 'chai';
import type { Cast } from './interleavings/cast.js';
import { CASTS, type CastName, LONG_CASTS } from './interleavings/casts.js';
import { explore } from './interleavings/explore.js';
import { describeFlaw, StaleHit } from './interleavings/flaw.js';
import { Lockstep } from './interleavings/lockstep.js';
import { ModelStore } from './interleavings/model_store.js';
import { allBut, RULES, type Rule } from './interleavings/rules.js';
import { World } from './interleavings/world.js';

/** For each rule, the cast that has a stale hit without it. */
const BROKEN_IN: Record<Rule, CastName> = {
  'lease first': 'two writers, two readers and a crash',
  'seal of the lease': 'two writers, two readers and a crash',
  'locked old row': 'two writers of one row, and two readers',
  'old row': 'two writers of one row, and two readers',
  'new row': 'two writers, a reader and the loss of the registry',
  'mark before COMMIT': 'two writers, two readers and a crash',
  'settle after COMMIT': 'two writers, two readers and a crash',
  'definer marks': 'a definer, a writer, a reader and a crash',
  'catalog leased first': 'a definer, a writer, and two readers, beginning with nothing',
  'catalog compared': 'a definer, a writer, a reader and a crash',
  'catalog compared last': 'a definer, a writer, a reader and a crash',
  'missing is a miss': 'two writers, two readers and a crash',
  'unique stamps': 'a writer, two readers and the loss of anything',
  'mark deletes': 'two writers, two readers and a crash',
  'wide mark deletes': 'a writer of unknown rows, one that inserts, and two readers',
  'record of a writer': 'two writers, two readers and a crash',
  'record of a wide writer': 'a writer of unknown rows, one that inserts, and two readers',
  'unknown schemes': 'two writers, and readers with schemes that were never seen before',
  'forgotten schemes': 'a writer, and two readers with room for one scheme',
  'schemes in use': 'a writer that inserts, and two readers, with room for fewer schemes than a query has',
  'lost registry, lease': 'a writer, two readers and the loss of anything',
  'lost registry, mark': 'a writer, two readers and the loss of anything',
  'quarantine, lease': 'a writer, two readers and the loss of anything',
  'quarantine, mark': 'two writers, a reader and the loss of the registry',
  'lift by nonce': 'a writer, two readers, a crash and the loss of the registry, beginning with nothing',
  'kept when not taken': 'a writer that cannot mark, two readers and a crash',
  'dropped after the end': 'a writer that cannot mark, two readers and a crash',
  'repeated mark': 'a writer that cannot mark, two readers and a crash',
  'untrusted while owed': 'a writer that cannot mark, two readers and a crash',
  'deltas that matter': 'two writers, one with a delta that matters, a reader and a resealer',
  'mark counts': 'two writers, one with a delta that matters, a reader and a resealer',
  'vague mark deletes': 'a writer of unknown deltas, another, and a reader',
  'whole delta log': 'two writers, a reader, a resealer and the loss of a stamp or its delta log',
  'same entry': 'two writers, two readers, and a resealer of what another has filled',
  'seal that was seen': 'two writers, one with a delta that matters, a reader and a resealer',
  'writers before the lookup':
    'two writers whose rows become a pair, and two readers that look up the other row',
  'deltas after the lookup':
    'two writers of a pair and of half a pair, and two readers that look up the other row',
  'same entry after the lookup':
    'three writers whose rows become pairs, a reader, and one that looks up the other row',
  'deltas of joined rows': 'two writers that part a pair, and two readers that look up the other row',
  'fate, not age': 'two writers, two readers and a crash',
  'fate of the newest': 'two writers, two readers and a crash',
  'patient lift': 'a writer, two readers and the loss of anything',
  'wait of its own': 'a writer, two readers and the loss of anything',
};

describe('C1, C2 and C3, for every order of the steps of readers and writers', () => {
  const casts: Record<string, Cast> = process.env.EXPLORE === 'long' ? { ...CASTS, ...LONG_CASTS } : CASTS;

  for (const [name, cast] of Object.entries(casts)) {
    it(`no hit is stale: ${name}`, async function () {
      const { interleavings, hits, flaw } = await explore(() => openOnMemoryStore(cast));

      expect(flaw, describeFlaw(flaw)).to.equal(undefined);
      // a process that never gets an answer gets no stale one
      expect(hits).to.be.greaterThan(0);
      this.test!.title += ` (${interleavings} interleavings)`;
    }).timeout(3_600_000);
  }

  it('merging histories with the same state covers every order', async () => {
    const cast: Cast = { ...CASTS['a writer, two readers and the loss of anything'], readers: [] };
    const oneReader: Cast = { ...cast, readers: cast.cached!.slice(0, 1) };
    const apart = await explore(() => openOnMemoryStore(oneReader), false);
    const merged = await explore(() => openOnMemoryStore(oneReader));

    expect(apart.flaw, describeFlaw(apart.flaw)).to.equal(undefined);
    expect(merged.interleavings).to.equal(apart.interleavings);
    expect(merged.hits).to.be.within(1, apart.hits - 1);
  }).timeout(600_000);

  for (const rule of Object.keys(RULES) as Rule[]) {
    it(`a hit can be stale unless ${RULES[rule]}`, async () => {
      const { interleavings, flaw } = await explore(() =>
        openOnModel({ ...CASTS, ...LONG_CASTS }[BROKEN_IN[rule]], rule),
      );

      expect(flaw?.error, `${interleavings} interleavings, ${describeFlaw(flaw)}`).to.be.instanceOf(StaleHit);
    }).timeout(600_000);
  }
});

function openOnMemoryStore(cast: Cast): Promise<World> {
  return World.open(cast, new Lockstep(cast.maxSchemes), allBut());
}

function openOnModel(cast: Cast, broken: Rule): Promise<World> {
  const keeps = allBut(broken);
  return World.open(cast, new ModelStore(keeps, cast.maxSchemes), keeps);
}
