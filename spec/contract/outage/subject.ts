import { MikroORM } from '@mikro-orm/postgresql';
import { type CacheopsOptions, cacheops, getCacheops } from '../../../lib/index.js';
import { until } from '../../support/until.js';
import { sourced, trackReads } from '../processes/open.js';
import { Article, entities } from '../processes/schema.js';

/** An ORM whose store may fail. */
export interface Subject {
  readonly orm: MikroORM;
  /** The version of a row, and whether it came from the cache. */
  look(row: number): Promise<{ version: number; hit: boolean }>;
  /** Writes the next version of a row. */
  bump(row: number): Promise<number>;
  /** Looks until the version comes from the cache. Returns all versions seen until then, in their order. */
  lookUntilHit(row: number): Promise<number[]>;
  /** number of store failures */
  failures(): number;
  close(): Promise<void>;
}

/** So long that only a server that never recovers fails a test. */
const PATIENCE = 20_000;

export async function openSubject(clientUrl: string, options: CacheopsOptions): Promise<Subject> {
  const orm = await MikroORM.init({ clientUrl, entities, extensions: [cacheops(options)] });
  trackReads(orm);

  async function look(row: number) {
    const { answer, hit } = await sourced(() => orm.em.fork().findOneOrFail(Article, row));
    return { version: answer.version, hit };
  }

  return {
    orm,
    look,
    bump: row =>
      orm.em.transactional(async em => {
        const article = await em.findOneOrFail(Article, row, { cacheops: false });
        article.version++;
        await em.flush();
        return article.version;
      }),
    async lookUntilHit(row) {
      const seen: number[] = [];
      await until(
        async () => {
          const { version, hit } = await look(row);
          seen.push(version);
          return hit;
        },
        { timeout: PATIENCE, interval: 20 },
      );
      return seen;
    },
    failures: () => getCacheops(orm).stats().errors,
    close: () => orm.close(),
  };
}
