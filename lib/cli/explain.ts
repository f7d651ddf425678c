import type { SqlEntityManager } from '@mikro-orm/sql';
import type { Op } from '../config/options.js';
import type { ResolvedProfile } from '../config/profiles.js';
import type { ReadEvent } from '../observability/events.js';
import { PROFILES } from '../orm/context/extension_keys.js';
import type { Profiles } from '../orm/planning/profiles.js';
import type { Output } from './output.js';
import type { Project } from './project.js';
import { parseJson } from './row_key.js';
import { entityNamed } from './targets.js';
import { UsageError } from './usage.js';

/** Timeout of the result that the query itself stores, in seconds. */
const TIMEOUT = 1;

type Ask = (em: SqlEntityManager, entity: never, where: never, options: never) => Promise<unknown>;

const ASK: Readonly<Record<Op, Ask>> = {
  fetch: (em, entity, where, options) => em.find(entity, where, options),
  get: (em, entity, where, options) => em.findOne(entity, where, options),
  count: (em, entity, where, options) => em.count(entity, where, options),
  exists: (em, entity, where, options) => em.exists(entity, where, options),
  aggregate: (em, entity, where, { groupBy, ...options }: { groupBy: never }) =>
    em.countBy(entity, groupBy, { ...options, where }),
};

/** What became of one read. */
interface Explained {
  readonly entity: string;
  readonly op: string;
  /** cached by its profile, without a call option */
  readonly isCached: boolean;
  /** why it is not cached by its profile, or not at all */
  readonly reason?: string;
  readonly key?: string;
  readonly dependencies?: readonly string[];
  /** see `ReadEvent.checks` */
  readonly checks?: readonly string[];
  /** seconds */
  readonly timeout?: number;
  readonly isCachedNow: boolean;
}

/** The query, and the reads that populate its result. */
interface Answer extends Explained {
  readonly populates: readonly Explained[];
}

/** @throws the store's error if it could not be reached */
export async function explain(
  project: Project,
  [name, where = '{}', ...rest]: readonly string[],
  { op = 'fetch', options = '{}' }: { op?: string | undefined; options?: string | undefined },
  output: Output,
): Promise<void> {
  if (name === undefined || rest.length > 0) {
    throw new UsageError(`explain: give an entity and a condition, as in explain Article '{"category":7}'.`);
  }
  if (!isOp(op)) {
    throw new UsageError(`--op ${op}: give one of ${Object.keys(ASK).join(', ')}.`);
  }
  const entity = entityNamed(name, project.entities);
  const query = {
    where: parseJson(where, 'the condition'),
    options: parseJson(options, '--options') as object,
  };
  if (op === 'aggregate' && !('groupBy' in query.options)) {
    throw new UsageError(`--op aggregate: give --options '{"groupBy":"category"}', as of em.countBy().`);
  }
  const found = await explainQuery(project, entity, op, query);
  output.answer(
    found,
    [inWords(found), ...found.populates.map(each => `\nand populates with\n${inWords(each)}`)].join('\n'),
  );
}

function isOp(op: string): op is Op {
  return Object.hasOwn(ASK, op);
}

async function explainQuery(
  { orm, cache, meta, errors }: Project,
  entity: string,
  op: Op,
  { where, options }: { where: unknown; options: object },
): Promise<Answer> {
  const profiles = orm.config.getExtension<Profiles>(PROFILES)!;
  const reads: ReadEvent[] = [];
  if (profiles.of(meta(entity))) {
    cache.events.on('read', read => reads.push(read));
    const em = orm.em.fork() as SqlEntityManager;
    const given = { ...options, cacheops: { timeout: TIMEOUT } };
    await ASK[op](em, meta(entity).class as never, where as never, given as never);
    await cache.idle();
  }
  const [failure] = errors;
  if (failure) {
    // it is unknown whether the result is cached now
    throw failure.error;
  }
  const main = reads.find(read => read.entity === entity && read.op === op) ?? reads[0];
  const explain = (read: Pick<ReadEvent, 'entity' | 'op'> & Partial<ReadEvent>) =>
    explained(read, profiles.of(meta(read.entity)));
  return {
    ...explain(main ?? { entity, op }),
    populates: reads.filter(read => read !== main).map(explain),
  };
}

function explained(
  {
    entity,
    op,
    key,
    source,
    reason,
    dependencies = [],
    checks = [],
  }: Pick<ReadEvent, 'entity' | 'op'> & Partial<ReadEvent>,
  profile: ResolvedProfile | null | undefined,
): Explained {
  if (!profile) {
    const reason = profile === null ? 'its profile is null: never' : 'it has no profile';
    return { entity, op, isCached: false, reason, isCachedNow: false };
  }
  const isInOps = profile.ops.has(op as Op);
  const refusal = key === undefined ? reason : undefined;
  const why = refusal ?? (isInOps ? undefined : `'${op}' is not among the ops of its profile`);
  return {
    entity,
    op,
    isCached: isInOps && refusal === undefined,
    ...(why !== undefined && { reason: why }),
    ...(key !== undefined && { key, dependencies, checks }),
    timeout: profile.timeout,
    isCachedNow: source === 'cache',
  };
}

function inWords({
  entity,
  op,
  isCached,
  reason,
  key,
  dependencies,
  checks,
  timeout,
  isCachedNow,
}: Explained): string {
  if (key === undefined) {
    return `${op} of ${entity} is not cached: ${reason}.`;
  }
  return [
    isCached
      ? `${op} of ${entity} is cached for up to ${timeout} s.`
      : `${op} of ${entity} is cached only when a call asks for it: ${reason}.`,
    `now         ${isCachedNow ? 'in the cache' : 'not in the cache'}`,
    `key         ${key}`,
    ...listed('depends on', dependencies!),
    ...listed('checks', checks!),
    'It is invalidated when a changed row matches before or after the change.',
    ...(checks!.length > 0
      ? ['Of changed rows, what is listed under checks is compared when it is read again.']
      : []),
  ].join('\n');
}

function listed(title: string, lines: readonly string[]): string[] {
  return lines.map((line, i) => `${(i === 0 ? title : '').padEnd(12)}${line}`);
}
