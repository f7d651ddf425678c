import type { MikroORM } from '@mikro-orm/postgresql';

/** Statements per round trip, which would otherwise take most of the time. */
const TOGETHER = 50;

/**
 * Digests of the database's answers to many statements. Without ORDER BY, the digest ignores the order of rows.
 */
export class Truth {
  readonly #orm: MikroORM;
  readonly #statements: number;

  private constructor(orm: MikroORM, statements: number) {
    this.#orm = orm;
    this.#statements = statements;
  }

  /** @param orm with a single connection, where the statements are prepared */
  static async create(orm: MikroORM, statements: readonly string[]): Promise<Truth> {
    const connection = orm.em.getConnection();
    await connection.execute('set plan_cache_mode = force_generic_plan');
    for (let from = 0; from < statements.length; from += TOGETHER) {
      const parts = statements.slice(from, from + TOGETHER).map((sql, i) => digestOf(sql, from + i));
      await connection.execute(`prepare truth${from} as ${parts.join(' union all ')}`);
    }
    return new Truth(orm, statements.length);
  }

  async digests(): Promise<string[]> {
    const digests: string[] = [];
    for (let from = 0; from < this.#statements; from += TOGETHER) {
      const rows = await this.#orm.em.getConnection().execute(`execute truth${from}`);
      for (const { i, digest } of rows) {
        digests[i] = digest;
      }
    }
    return digests;
  }
}

function digestOf(sql: string, i: number): string {
  const order = sql.includes(' order by ') ? '' : ' order by row::text';
  return `select ${i} as i, (select md5(coalesce(string_agg(row::text, ','${order}), '')) from (${sql}) as row) as digest`;
}
