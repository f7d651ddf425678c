import { MikroORM, type PgliteConnection } from '@mikro-orm/pglite';

type Pglite = Awaited<ReturnType<PgliteConnection['getNativeClient']>>;

let owner: Promise<MikroORM> | undefined;

/** One PostgreSQL for all ORMs of this process, started on first use, which takes a second or two. */
export async function embedded(): Promise<Pglite> {
  owner ??= MikroORM.init({ entities: [], discovery: { warnWhenNoEntities: false } });
  const connection = (await owner).em.getConnection() as PgliteConnection;
  return connection.getNativeClient();
}

/** The same without any objects, and with the settings of a new session. */
export async function emptyEmbedded(): Promise<Pglite> {
  const pglite = await embedded();
  const { rows } = await pglite.query<{ name: string }>(
    `select nspname as name from pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema'`,
  );
  const drops = rows.map(({ name }) => `drop schema "${name}" cascade;`).join('');
  await pglite.exec(`reset all; reset role; ${drops} create schema public`);
  return pglite;
}
