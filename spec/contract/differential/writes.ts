import type { SqlEntityManager } from '@mikro-orm/sql';
import fc from 'fast-check';
import type { Entities } from './entities.js';
import { type Names, stored } from './names.js';

type Em = SqlEntityManager;

/** A write by the ORM or in SQL, a definition, or a statement that fires one. */
export interface Write {
  readonly how: 'orm' | 'sql' | 'statement' | 'define' | 'sources';
  readonly which: number;
  readonly value: number;
  readonly inTransaction: boolean;
}

const ORM: readonly ((em: Em, entities: Entities, value: number) => Promise<unknown>)[] = [
  async (em, { Ledger }, value) => {
    em.create(Ledger, { id: 10 + value, amount: value } as never);
    await em.flush();
  },
  async (em, { Ledger }, value) => {
    const row: any = await em.findOne(Ledger, { id: 1 } as never);
    if (row) {
      row.amount = value * 3;
    }
    await em.flush();
  },
  async (em, { Thing }, value) => {
    em.create(Thing, { id: 10 + value, n: value, label: 'new', price: '2.345' } as never);
    await em.flush();
  },
  async (em, { Thing }, value) => {
    const row: any = await em.findOne(Thing, { id: 2 } as never);
    if (row) {
      row.n = value;
      row.data = { a: value };
    }
    await em.flush();
  },
  async (em, { Thing }, value) => {
    const row = await em.findOne(Thing, { id: 1 + (value % 3) } as never);
    if (row) {
      await em.remove(row).flush();
    }
  },
  async (em, { Part, Thing }, value) => {
    em.create(Part, { id: 20 + value, thing: em.getReference(Thing, 1 as never), n: value } as never);
    await em.flush();
  },
  (em, { Ledger }, value) => em.nativeUpdate(Ledger, { id: 2 } as never, { amount: value } as never),
  (em, { Ledger }, value) => em.nativeDelete(Ledger, { amount: { $lt: value } } as never),
  (em, { Log }, value) => em.insertMany(Log, [{ what: value }, { what: 1 }] as never),
  (em, { Ledger }, value) => em.upsert(Ledger, { id: 1 + (value % 3), amount: value } as never),
  (em, { Part }, value) => em.nativeUpdate(Part, { n: { $gt: value } } as never, { n: value } as never),
  (em, { Part }, value) =>
    em
      .createQueryBuilder(Part)
      .delete({ id: value } as never)
      .execute(),
  (em, { Thing }, value) =>
    em
      .createQueryBuilder(Thing)
      .update({ n: value } as never)
      .where({ id: { $gt: 1 } } as never)
      .execute(),
  (em, { Thing }, value) => em.nativeDelete(Thing, { id: value } as never),
];

function sqlOf(which: number, value: number, { thing, ledger, part, log, totals, n, label }: Names): string {
  const statements = [
    `update ${ledger} set amount = ${value}`,
    `update ${ledger} set amount = amount + 1 where id = 1`,
    `insert into ${ledger} values (${30 + value}, 2)`,
    `delete from ${ledger} where id = ${1 + (value % 2)}`,
    `truncate ${ledger}`,
    `truncate ${thing} cascade`,
    `merge into ${ledger} as l using ${part} as p on l.id = p.id when matched then update set amount = p.n
      when not matched then insert values (p.id, ${value})`,
    `with changed as (update ${part} set n = ${value} where id > 1 returning id) select * from changed`,
    `insert into ${thing} (id, ${n}) select id + 40, amount from ${ledger}`,
    `update ${thing} set ${label} = ${label} || 'x', mood = 'high', num = ${value} where id = 1`,
    `do $d$ begin update ${ledger} set amount = ${value}; end $d$`,
    `explain analyze update ${ledger} set amount = amount + 2`,
    `insert into ${log} (what) values (${value}) returning id`,
    `update thing_view set n = ${value} where id = 2`,
    `create or replace function ledger_sum() returns int language sql stable as $f$ select ${value} + count(*)::int from ${part} $f$`,
    `create or replace view ${totals} as select ${value}::int as total`,
    `create or replace function added(int, int) returns int language sql stable as 'select ${value}'`,
    `alter type app.mood rename value 'low' to 'lowest${value}'`,
    `alter function ledger_sum() volatile`,
    `alter table ${ledger} add column doubled int default ${value}`,
    `alter table ${ledger} disable trigger user`,
    `alter table ${ledger} rename column amount to amounts`,
    `alter domain app.small add check (value < 500)`,
    `alter table ${thing} alter ${n} type bigint`,
    `create table other.${ledger} as select 1 as id, 100 as amount, null::text as what`,
    `create table other.${thing} (like app.${thing} including all)`,
    `drop table if exists other.${ledger}, other.${thing}`,
    `alter table other.spare rename to ${stored(ledger) === 'ledger' ? 'ledger' : ledger}`,
    `create function ${label}(app.${thing}) returns int language sql as 'select 5'`,
    `create function other.lower(text) returns text language sql immutable as 'select upper($1)'`,
    `create function app.power(int, text) returns int language sql as 'select app.ledger_sum()'`,
    `analyze ${ledger}`,
    `comment on table ${ledger} is 'x'`,
    `update ${part} set thing = 1 where id = 3`,
    `delete from ${thing} where id = 2`,
    `update ${thing} set id = id + 100 where id = ${1 + (value % 3)}`,
    `prepare p${value} as update ${ledger} set amount = amount + 5; execute p${value}; deallocate p${value}`,
  ];
  return statements[which % statements.length]!;
}

/** The first write of every catalog: it changes what functions read. */
export const CHANGE_OF_SOURCES: Write = { how: 'sources', which: 0, value: 0, inTransaction: false };

export const writes: fc.Arbitrary<Write> = fc.record({
  how: fc.constantFrom('orm', 'sql', 'statement', 'statement', 'define'),
  which: fc.nat(36),
  value: fc.nat(5),
  inTransaction: fc.boolean(),
});

/** The catalog of a case, as far as writes use it. */
export interface Written {
  readonly names: Names;
  readonly entities: Entities;
  readonly statements: readonly string[];
  readonly later: readonly string[];
}

export async function performWrite(em: Em, write: Write, catalog: Written): Promise<unknown> {
  const perform = (inner: Em) => {
    const sql = textOf(write, catalog);
    return sql === undefined
      ? ORM[write.which % ORM.length]!(inner, catalog.entities, write.value)
      : inner.execute(sql);
  };
  return write.inTransaction ? em.transactional(inner => perform(inner as Em)) : perform(em);
}

/** The SQL of a write; `undefined`: it is made by the ORM. */
function textOf({ how, which, value }: Write, { names, statements, later }: Written): string | undefined {
  if (how === 'define' && later.length > 0) {
    return later[which % later.length];
  }
  if (how === 'statement' && statements.length > 0) {
    return statements[which % statements.length];
  }
  if (how === 'sources') {
    const { ledger, log, part } = names;
    return `update ${ledger} set amount = amount + 3 where id = 1; update ${part} set n = n + 5; insert into ${log} (what) values (1)`;
  }
  return how === 'orm' ? undefined : sqlOf(which, value, names);
}

export function describeWrite(write: Write, catalog: Written): string {
  const text = textOf(write, catalog) ?? `${ORM[write.which % ORM.length]} with ${write.value}`;
  return `${text.replaceAll(/\s+/g, ' ')}${write.inTransaction ? ' (in a transaction)' : ''}`;
}
