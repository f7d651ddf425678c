import { defineEntity, p } from '@mikro-orm/core';
import { type EntityManager, MikroORM } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import { cacheops, type ErrorEvent, getCacheops, MemoryStore } from '../../../lib/index.js';
import { DEFINITIONS_CHECK, SERVER, TABLES } from '../../../lib/orm/catalog/catalog_queries.js';
import { LACKING } from '../../../lib/orm/catalog/rights.js';
import { freshDatabase } from '../../support/servers.js';
import { sourcesOf } from '../support/observe.js';

const cached = { ops: 'all', timeout: 60 } as const;

const Shelf = defineEntity({
  name: 'Shelf',
  cacheops: cached,
  properties: {
    id: p.integer().primary(),
    name: p.string(),
    price: p.decimal().nullable(),
    at: p.datetime(),
  },
});
const Book = defineEntity({
  name: 'Book',
  cacheops: cached,
  properties: {
    id: p.integer().primary(),
    title: p.string(),
    shelf: () => p.manyToOne(Shelf).deleteRule('cascade'),
  },
});
const entities = [Shelf, Book];

/** Rights, and the questions that need them. */
const FUNCTIONS = [
  'array_to_json(anyarray)',
  'concat_ws(text, "any")',
  'count()',
  'current_database()',
  'current_schemas(boolean)',
  'current_setting(text)',
  'encode(bytea, text)',
  'extract(text, timestamp with time zone)',
  'format_type(oid, integer)',
  'getdatabaseencoding()',
  'has_any_column_privilege(oid, text)',
  'has_function_privilege(oid, text)',
  'has_schema_privilege(text, text)',
  'has_table_privilege(oid, text)',
  'has_table_privilege(text, text)',
  'json_agg(anyelement)',
  'json_array_element_text(json, integer)',
  'json_array_elements(json)',
  'json_build_array("any")',
  'json_build_object("any")',
  'json_object_agg("any", "any")',
  'max(oid)',
  'now()',
  'pg_advisory_unlock_shared(integer, integer)',
  'pg_control_system()',
  'pg_current_snapshot()',
  'pg_current_xact_id()',
  'pg_get_function_sqlbody(oid)',
  'pg_get_viewdef(oid)',
  'pg_lock_status()',
  'pg_my_temp_schema()',
  'pg_show_all_settings()',
  'pg_snapshot_xmax(pg_snapshot)',
  'pg_try_advisory_lock_shared(integer, integer)',
  'pg_xact_status(xid8)',
  'statement_timestamp()',
  'string_agg(text, text)',
  'to_json(anyelement)',
  'to_jsonb(anyelement)',
  'to_regprocedure(text)',
  'unnest(anyarray)',
];
const RELATIONS = [
  'pg_locks',
  'pg_settings',
  'pg_class',
  'pg_proc',
  'pg_trigger',
  'pg_attribute',
  'pg_database',
];
const REVOKED = [
  ...FUNCTIONS.map(name => `execute on function pg_catalog.${name}`),
  ...RELATIONS.map(name => `select on pg_catalog.${name}`),
];

/** Reads and writes of an application, with their results. */
async function use(orm: MikroORM): Promise<unknown[]> {
  const seen: unknown[] = [];
  const see = async (run: (em: EntityManager) => Promise<unknown>) => {
    const result = await run(orm.em.fork()).catch((error: Error) => `throws ${error.message}`);
    seen.push(JSON.parse(JSON.stringify(result ?? null)));
  };
  // the catalog is read in a transaction, which must not fail
  await see(em => em.transactional(inner => inner.find(Shelf, {}, { orderBy: { id: 1 } })));
  await see(em => em.find(Book, { shelf: { name: 'a' } }, { orderBy: { id: 1 }, populate: ['shelf'] }));
  await see(em => em.count(Book, { shelf: 1 }));
  await see(em =>
    em.transactional(async inner => {
      (await inner.findOneOrFail(Book, 1)).title = 'changed';
      await inner.flush();
      return inner.count(Book, { title: 'changed' });
    }),
  );
  await see(em => em.nativeUpdate(Shelf, { id: 2 }, { name: 'b2', price: '1.5' }));
  await see(em => em.upsert(Book, { id: 9, title: 'new', shelf: 2 }).then(({ id }) => id));
  await see(em => em.insert(Book, { id: 10, title: 'newer', shelf: 2 }));
  await see(em => em.nativeDelete(Shelf, { id: 1 }));
  await see(em => em.execute('update book set title = ? where id = 10', ['raw'], 'run').then(() => 'done'));
  await see(em =>
    em.execute(`do $$ begin update book set title = 'twice' where id = 9; end $$`).then(() => 'done'),
  );
  await see(em =>
    em.execute(`set application_name = 'x'; set search_path = "$user", public`).then(() => 'done'),
  );
  await see(em => em.createQueryBuilder(Book).where({ shelf: 2 }).orderBy({ id: 1 }).getResult());
  await see(em => em.find(Book, {}, { orderBy: { id: 1 } }));
  return seen;
}

describe('A role', function () {
  this.timeout(120_000);
  const role = `cacheops_app_${crypto.randomUUID().slice(0, 8)}`;
  let owner: MikroORM;
  let plain: MikroORM;
  let store: MemoryStore;
  let appUrl: string;
  let ownerUrl: string;

  before(async () => {
    ownerUrl = await freshDatabase('rights');
    appUrl = Object.assign(new URL(ownerUrl), { username: role, password: 'app' }).href;
    store = new MemoryStore();
    owner = await MikroORM.init({ clientUrl: ownerUrl, entities, extensions: [cacheops({ store })] });
    await owner.em.execute(`create role ${role} login password 'app'`);
    await owner.schema.create();
    plain = await MikroORM.init({ clientUrl: appUrl, entities });
  });

  beforeEach(async () => {
    await owner.em.execute('truncate shelf cascade');
    await owner.em.execute(`insert into shelf values (1, 'a', 1, '2024-01-01'), (2, 'b', 2, '2024-01-01')`);
    await owner.em.execute(`insert into book values (1, 'one', 1), (2, 'two', 2)`);
    await owner.em.execute(`grant select, insert, update, delete on shelf, book to ${role}`);
    await getCacheops(owner).idle();
  });

  after(async () => {
    await plain.close();
    await owner.em.execute(`drop owned by ${role}`);
    await owner.em.execute(`drop role ${role}`);
    await owner.close();
    await store.close();
  });

  /** An ORM of the application's role, and the errors of its cache. */
  async function startApp(): Promise<{ orm: MikroORM; errors: ErrorEvent[]; warnings: string[] }> {
    const warnings: string[] = [];
    const orm = await MikroORM.init({
      clientUrl: appUrl,
      entities,
      extensions: [cacheops({ store })],
      ensureDatabase: false, // the ORM would read the catalog itself
      debug: ['info'],
      colors: false,
      logger: message => warnings.push(message),
    });
    warnings.length = 0;
    const errors: ErrorEvent[] = [];
    getCacheops(orm).events.on('error', error => errors.push(error));
    return { orm, errors, warnings };
  }

  const owned = () => owner.em.fork().find(Book, {}, { orderBy: { id: 1 } });
  const titles = async () => (await owned()).map(({ title }) => title);

  async function expectedOf(): Promise<unknown[]> {
    // rolled back, so that the next test begins with the same rows
    const expected = await use(plain);
    await owner.em.execute('truncate shelf cascade');
    await owner.em.execute(`insert into shelf values (1, 'a', 1, '2024-01-01'), (2, 'b', 2, '2024-01-01')`);
    await owner.em.execute(`insert into book values (1, 'one', 1), (2, 'two', 2)`);
    return expected;
  }

  it('needs only rights to read and write its tables', async () => {
    const expected = await expectedOf();
    const { orm, errors, warnings } = await startApp();
    expect(await use(orm)).to.deep.equal(expected);
    const cache = getCacheops(orm);
    await sourcesOf(cache, () => orm.em.fork().find(Shelf, { name: 'b2' }));
    expect(await sourcesOf(cache, () => orm.em.fork().find(Shelf, { name: 'b2' }))).to.deep.equal(['cache']);
    expect([errors, warnings]).to.deep.equal([[], []]);
    await orm.close();
  });

  for (const right of REVOKED) {
    it(`gets a warning instead of an error, and its writes are seen, without the right: ${right}`, async () => {
      await owner.em.execute(`revoke ${right} from public`);
      try {
        const expected = await expectedOf();
        await titles();
        await getCacheops(owner).idle();
        const { orm, errors, warnings } = await startApp();
        expect(await use(orm)).to.deep.equal(expected);
        expect(await titles()).to.deep.equal(['two', 'twice', 'raw']);
        await getCacheops(orm).idle();
        expect(errors.map(({ operation }) => operation)).to.deep.equal(['catalog']);
        expect(warnings).to.have.length(1);
        expect(warnings[0]).to.match(/GRANT (EXECUTE|SELECT) ON|permission denied/);
        expect(
          await sourcesOf(getCacheops(orm), () => orm.em.fork().find(Book, {}, { orderBy: { id: 1 } })),
        ).to.deep.equal(['a role that lacks rights on the catalog']);
        await orm.close();
      } finally {
        await owner.em.execute(`grant ${right} to public`);
      }
    });
  }

  it('writes as before after a text that ends its transaction, if the right to ask about that was revoked', async () => {
    const { orm } = await startApp();
    await orm.em.fork().find(Book, {});
    const right = 'execute on function pg_catalog.statement_timestamp()';
    await owner.em.execute(`revoke ${right} from public`);
    try {
      await orm.em.fork().execute(`begin; update book set title = 'text' where id = 1; commit`);
      expect(await titles()).to.deep.equal(['text', 'two']);
      await getCacheops(owner).idle();
      await orm.em.fork().nativeUpdate(Book, { id: 2 }, { title: 'native' });
      expect(await titles()).to.deep.equal(['text', 'native']);
    } finally {
      await owner.em.execute(`grant ${right} to public`);
      await orm.close();
    }
  });

  it('needs for COMMIT only functions whose rights are known before', () => {
    const called = (sql: string) =>
      new Set([...sql.matchAll(/pg_catalog\.(\w+)\(/g)].map(([, name]) => name!));
    // a missing right shows when the catalog is read
    const known = called(SERVER + TABLES);
    const others = [...called(DEFINITIONS_CHECK.sql)].filter(name => !known.has(name));
    expect(others.filter(name => !LACKING.includes(`'${name}(`))).to.deep.equal([]);
  });

  it('caches after the GRANTs of the warning', async () => {
    await owner.em.execute('revoke execute on function pg_control_system() from public');
    const { orm, warnings } = await startApp();
    await orm.em.fork().find(Book, {});
    const [, grant] = /(GRANT EXECUTE ON FUNCTION pg_control_system\(\) TO .*)$/.exec(warnings[0]!)!;
    await orm.close();
    await owner.em.execute(grant!);
    const again = await startApp();
    const find = () => again.orm.em.fork().find(Book, {});
    await sourcesOf(getCacheops(again.orm), find);
    expect(await sourcesOf(getCacheops(again.orm), find)).to.deep.equal(['cache']);
    expect(again.warnings).to.deep.equal([]);
    await again.orm.close();
    await owner.em.execute('grant execute on function pg_control_system() to public');
  });

  for (const [name, grants, write] of [
    [
      'UPDATE of a column, SELECT of others',
      ['select (id), update (title) on book'],
      (em: EntityManager) => em.nativeUpdate(Book, { id: 2 }, { title: 'changed' }),
    ],
    [
      'INSERT alone',
      ['insert on book'],
      (em: EntityManager) => em.execute(`insert into book values (7, 'seven', 2)`),
    ],
    [
      'DELETE, and SELECT of the key',
      ['select (id), delete on book'],
      (em: EntityManager) => em.nativeDelete(Book, { id: 2 }),
    ],
    [
      'DELETE of what others refer to, without a right on these',
      ['select, delete on shelf'],
      (em: EntityManager) => em.nativeDelete(Shelf, { id: 2 }),
    ],
    [
      'SELECT and INSERT, and no UPDATE',
      ['select, insert on book'],
      (em: EntityManager) => em.insert(Book, { id: 8, title: 'eight', shelf: 1 }),
    ],
  ] as const) {
    it(`needs no more rights on a table than its write does: ${name}`, async () => {
      await owner.em.execute(`revoke all on shelf, book from ${role}`);
      for (const grant of grants) {
        await owner.em.execute(`grant ${grant} to ${role}`);
      }
      await titles();
      await getCacheops(owner).idle();
      const { orm, errors } = await startApp();
      await write(orm.em.fork() as never);
      const uncached = (await owner.em.execute('select title from book order by id')).map(
        ({ title }) => title,
      );
      expect(uncached).not.to.deep.equal(['one', 'two']);
      expect(await titles()).to.deep.equal(uncached);
      expect(errors).to.deep.equal([]);
      await orm.close();
    });
  }
});
