import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { quietClient } from '../../store/redis/support.js';
import { type RedisServer, startRedis } from '../../support/redis.js';
import { until } from '../../support/until.js';
import { actions } from '../processes/actions.js';
import type { Audit } from '../processes/audit.js';
import type { Child } from '../processes/child.js';
import type { Place } from '../processes/open.js';
import { prepare, type Setting } from '../processes/setting.js';
import type { Rule } from './broken.js';
import { type Fault, Findings } from './fault.js';
import { startPair } from './losses.js';
import { pick, type Random } from './random.js';
import { loseAnswerOfCommit, portOf, type Relay, startRelay, through } from './relay.js';

/**
 * Everything is cached; each row is written once while the store is disturbed; the store recovers; then every answer is
 * compared with the database before any further write. Later writes of the same rows would hide a lost invalidation.
 */

const ROWS = [1, 2, 3, 4];
const PATIENCE = { timeout: 60_000, interval: 20 };

/** Store timeout, and the pause after a failure, in milliseconds. */
const STORE = { storeTimeout: 300, retryAfter: 1000 };

interface Line {
  readonly server: RedisServer;
  /** the writer's connection to Redis */
  readonly relay: Relay;
  /** used by the test only, not by the processes */
  readonly client: Redis;
}

interface Disturbance {
  begin(line: Line): unknown;
  end(line: Line): unknown;
}

const onTheWay = (interfere: (relay: Relay) => NonNullable<Relay['interfere']>): Disturbance => ({
  begin: ({ relay }) => {
    relay.interfere = interfere(relay);
  },
  end: ({ relay }) => {
    relay.interfere = undefined;
    relay.cut(); // swallowed messages never get an answer
  },
});

const configured = (name: string, value: string, usual: string): Disturbance => ({
  begin: ({ client }) => client.config('SET', name, value),
  end: ({ client }) => client.config('SET', name, usual),
});

const CUT: Disturbance = {
  begin: ({ relay }) => {
    relay.closed = true;
    relay.cut();
  },
  end: ({ relay }) => {
    relay.closed = false;
  },
};

const disturbances: Readonly<Record<string, Disturbance>> = {
  'Redis is killed, and comes back with its saved data': {
    begin: ({ server }) => server.kill9(),
    end: ({ server }) => server.restart(),
  },
  'Redis is frozen': {
    begin: ({ server }) => process.kill(server.pid, 'SIGSTOP'),
    end: ({ server }) => process.kill(server.pid, 'SIGCONT'),
  },
  'the connection to Redis is cut': CUT,
  'the connection to Redis loses all messages': onTheWay(() => () => undefined),
  'the connection to Redis is cut by each script': onTheWay(relay => ({ data }) => {
    if (/eval/i.test(data.toString('latin1'))) {
      relay.cut();
      return undefined;
    }
    return data;
  }),
  'Redis has no memory left': configured('maxmemory', '1', '0'),
  'Redis lacks the replicas that it needs': configured('min-replicas-to-write', '1', '0'),
  'Redis is read-only': {
    begin: ({ client }) => client.replicaof('127.0.0.1', 1),
    end: ({ client }) => client.replicaof('NO', 'ONE'),
  },
  'Redis forbids scripts': {
    begin: ({ client }) => client.call('ACL', 'SETUSER', 'default', '-eval', '-evalsha'),
    end: ({ client }) => client.call('ACL', 'SETUSER', 'default', '+eval', '+evalsha'),
  },
  'scripts are flushed, and registries are replaced by other values': {
    begin: async ({ client }) => {
      await client.script('FLUSH');
      const [registry, ...others] = (await client.keys('*@cacheops:t:*')).sort();
      await client.set(registry!, 'another thing');
      await Promise.all(others.map(key => client.hset(key, 'schemes', '', 'everything', 'another thing')));
    },
    end: () => {},
  },
};

/** How the writing process ends. */
type Ending = (cast: Cast, disturbed: (write: () => Promise<unknown>) => Promise<void>) => Promise<void>;

interface Cast {
  readonly setting: Setting;
  readonly line: Line;
  readonly writer: Child;
  readonly reader: Child;
  readonly random: Random;
  readonly way: Partial<Place>;
}

/** With `throw`, a write may be refused. */
const writeAll = ({ writer, random }: Cast) =>
  Promise.all(
    ROWS.map(row => writer.do('alter', pick(random, Object.keys(actions)), row).catch(() => undefined)),
  );

const goesOn: Ending = async (cast, disturbed) => {
  await disturbed(() => writeAll(cast));
  await until(() => cast.writer.do('ping'), PATIENCE);
};

const isClosed: Ending = async (cast, disturbed) => {
  await disturbed(() => writeAll(cast));
  await cast.writer.do('close');
};

const prepares: Ending = async (cast, disturbed) => {
  const { writer, reader } = cast;
  const names = ROWS.map(() => randomUUID());
  await disturbed(() =>
    Promise.all(ROWS.map((row, i) => writer.do('prepare', names[i], row).catch(() => undefined))),
  );
  await writer.do('close');
  await reader.do('audit', ROWS); // the reader fills before the transactions are decided
  await Promise.all(names.map(name => cast.setting.do('decide', name).catch(() => undefined)));
};

/** Another process than the one that prepared them, because any may decide. */
const decides: Ending = async (cast, disturbed) => {
  const { writer, reader, setting } = cast;
  const names = ROWS.map(() => randomUUID());
  await Promise.all(ROWS.map((row, i) => setting.do('prepare', names[i], row)));
  await disturbed(async () => {
    await reader.do('audit', ROWS);
    await Promise.all(names.map(name => writer.do('decide', name)));
  });
  await until(() => writer.do('ping'), PATIENCE);
};

const losesAnswers: Ending = async (cast, disturbed) => {
  const { database } = cast.setting.place;
  await using relay = await startRelay(portOf(database));
  await using writer = await cast.setting.child({ ...cast.way, database: through(relay, database) });
  await until(() => writer.do('ping'), PATIENCE);
  await disturbed(async () => {
    loseAnswerOfCommit(relay);
    await writer.do('alter', 'move to another category', ROWS[0]).catch(() => undefined);
  });
  await writer.do('close');
};

/** The invalidation arrives, and is lost before the transaction is decided. */
const isFlushed: Ending = async (cast, disturbed) => {
  const { writer, reader, line } = cast;
  const names = ROWS.map(() => randomUUID());
  await disturbed(async () => {
    await Promise.all(ROWS.map((row, i) => writer.do('prepare', names[i], row)));
    await line.client.flushall();
  });
  await reader.do('audit', ROWS);
  await reader.do('audit', ROWS);
  await Promise.all(names.map(name => cast.setting.do('decide', name)));
};

const NOTHING: Disturbance = { begin: () => {}, end: () => {} };

const fault = (
  name: string,
  disturbance: Disturbance,
  ending: Ending,
  breakable: readonly Rule[],
  short: number,
): Fault => ({
  name,
  tries: { long: 20, short },
  breakable,
  run: (tries, random, broken) => write(tries, random, disturbance, ending, broken),
});

export const deliveries: readonly Fault[] = [
  ...Object.entries(disturbances).map(([name, disturbance]) =>
    fault(
      `each row is written once while ${name}`,
      disturbance,
      goesOn,
      rulesFor(name),
      Number(disturbance === CUT),
    ),
  ),
  fault(
    'a process writes while its connection to Redis is cut, and is closed',
    CUT,
    isClosed,
    ['kept', 'delivered at the end'],
    1,
  ),
  fault(
    'a process prepares transactions while its connection to Redis is cut, and is closed',
    CUT,
    prepares,
    ['kept', 'repeated', 'delivered at the end'],
    1,
  ),
  fault(
    'a process loses the answer to COMMIT while its connection to Redis is cut, and is closed',
    CUT,
    losesAnswers,
    ['kept', 'repeated', 'delivered at the end'],
    1,
  ),
  fault('a process decides prepared transactions while its connection to Redis is cut', CUT, decides, [], 1),
  fault('FLUSHALL while transactions are prepared', NOTHING, isFlushed, ['quarantine'], 1),
  {
    name: 'each row is written once while a replica lags, and the replica is promoted',
    tries: { long: 10, short: 0 },
    breakable: ['epoch'],
    run: promote,
  },
];

/** The rules whose breach this fault shows: it must keep marks from arriving, and leave the server's state. */
function rulesFor(name: string): readonly Rule[] {
  return name.startsWith('the connection') || name.includes('frozen') || name.includes('forbids')
    ? ['kept', 'not trusted']
    : [];
}

async function write(
  tries: number,
  random: Random,
  { begin, end }: Disturbance,
  ending: Ending,
  broken: Rule | undefined,
): Promise<Findings> {
  const findings = new Findings();
  await using server = await startRedis(['--appendonly', 'yes', '--appendfsync', 'always']);
  await using relay = await startRelay(server.port);
  const client = quietClient(server.url);
  const line: Line = { server, relay, client };
  for (let i = 0; i < tries; i++) {
    const onStoreFailure = i % 2 === 0 ? 'degrade' : 'throw';
    await using setting = await prepare(ROWS.length, { redis: server.url, ...STORE, onStoreFailure, broken });
    const way = { redis: `redis://127.0.0.1:${relay.port}` };
    const [writer, reader] = await Promise.all([setting.child(way), setting.child()]);
    await cacheAll(writer, reader);
    await ending({ setting, line, writer, reader, random, way }, async use => {
      await begin(line);
      try {
        await use();
      } finally {
        await end(line);
      }
    });
    await auditAll(reader, findings);
    findings.tries++;
  }
  client.disconnect();
  return findings;
}

async function cacheAll(...children: readonly Child[]): Promise<void> {
  for (const child of children) {
    await until(async () => {
      const { reads, hits } = await child.do<Audit>('audit', ROWS);
      return hits === reads;
    }, PATIENCE);
  }
}

/** The first pass finds entries that survived; the second finds those stored since. */
async function auditAll(reader: Child, findings: Findings): Promise<void> {
  findings.add(await reader.do<Audit>('audit', ROWS), true);
  await until(() => reader.do('ping'), PATIENCE);
  findings.add(await reader.do<Audit>('audit', ROWS), true);
}

async function promote(tries: number, _random: Random, broken?: Rule): Promise<Findings> {
  const findings = new Findings();
  await using pair = await startPair();
  await using toMaster = await startRelay(pair.master.port);
  for (let i = 0; i < tries; i++) {
    await using setting = await prepare(ROWS.length, {
      redis: `redis://127.0.0.1:${toMaster.port}`,
      ...STORE,
      broken,
    });
    const [writer, reader] = await Promise.all([setting.child(), setting.child()]);
    await cacheAll(writer, reader);
    pair.fallBehind();
    await Promise.all(ROWS.map(row => writer.do('alter', 'move to another category', row)));
    await pair.master.kill9();
    await pair.client.replicaof('NO', 'ONE');
    toMaster.target = pair.replica.port;
    toMaster.cut();
    await until(() => reader.do('ping'), PATIENCE);
    await auditAll(reader, findings);
    await pair.swapRoles();
    findings.tries++;
  }
  return findings;
}
