import { expect } from 'chai';
import sinon from 'sinon';
import { Background } from '../../../lib/orm/context/background.js';
import { DeferredFills } from '../../../lib/orm/reads/deferred_fills.js';

describe('a deferred fill', () => {
  let sent: string[];
  let background: Background;
  let fills: DeferredFills;
  const send = (name: string) => async () => {
    sent.push(name);
  };

  beforeEach(() => {
    sent = [];
    background = new Background(error => {
      throw error;
    });
    fills = new DeferredFills(background.add);
  });

  it('is sent after the caller has its result', async () => {
    void fills.later('a', send('a'));
    await Promise.resolve();
    expect(sent).to.deep.equal([]);
    await background.idle();
    expect(sent).to.deep.equal(['a']);
  });

  it('is sent before its entry is read, and only once', async () => {
    void fills.later('a', send('a'));
    void fills.later('b', send('b'));
    fills.sendNow('b');
    expect(sent).to.deep.equal(['b']);
    await background.idle();
    expect(sent).to.deep.equal(['b', 'a']);
  });

  it('is sent before a later fill of the same entry', async () => {
    void fills.later('a', send('first'));
    void fills.later('a', send('second'));
    await background.idle();
    expect(sent).to.deep.equal(['first', 'second']);
  });

  it('is sent while the application fakes timers, as its tests may do', async () => {
    const clock = sinon.useFakeTimers();
    try {
      void fills.later('a', send('a'));
      await background.idle();
      expect(sent).to.deep.equal(['a']);
    } finally {
      clock.restore();
    }
  });

  it('keeps the background busy until the store has answered', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    let idle = false;
    void fills.later('a', () => promise);
    const waiting = background.idle().then(() => {
      idle = true;
    });
    fills.sendNow('a');
    await new Promise(setImmediate);
    expect(idle).to.equal(false);
    resolve();
    await waiting;
  });
});
