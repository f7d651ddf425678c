import type { SqlEntityManager } from '@mikro-orm/sql';
import type { Op } from '../config/options.js';
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

const ASK = {
  fetch: (em, entity, where, options) => em.find(entity as never, where as never, options as never),
  get: (em, entity, where, options) => em.findOne(entity as never, where as never, options as never),
  count: (em, entity, where, options) => em.count(entity as never, where as never, options as never),
} satisfies Partial<
  Record<Op, (em: SqlEntityManager, entity: unknown, where: unknown, options: object) => Promise<unknown>>
>;

interface Explained {
  readonly entity: string;
  readonly op: string;
  /** cached by its profile, without a call option */
  readonly isCached: boolean;
  /** why it is not cached by its profile, or not at all */
  readonly reason?: string;
  readonly key?: string;
  readonly dependencies?: readonly string[];
  /** seconds */
  readonly timeout?: number;
  readonly isCachedNow: boolean;
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
  if (!Object.hasOwn(ASK, op)) {
    throw new UsageError(`--op ${op}: give one of ${Object.keys(ASK).join(', ')}.`);
  }
  const entity = entityNamed(name, project.entities);
  const query = {
    where: parseJson(where, 'the condition'),
    options: parseJson(options, '--options') as object,
  };
  const found = await explainQuery(project, entity, op as keyof typeof ASK, query);
  output.answer(found, inWords(found));
}

async function explainQuery(
  { orm, cache, meta, errors }: Project,
  entity: string,
  op: keyof typeof ASK,
  { where, options }: { where: unknown; options: object },
): Promise<Explained> {
  const profile = orm.config.getExtension<Profiles>(PROFILES)!.of(meta(entity));
  if (!profile) {
    const reason = profile === null ? 'its profile is null: never' : 'it has no profile';
    return { entity, op, isCached: false, reason, isCachedNow: false };
  }
  const reads: ReadEvent[] = [];
  cache.events.on('read', read => reads.push(read));
  const em = orm.em.fork() as SqlEntityManager;
  await ASK[op](em, meta(entity).class, where, { ...options, cacheops: { timeout: TIMEOUT } });
  await cache.idle();
  const [failure] = errors;
  if (failure) {
    // it is unknown whether the result is cached now
    throw failure.error;
  }
  const read = reads.find(each => each.entity === entity) ?? reads[0];
  const isInOps = profile.ops.has(op);
  const refusal = read?.key === undefined ? read?.reason : undefined;
  const reason = refusal ?? (isInOps ? undefined : `'${op}' is not among the ops of its profile`);
  return {
    entity,
    op,
    isCached: isInOps && refusal === undefined,
    ...(reason !== undefined && { reason }),
    ...(read?.key !== undefined && { key: read.key, dependencies: read.dependencies ?? [] }),
    timeout: profile.timeout,
    isCachedNow: read?.source === 'cache',
  };
}

function inWords({
  entity,
  op,
  isCached,
  reason,
  key,
  dependencies,
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
    `depends on  ${dependencies!.join('\n            ')}`,
    'It is invalidated when a changed row matches before or after the change.',
  ].join('\n');
}
