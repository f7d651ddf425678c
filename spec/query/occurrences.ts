import { embedded } from '../orm/support/embedded.js';

/**
 * How often a SELECT names each table of the embedded database, as the database itself has parsed it: the query's
 * tree is kept in the catalog if one makes a view of it. `undefined` if it does not accept the query.
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
 * The columns of each table that a SELECT has to do with, as the database itself has parsed it: they are what a view
 * of it would depend on. `undefined` if it does not accept the query.
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
