import { MikroORM } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import fc from 'fast-check';
import { loadCatalog } from '../../lib/orm/catalog/catalog.js';
import type { Catalog } from '../../lib/orm/catalog/table.js';
import { type Comparable, canonicalOfStored, storedExpression } from '../../lib/values/comparable.js';
import { compareCanonical, isOrderable } from '../../lib/values/order.js';
import { canonicalOfParameter } from '../../lib/values/parameter.js';
import { freshDatabase } from '../support/servers.js';
import { KINDS, type Kind, type ScalarKind } from './kinds.js';

const ORDERED = (Object.entries(KINDS) as [ScalarKind, Kind][]).filter(([kind]) => isOrderable(kind, true));

function collated(type: string): string {
  return type.includes('collate') ? type.replace('"C"', '"POSIX"') : `${type} collate "C"`;
}

describe('the order of canonical forms', () => {
  let orm: MikroORM;

  before(async () => {
    orm = await MikroORM.init({
      entities: [],
      discovery: { warnWhenNoEntities: false },
      clientUrl: await freshDatabase('order'),
      pool: { min: 1, max: 1 },
    });
  });

  after(() => orm.close());

  for (const [kind, { types, stored, parameter }] of ORDERED) {
    const strings = kind === 'text' || kind === 'padded';
    for (const type of strings ? types.map(collated) : types) {
      it(`values of ${type} are compared as the database sorts them`, async () => {
        let decided = 0;
        await fc.assert(
          fc.asyncProperty(
            fc.array(stored, { minLength: 1, maxLength: 8 }),
            fc.array(parameter, { minLength: 1, maxLength: 8 }),
            async (values, parameters) => {
              await storedIn(type, values);
              const canonical = await canonicalRows(kind);
              for (const { a, b, order } of await execute(
                'select a.id as a, b.id as b, sign((a.c > b.c)::int - (a.c < b.c)::int) as order from t as a, t as b',
              )) {
                const compared = compareCanonical(kind, canonical.get(a)!, canonical.get(b)!);
                expect(Math.sign(compared), `${canonical.get(a)} and ${canonical.get(b)}`).to.equal(order);
              }
              for (const given of parameters) {
                const right = canonicalOfParameter(kind, given);
                const rows = typeof right === 'string' ? await compared(given) : undefined;
                for (const { id, order } of rows ?? []) {
                  decided++;
                  const here = compareCanonical(kind, canonical.get(id)!, right as string);
                  expect(Math.sign(here), `${canonical.get(id)} and ${String(given)}`).to.equal(order);
                }
              }
            },
          ),
          { numRuns: 60 },
        );
        expect(decided, 'comparisons with parameters').to.be.above(50);
      });
    }
  }

  it('very long numbers are compared by value', () => {
    const long = '9'.repeat(400);
    expect(compareCanonical('decimal', long, `1${long}`)).to.be.below(0);
    expect(compareCanonical('decimal', `-${long}.5`, `-${long}.25`)).to.be.below(0);
    expect(compareCanonical('integer', '9007199254740993', '9007199254740992')).to.be.above(0);
  });

  it('strings are compared only under a collation that sorts by code points', async () => {
    await execute(`create collation lower_first (provider = icu, locale = 'und-u-kf-lower')`);
    const collations: Record<string, boolean> = {
      C: true,
      POSIX: true,
      ucs_basic: true,
      lower_first: false,
      'und-x-icu': false,
    };
    for (const [collation, expected] of Object.entries(collations)) {
      await emptyTable(`text collate "${collation}"`);
      expect((await columnFacts()).orderable, collation).to.equal(expected);
    }
    await emptyTable('text');
    if ((await columnFacts()).orderable) {
      // the database's own collation, which may be orderable
      const values = ['a', 'B', 'b', 'é', 'e', 'ab', 'a b', '\ufffd', '😀', '', '-a'];
      await storedIn('text', values);
      const rows = await execute('select c from t order by c');
      expect(rows.map(row => row.c)).to.deep.equal(values.sort((a, b) => compareCanonical('text', a, b)));
    }
    for (const type of ['mood_of_order', 'text[]', 'json', 'real']) {
      await execute(type === 'mood_of_order' ? `create type mood_of_order as enum ('b', 'a')` : 'select 1');
      await emptyTable(type);
      expect((await columnFacts()).orderable, type).to.equal(false);
      expect((await columnFacts()).matchable, type).to.equal(false);
    }
    for (const [type, matchable] of [
      ['text', true],
      ['varchar(5)', true],
      ['char(5)', false],
      ['int', false],
    ] as const) {
      await emptyTable(type);
      expect((await columnFacts()).matchable, type).to.equal(matchable);
    }
  });

  async function columnFacts(): Promise<{ orderable: boolean; matchable: boolean }> {
    const catalog: Catalog = await loadCatalog(execute, 'here');
    const table = catalog.resolve({ schema: undefined, name: 't' })!;
    return { orderable: table.orderable.has('c'), matchable: table.matchable.has('c') };
  }

  function execute(sql: string, parameters: unknown[] = []): Promise<any[]> {
    return orm.em.getConnection().execute(sql, parameters);
  }

  async function emptyTable(type: string): Promise<void> {
    await execute('drop table if exists t');
    await execute(`create table t (id serial, c ${type})`);
  }

  async function storedIn(type: string, values: readonly string[]): Promise<void> {
    await emptyTable(type);
    for (const value of values) {
      await execute('insert into t (c) values (?)', [value]).catch(() => undefined);
    }
  }

  async function canonicalRows(kind: Comparable): Promise<Map<number, string>> {
    const rows = await execute(
      `select id, json_build_array(${storedExpression(kind, 'c')})::text as image from t`,
    );
    return new Map(rows.map(({ id, image }) => [id, canonicalOfStored(kind, JSON.parse(image)[0])!]));
  }

  /** The order of stored values relative to a given one; `undefined` if the database rejects it. */
  function compared(given: unknown): Promise<any[] | undefined> {
    return execute('select id, sign((c > ?)::int - (c < ?)::int) as order from t', [given, given]).catch(
      () => undefined,
    );
  }
});
