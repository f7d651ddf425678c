import type { RedisServer } from '../../support/redis.js';
import type { Wire } from './wire.js';

/** A Redis of its own, and the wire to it. */
export interface Line {
  readonly server: RedisServer;
  readonly wire: Wire;
}

/** A fault of a store, and its end. */
export interface Outage {
  begin(line: Line): unknown;
  end(line: Line): unknown;
}

function onTheWire(mode: Wire['mode']): Outage {
  return {
    begin: ({ wire }) => {
      wire.mode = mode;
    },
    end: ({ wire }) => {
      wire.mode = 'pass';
    },
  };
}

export const outages: Readonly<Record<string, Outage>> = {
  'is killed, and comes back with its saved data': {
    begin: ({ server }) => server.kill9(),
    end: ({ server }) => server.restart(),
  },
  'is frozen': {
    begin: ({ server }) => process.kill(server.pid, 'SIGSTOP'),
    end: ({ server }) => process.kill(server.pid, 'SIGCONT'),
  },
  stalls: onTheWire('stall'),
  'is cut off': onTheWire('refuse'),
  'answers garbage': onTheWire('garble'),
};
