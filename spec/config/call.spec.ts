import { expect } from 'chai';
import { assert, constantFrom, property } from 'fast-check';
import {
  type CallDecision,
  mergeCalls,
  type ParsedCall,
  parseCall,
  requireProfile,
  resolveCall,
} from '../../lib/config/call.js';
import { CacheopsError } from '../../lib/config/error.js';
import type { CallOptions, Op } from '../../lib/config/options.js';
import type { ResolvedProfile } from '../../lib/config/profiles.js';

const profile: ResolvedProfile = { ops: new Set(['get', 'count']), timeout: 60 };
const manual: ResolvedProfile = { ops: new Set(), timeout: 60 };

interface Query {
  op: Op;
  scope?: CallOptions;
  call?: CallOptions;
}

function decide(of: ResolvedProfile | null | undefined, { op, scope, call }: Query): CallDecision {
  const parsed = [scope, call].map(o => (o === undefined ? undefined : parseCall(o, 'here')));
  return resolveCall('User', op, of, parsed[0], parsed[1]);
}

const cached = (timeout: number) => ({ cached: true, timeout });
const bypassed = (reason: string) => ({ cached: false, reason });

describe('resolveCall', () => {
  it('uses the profile if there are no options', () => {
    expect(decide(profile, { op: 'get' })).to.deep.equal(cached(60));
    expect(decide(profile, { op: 'fetch' })).to.deep.equal(bypassed('ops'));
    expect(decide(manual, { op: 'get' })).to.deep.equal(bypassed('ops'));
    expect(decide(null, { op: 'get' })).to.deep.equal(bypassed('never'));
    expect(decide(undefined, { op: 'get' })).to.deep.equal(bypassed('unconfigured'));
  });

  it('goes to the database if the call or the scope says so', () => {
    for (const of of [profile, manual, null, undefined]) {
      expect(decide(of, { op: 'get', call: false })).to.deep.equal(bypassed('call'));
      expect(decide(of, { op: 'get', scope: false })).to.deep.equal(bypassed('scope'));
      expect(decide(of, { op: 'get', scope: true, call: false })).to.deep.equal(bypassed('call'));
    }
  });

  it('caches a call with options, whatever the ops of the profile', () => {
    expect(decide(manual, { op: 'fetch', call: true })).to.deep.equal(cached(60));
    expect(decide(profile, { op: 'fetch', call: true })).to.deep.equal(cached(60));
    expect(decide(manual, { op: 'exists', call: { timeout: 5 } })).to.deep.equal(cached(5));
    expect(decide(manual, { op: 'exists', call: {} })).to.deep.equal(cached(60));
  });

  it('caches a read in a scope with options, whatever the ops of the profile', () => {
    expect(decide(manual, { op: 'fetch', scope: true })).to.deep.equal(cached(60));
    expect(decide(manual, { op: 'fetch', scope: { timeout: 5 } })).to.deep.equal(cached(5));
  });

  it('uses the ops of a call or a scope instead of those of the profile', () => {
    expect(decide(profile, { op: 'count', scope: { ops: ['fetch'] } })).to.deep.equal(bypassed('ops'));
    expect(decide(profile, { op: 'fetch', scope: { ops: ['fetch'] } })).to.deep.equal(cached(60));
    expect(decide(profile, { op: 'get', call: { ops: 'fetch' } })).to.deep.equal(bypassed('ops'));
    expect(decide(profile, { op: 'get', call: { ops: [] } })).to.deep.equal(bypassed('ops'));
  });

  it("each option of the call overrides the scope's", () => {
    const scope = { ops: ['count'], timeout: 30 } as const;
    expect(decide(profile, { op: 'count', scope, call: { timeout: 5 } })).to.deep.equal(cached(5));
    expect(decide(profile, { op: 'get', scope, call: { timeout: 5 } })).to.deep.equal(bypassed('ops'));
    expect(decide(profile, { op: 'get', scope, call: { ops: 'get' } })).to.deep.equal(cached(30));
    expect(decide(profile, { op: 'get', scope, call: true })).to.deep.equal(cached(30));
    expect(decide(profile, { op: 'fetch', scope: false, call: true })).to.deep.equal(cached(60));
    expect(decide(profile, { op: 'fetch', scope: false, call: { timeout: 5 } })).to.deep.equal(cached(5));
    expect(decide(profile, { op: 'fetch', scope: true, call: { timeout: 5 } })).to.deep.equal(cached(5));
  });

  it('takes lock from the innermost options that give it', () => {
    const locked: ResolvedProfile = { ...profile, lock: true };
    expect(decide(locked, { op: 'get' })).to.deep.equal({ cached: true, timeout: 60, lock: true });
    expect(decide(locked, { op: 'get', call: { timeout: 5 } })).to.deep.equal({ ...cached(5), lock: true });
    expect(decide(locked, { op: 'get', call: { lock: false } })).to.deep.equal(cached(60));
    expect(decide(profile, { op: 'get', scope: { lock: true }, call: true })).to.deep.equal({
      ...cached(60),
      lock: true,
    });
    expect(decide(locked, { op: 'get', scope: { lock: false }, call: { lock: true } })).to.deep.equal({
      ...cached(60),
      lock: true,
    });
  });

  it('refuses call options for an entity without a profile', () => {
    for (const call of [true, {}, { timeout: 5 }]) {
      expect(() => decide(undefined, { op: 'get', call })).to.throw(CacheopsError, /^User has no profile/);
      expect(() => decide(null, { op: 'get', call })).to.throw(CacheopsError, /^User is never cached/);
    }
  });

  it('ignores the scope for entities without a profile, which relations may lead to', () => {
    expect(decide(undefined, { op: 'get', scope: true })).to.deep.equal(bypassed('unconfigured'));
    expect(decide(null, { op: 'get', scope: { timeout: 5 } })).to.deep.equal(bypassed('never'));
  });
});

describe('mergeCalls', () => {
  const parsed = constantFrom<ParsedCall | undefined>(
    undefined,
    true,
    false,
    ...[undefined, new Set<Op>(), new Set<Op>(['get', 'count'])].flatMap(ops =>
      [undefined, 5, 6].map(timeout => ({ ops, timeout })),
    ),
  );

  it('gives undefined without any options', () => {
    expect(mergeCalls(undefined, undefined)).to.equal(undefined);
  });

  it('keeps options that only one of them gives', async () => {
    await assert(
      property(parsed, one => {
        expect(mergeCalls(one, undefined)).to.equal(one);
        expect(mergeCalls(undefined, one)).to.equal(one);
      }),
    );
  });

  it('gives the decision of the call within the scope', async () => {
    await assert(
      property(parsed, parsed, constantFrom<Op>('get', 'fetch'), (inner, outer, op) => {
        const apart = resolveCall('User', op, profile, outer, inner);
        const together = resolveCall('User', op, profile, undefined, mergeCalls(inner, outer));
        expect(together.cached).to.equal(apart.cached);
        expect(together.cached && together.timeout).to.equal(apart.cached && apart.timeout);
      }),
    );
  });

  it('is associative', async () => {
    const decisions = (call: ParsedCall | undefined) =>
      (['get', 'fetch'] as const).map(op => resolveCall('User', op, profile, undefined, call));
    // `false` in the middle hides what is outside of it
    const middle = parsed.filter(options => options !== false);
    await assert(
      property(parsed, middle, parsed, (a, b, c) => {
        const [first, last] = [mergeCalls(mergeCalls(a, b), c), mergeCalls(a, mergeCalls(b, c))];
        expect(decisions(first)).to.deep.equal(decisions(last));
      }),
      { numRuns: 2000 },
    );
  });
});

describe('requireProfile', () => {
  it('accepts a profile', () => {
    expect(() => requireProfile('User', manual)).not.to.throw();
  });

  it('throws an error that says how to give a profile', () => {
    expect(() => requireProfile('User', undefined)).to.throw(
      CacheopsError,
      'User has no profile, so that it cannot be cached. Decorate it with @Cached({ ops: [] }), or add ' +
        'profiles: { User: { ops: [] } } to the options: then it is cached when a call asks for it.',
    );
    expect(() => requireProfile('User', null)).to.throw(
      CacheopsError,
      'User is never cached, because its profile is null. Do not ask for it, or give it a profile.',
    );
  });
});

describe('parseCall', () => {
  it('accepts a boolean or a profile', () => {
    expect(parseCall(true, 'here')).to.equal(true);
    expect(parseCall(false, 'here')).to.equal(false);
    expect(parseCall({ ops: 'get', timeout: 5 }, 'here')).to.deep.equal({
      ops: new Set(['get']),
      timeout: 5,
    });
    expect(parseCall({}, 'here')).to.deep.equal({ ops: undefined, timeout: undefined });
  });

  it('refuses other values, and names the place', () => {
    for (const value of [60, 'get', null, undefined, () => true]) {
      expect(() => parseCall(value, 'find(User)')).to.throw(
        CacheopsError,
        /^find\(User\): .* is neither true, false nor an object with ops, timeout and the like\.$/,
      );
    }
    expect(() => parseCall(['get'], 'find(User)')).to.throw(CacheopsError, /^find\(User\): .* is no object/);
    expect(() => parseCall({ ttl: 5 }, 'find(User)')).to.throw(CacheopsError, /there is no option 'ttl'/);
    expect(() => parseCall({ lock: 1 }, 'find(User)')).to.throw(
      'find(User): lock: 1 is neither true nor false.',
    );
    expect(() => parseCall({ timeout: 0 }, 'find(User)')).to.throw(
      CacheopsError,
      /^find\(User\): timeout: 0 /,
    );
    expect(() => parseCall({ ops: ['exist'] }, 'find(User)')).to.throw(
      CacheopsError,
      /Did you mean 'exists'\?/,
    );
  });
});
