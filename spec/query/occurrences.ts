import type { Occurrence } from '../../lib/query/dependencies.js';
import type { Source } from '../../lib/query/formula.js';
import { embedded } from '../orm/support/embedded.js';

/**
 * The number of references to each table of the embedded database, according to PostgreSQL's own parse tree, which
 * the catalog keeps for a view of the query. `undefined` if the query is rejected.
 */
export async function occurrencesIn(sql: string): Promise<Record<string, number> | undefined> {
  const pglite = await embedded();
  try {
    await pglite.exec(`create view parsed as select 1 as one from (${sql}) as query`);
  } catch {
    return undefined;
  }
  const { rows } = await pglite.query<{ name: string; count: number }>(
    // a range table entry of kind 0 is a relation
    `select c.relname as name, count(*)::int as count
     from pg_rewrite r, regexp_matches(r.ev_action::text, ':rtekind 0 :relid (\\d+)', 'g') as match
     join pg_class c on c.oid = match[1]::oid
     where r.ev_class = 'parsed'::regclass and c.relname <> 'parsed' group by 1 order by 1`,
  );
  await pglite.exec('drop view parsed');
  return Object.fromEntries(rows.map(({ name, count }) => [name, count]));
}

/**
 * The columns of each table that a SELECT uses, according to PostgreSQL: the columns that a view of it depends on.
 * `undefined` if the query is rejected.
 */
export async function columnsIn(sql: string): Promise<Record<string, string[]> | undefined> {
  const pglite = await embedded();
  try {
    await pglite.exec(`create view parsed as select 1 as one from (${sql}) as query`);
  } catch {
    return undefined;
  }
  const { rows } = await pglite.query<{ name: string; columns: string[] }>(
    `select c.relname as name, array_agg(a.attname::text order by a.attname) as columns
     from pg_rewrite r join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid
     join pg_class c on d.refclassid = 'pg_class'::regclass and c.oid = d.refobjid
     join pg_attribute a on a.attrelid = c.oid and a.attnum = d.refobjsubid
     where r.ev_class = 'parsed'::regclass and c.relname <> 'parsed' group by 1 order by 1`,
  );
  await pglite.exec('drop view parsed');
  return Object.fromEntries(rows.map(({ name, columns }) => [name, columns]));
}

/**
 * The occurrences of each table, if the formula has as many sources of it as the SQL has references. Otherwise the
 * formula does not cover one of them, so the table gets a single occurrence without conditions.
 *
 * @param counts the number of references to each table in the SQL
 */
export function occurrencesOf(
  sources: readonly Source[],
  counts: ReadonlyMap<string, number>,
): readonly Occurrence[] {
  return [...counts].flatMap(([table, count]): readonly Occurrence[] => {
    const ofTable = sources.filter(source => source.table === table);
    return ofTable.length === count ? ofTable.map(source => ({ table, source })) : [{ table }];
  });
}
