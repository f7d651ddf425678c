import { expect } from 'chai';
import fc from 'fast-check';
import { CompiledQuery } from 'kysely';
import { Journal } from '../../../lib/changes/journal.js';
import { loadCatalog } from '../../../lib/orm/catalog/catalog.js';
import type { Catalog, Table } from '../../../lib/orm/catalog/table.js';
import { writeRows } from '../../../lib/orm/writes/row_capture.js';
import { parseStatement } from '../../../lib/sql/parse_statement.js';
import type { Delete, Insert, Update } from '../../../lib/sql/statement.js';
import { type Canonical, canonicalOfStored, storedExpression } from '../../../lib/values/comparable.js';
import { encodeValues, schemeOf } from '../../../lib/values/encode.js';
import type { RowDelta } from '../../../lib/values/row_delta.js';
import type { Scheme } from '../../../lib/values/scheme.js';
import { anyWrite, type GeneratedWrite, THINGS } from '../../changes/generated_writes.js';
import { connect, type Server } from '../../changes/server.js';

type Write = Insert | Update | Delete;
type Marked = ReadonlyMap<string, ReadonlySet<string> | undefined> | undefined;

/** A stored row. */
interface Stored {
  /** changes with every write */
  readonly version: string;
  /** values of comparable columns */
  readonly canonical: ReadonlyMap<string, Canonical>;
  /** texts of all columns */
  readonly texts: ReadonlyMap<string, string | null>;
}

/** The identity of a row, which no write changes. */
type State = ReadonlyMap<string, Stored>;

const COLUMNS = ['id', 'where', 'Re"turning', 'code', 'flag', 'at', 'twice', 'list', 'ratio'];
const COMPARABLE = COLUMNS.slice(0, 7);

const some = (columns: readonly string[]) => fc.subarray([...columns], { minLength: 0, maxLength: 3 });
const anyScheme: fc.Arbitrary<Scheme> = fc
  .tuple(
    fc.subarray([...COMPARABLE], { minLength: 0, maxLength: 2 }),
    fc.option(some([...COLUMNS, 'xmin']), { nil: undefined }),
    some(COMPARABLE),
  )
  .map(([columns, reads, tests]) => schemeOf(columns, reads, tests));

describe('Row deltas of a write', () => {
  let server: Server;
  let catalog: Catalog;
  let table: Table;

  before(async () => {
    server = await connect();
    await server.query(THINGS);
    await server.query(`alter table "Some thing" add column rid serial`);
    await server.query(`
      insert into "Some thing" (id, "where", code, flag, at, "Re""turning")
      select i, chr(96 + i), nullif(chr(96 + i), 'e'), i % 2 = 0, '2020-01-01', 1.5 from generate_series(1, 6) i`);
    catalog = await loadCatalog(async sql => [...(await server.query(sql)).rows], 'here');
    table = catalog.named('Some thing')[0]!;
  });
  after(() => server.close());

  async function state(): Promise<State> {
    const texts = COLUMNS.map(column => `"${column.replaceAll('"', '""')}"::text`);
    const values = COMPARABLE.map(column =>
      storedExpression(table.kinds.get(column)!, `"${column.replaceAll('"', '""')}"`),
    );
    const { rows } = await server.query(
      `select rid, ctid::text as version, json_build_array(${texts})::text as texts,
              json_build_array(${values})::text as values from "Some thing" order by rid`,
    );
    return new Map(
      rows.map(row => {
        const stored: (string | null)[] = JSON.parse(row.values as string);
        const shown: (string | null)[] = JSON.parse(row.texts as string);
        const canonical = COMPARABLE.map(
          (column, i) => [column, canonicalOfStored(table.kinds.get(column)!, stored[i]!)] as const,
        );
        return [
          String(row.rid),
          {
            version: row.version as string,
            canonical: new Map(canonical),
            texts: new Map(COLUMNS.map((column, i) => [column, shown[i]!])),
          },
        ];
      }),
    );
  }

  /** The columns of an updated row that count as changed: a column that is not compared counts if it is set. */
  function changedIn(
    before: Stored,
    after: Stored,
    write: Write,
    compared: ReadonlySet<string>,
  ): Set<string> {
    const set = new Set(
      write.kind === 'update'
        ? write.set
        : write.kind === 'insert' && write.conflict.kind === 'update'
          ? write.conflict.set
          : [],
    );
    const changed = COLUMNS.filter(column => {
      const differs = before.texts.get(column) !== after.texts.get(column);
      const isSet = set.has(column) || column === 'twice';
      expect(differs && !isSet, `${column} differs and was not set`).to.equal(false);
      return compared.has(column) && column !== 'code' ? differs : isSet;
    });
    return new Set([...changed, 'xmin']);
  }

  /** By definition: the old and new values of each row under the scheme. */
  function expected(
    before: State,
    after: State,
    write: Write,
    scheme: Scheme,
    compared: ReadonlySet<string>,
  ) {
    const marked = new Map<string, Set<string>>();
    const add = (values: string, step: unknown) =>
      marked.set(values, (marked.get(values) ?? new Set()).add(JSON.stringify(step)));
    const under = (row: Stored) => encodeValues(scheme.columns.map(column => row.canonical.get(column)!));
    const tested = (row: Stored) => (scheme.tests ?? []).map(column => row.canonical.get(column)!);
    for (const rid of new Set([...before.keys(), ...after.keys()])) {
      const [old, now] = [before.get(rid), after.get(rid)];
      if (old?.version === now?.version) {
        continue;
      }
      if (old && now && under(old) === under(now)) {
        const changed = changedIn(old, now, write, compared);
        const read = scheme.reads ? scheme.reads.some(column => changed.has(column)) : true;
        if (read || JSON.stringify(tested(old)) !== JSON.stringify(tested(now))) {
          add(under(now), [tested(old), tested(now), read ? 1 : 0]);
        }
      } else {
        if (old) {
          add(under(old), [tested(old), null, now ? 1 : 2]);
        }
        if (now) {
          add(under(now), [null, tested(now), old ? 1 : 2]);
        }
      }
    }
    return marked;
  }

  /** A write with the changes that it marks for each scheme; `undefined` if it fails. */
  async function written(
    { sql, parameters }: GeneratedWrite,
    schemes: readonly Scheme[],
    known: readonly Scheme[],
    returnsOld: boolean,
  ) {
    const statement = parseStatement(sql, parameters) as Write;
    const journal = new Journal();
    const given: unknown[] = [];
    await server.query('begin');
    try {
      const before = await state();
      await server.query('savepoint plain');
      const plain = await server.query(sql, parameters);
      await server.query('rollback to plain');
      const result = await writeRows({
        statement,
        table,
        catalog: { ...catalog, returnsOld },
        journal,
        query: CompiledQuery.raw(sql, [...parameters]),
        ask: async (text, values) => {
          const { rows, affected } = await server.query(text, values);
          return { rows: [...rows], numAffectedRows: affected! };
        },
        schemes: async () => known,
        maxRows: 1000,
        isExact: true,
      });
      // without values of sequences, which are not rolled back
      const rows = (all: readonly any[]) => all.map(({ rid, ...row }) => row);
      given.push([result.numAffectedRows, rows(result.rows)], [plain.affected, rows(plain.rows)]);
      const after = await state();
      const [change] = journal.changes();
      const marked = schemes.map((scheme): Marked => {
        const touched = change ? change.touched(scheme) : new Map();
        return (
          touched &&
          new Map(
            [...touched].map(([v, steps]) => [
              v,
              steps && new Set((steps as readonly RowDelta[]).map(step => JSON.stringify(step))),
            ]),
          )
        );
      });
      return { before, after, statement, marked };
    } catch {
      return undefined;
    } finally {
      await server.query('rollback');
      const [watched, plain] = given;
      expect(watched, sql).to.deep.equal(plain);
    }
  }

  /** The columns of rows that are read. */
  const comparedBy = (known: readonly Scheme[]) =>
    new Set(['id', ...known.flatMap(({ columns, tests = [] }) => [...columns, ...tests])]);

  function expectCovered(marked: Marked, steps: ReadonlyMap<string, ReadonlySet<string>>, of: string) {
    for (const [values, expectedSteps] of marked ? steps : []) {
      expect(marked!.has(values), `${of}: ${values} is marked`).to.equal(true);
      const given = marked!.get(values);
      for (const step of given ? expectedSteps : []) {
        // a column that counts as read although it was not is wider, not narrower
        const more = step.replace(/0\]$/, '1]');
        expect([...given!], of).to.satisfy(
          (marked: string[]) => marked.includes(step) || marked.includes(more),
        );
      }
    }
  }

  const writes = fc.tuple(anyWrite, fc.array(anyScheme, { minLength: 1, maxLength: 4 }));

  it('are exact if RETURNING returns old rows', async () => {
    if (!catalog.returnsOld) {
      expect(
        await server.query('show server_version_num').then(({ rows }) => Number(rows[0]!.server_version_num)),
      ).to.be.below(180_000);
      return;
    }
    const done = { steps: 0, both: 0, unread: 0 };
    await fc.assert(
      fc.asyncProperty(writes, async ([write, schemes]) => {
        const result = await written(write, schemes, schemes, true);
        for (const [i, scheme] of result ? schemes.entries() : []) {
          const { before, after, statement, marked } = result!;
          const steps = expected(before, after, statement, scheme, comparedBy(schemes));
          if (/\bold\b|u&/i.test(write.sql)) {
            expectCovered(marked[i], steps, write.sql); // `old` in its RETURNING is ambiguous
            continue;
          }
          const wanted = new Map([...steps].map(([values, set]) => [values, scheme.tests && set]));
          expect(marked[i], `${scheme.id}: ${write.sql}`).to.deep.equal(wanted);
          done.steps += steps.size;
          for (const step of [...steps.values()].flatMap(set => [...set])) {
            done.both += step.startsWith('[null') || step.includes(',null,') ? 0 : 1;
            done.unread += step.endsWith('0]') ? 1 : 0;
          }
        }
      }),
      { numRuns: 400 },
    );
    expect(done.steps).to.be.above(500);
    expect(done.both).to.be.above(100);
    expect(done.unread).to.be.above(20);
  });

  it('miss no change if rows are locked beforehand, and are exact if the locks show all rows', async () => {
    let exact = 0;
    await fc.assert(
      fc.asyncProperty(writes, async ([write, schemes]) => {
        const result = await written(write, schemes, schemes, false);
        for (const [i, scheme] of result ? schemes.entries() : []) {
          const { before, after, statement, marked } = result!;
          const steps = expected(before, after, statement, scheme, comparedBy(schemes));
          expectCovered(marked[i], steps, `${scheme.id}: ${write.sql}`);
          const isPlain = statement.kind === 'delete' || (statement.kind === 'update' && !statement.from);
          if (isPlain && !statement.sql.includes('set id') && !/, id = /.test(statement.sql)) {
            const wanted = new Map([...steps].map(([values, set]) => [values, scheme.tests && set]));
            expect(marked[i], `${scheme.id}: ${write.sql}`).to.deep.equal(wanted);
            exact++;
          }
        }
      }),
      { numRuns: 300 },
    );
    expect(exact).to.be.above(200);
  });

  for (const sql of [
    'update "Some thing" set flag = not flag',
    'update "Some thing" set flag = not flag where id > 0; -- all',
    'update "Some thing" set ratio = 1',
    'delete from "Some thing"',
    'insert into "Some thing" (id) select i from generate_series(101, 106) as i',
  ]) {
    it(`need no more images than the journal keeps: ${sql}`, async () => {
      for (const returnsOld of catalog.returnsOld ? [true, false] : [false]) {
        const journal = new Journal({ rows: 2, characters: 1000 });
        const seen: number[] = [];
        await server.query('begin');
        const result = await writeRows({
          statement: parseStatement(sql) as Write,
          table,
          catalog: { ...catalog, returnsOld },
          journal,
          query: CompiledQuery.raw(sql),
          ask: async (text, values) => {
            const { rows, affected } = await server.query(text, values);
            seen.push(rows.length);
            return { rows: [...rows], numAffectedRows: affected! };
          },
          schemes: async () => [schemeOf(['flag'])],
          maxRows: 2,
          isExact: true,
        });
        await server.query('rollback');
        expect(result).to.deep.equal({ rows: [], numAffectedRows: 6n });
        expect(Math.max(...seen)).to.be.at.most(3);
        expect(journal.changes()[0]!.touched(schemeOf(['id']))).to.equal(undefined);
      }
    });
  }

  it('miss no change if this process does not know all schemes', async () => {
    let partial = 0;
    await fc.assert(
      fc.asyncProperty(
        writes,
        fc.array(anyScheme, { maxLength: 1 }),
        fc.boolean(),
        async (pair, known, old) => {
          const [write, schemes] = pair;
          const result = await written(write, schemes, known, old && catalog.returnsOld);
          for (const [i, scheme] of result ? schemes.entries() : []) {
            const { before, after, statement, marked } = result!;
            const steps = expected(before, after, statement, scheme, new Set(COMPARABLE));
            expectCovered(marked[i], steps, `${scheme.id}: ${write.sql}`);
            partial += marked[i] && steps.size > 0 ? 1 : 0;
          }
        },
      ),
      { numRuns: 300 },
    );
    expect(partial).to.be.above(50);
  });
});
