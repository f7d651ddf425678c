import { expect } from 'chai';
import fc from 'fast-check';
import { Journal } from '../../lib/changes/journal.js';
import { type Image, type ImageColumn, ImageFormat, withoutImage } from '../../lib/changes/row_image.js';
import { conflictSql } from '../../lib/sql/conflicting_rows.js';
import { tokenize } from '../../lib/sql/lexer/tokens.js';
import { parseStatement } from '../../lib/sql/parse_statement.js';
import { columnQualifier, IMAGE_COLUMN, lockingSql, returningSql } from '../../lib/sql/rewrite.js';
import type { Delete, Insert, Update } from '../../lib/sql/statement.js';
import { schemeOf } from '../../lib/values/encode.js';
import { anyConstant, anyGap } from './generated.js';
import { anyWrite, type GeneratedWrite, THINGS } from './generated_writes.js';
import { connect, type Result, type Server } from './server.js';

const COLUMNS: readonly ImageColumn[] = [
  { name: 'id', kind: 'integer' },
  { name: 'where', kind: 'text' },
  { name: 'Re"turning', kind: 'decimal' },
  { name: 'code', kind: 'padded' },
  { name: 'flag', kind: 'boolean' },
  { name: 'at', kind: 'instant' },
  { name: 'twice', kind: 'integer' },
];
const TYPES = new Map([
  ['id', 'integer'],
  ['code', 'character(4)'],
]);

const format = new ImageFormat(COLUMNS);

/** A row's values as one string. */
const flat = (image: Image) => JSON.stringify(image.row.values);
const keyOf = (image: Image) => image.row.values[0];

describe('writes executed by PostgreSQL', () => {
  let server: Server;
  before(async () => {
    server = await connect();
    await server.query(THINGS);
    await server.query(`
      insert into "Some thing" (id, "where", code, flag, at)
      select i, chr(96 + i), nullif(chr(96 + i), 'e'), i % 2 = 0, '2020-01-01' from generate_series(1, 6) i`);
  });
  after(() => server.close());

  const imagesOf = (result: Result) => result.rows.map(row => format.read(row[IMAGE_COLUMN] as string));

  const state = async () =>
    imagesOf(await server.query(`select ${format.expression('t')} as "${IMAGE_COLUMN}" from "Some thing" t`));

  /** The result or error of a statement that is undone afterwards, and the rows of the table after it. */
  async function trying<T>(step: () => Promise<T>) {
    await server.query('begin');
    const done = await step().then(
      result => ({ result, error: undefined }),
      (error: Error) => ({ result: undefined, error: error.message.split('\n').at(-1) }),
    );
    const rows = done.error === undefined ? await state() : [];
    await server.query('rollback');
    return { ...done, rows };
  }

  interface Traced {
    readonly result: Result;
    /** the rows that were locked before, if there is a query for them */
    readonly locked: Image[] | undefined;
    readonly images: Image[];
  }

  /** Executes a write as the library does to capture its changes. */
  async function traced({ kind, sql, parameters }: GeneratedWrite): Promise<Traced> {
    const statement = parseStatement(sql, parameters);
    expect(statement.kind).to.equal(kind);
    const write = statement as Insert | Update | Delete;
    const expression = format.expression(columnQualifier(write));
    const locking =
      write.kind === 'update'
        ? lockingSql(write, expression, 100, parameters)
        : write.kind === 'insert'
          ? conflictSql(write, TYPES, expression, parameters)
          : undefined;
    const locked = locking && imagesOf(await server.query(locking.sql, locking.parameters));
    const upserts = write.kind === 'insert' && write.conflict.kind === 'update';
    const rewritten = returningSql(
      write,
      format.expression(
        columnQualifier(write),
        upserts ? { inserted: `(${columnQualifier(write)}.xmax = 0)` } : {},
      ),
    );
    const { rows, affected } = await server.query(rewritten, parameters);
    const images = imagesOf({ rows, affected });
    return { locked, images, result: { rows: write.returning ? withoutImage(rows) : [], affected } };
  }

  /** The rows after a write, according to its images. */
  function appliedTo(
    before: readonly Image[],
    { kind }: GeneratedWrite,
    { locked, images }: Traced,
  ): string[] {
    const olds = {
      // the locked rows, or those with the key of an updated row
      update: () => locked ?? before.filter(row => images.some(image => keyOf(image) === keyOf(row))),
      delete: () => images,
      insert: () => {
        const updated = images.filter(image => image.inserted === false);
        const known = locked ?? before;
        const replaced = known.filter(row => updated.some(image => keyOf(image) === keyOf(row)));
        expect(replaced, 'the old rows of those that were updated').to.have.length(updated.length);
        return replaced;
      },
    };
    const rest = before.map(flat);
    for (const old of olds[kind]()) {
      const at = rest.indexOf(flat(old));
      expect(at, 'a row that there was').to.not.equal(-1);
      rest.splice(at, 1);
    }
    return [...rest, ...(kind === 'delete' ? [] : images.map(flat))].sort();
  }

  it('images contain exactly the changes of a write, and the result of the write is the same with and without them', async () => {
    const before = await state();
    const done = { failed: 0, changing: 0, locking: 0, inserting: 0 };
    await fc.assert(
      fc.asyncProperty(anyWrite, async write => {
        const plain = await trying(() => server.query(write.sql, write.parameters));
        const watched = await trying(() => traced(write));

        expect(watched.error).to.equal(plain.error);
        if (plain.result && watched.result) {
          expect(watched.result.result).to.deep.equal(plain.result);
          const rows = plain.rows.map(flat).sort();
          expect(watched.rows.map(flat).sort()).to.deep.equal(rows);
          expect(appliedTo(before, write, watched.result)).to.deep.equal(rows);
          done.changing += watched.result.images.length > 0 ? 1 : 0;
          done.locking += watched.result.locked?.length ? 1 : 0;
          done.inserting += watched.result.images.some(image => image.inserted) ? 1 : 0;
        } else {
          done.failed++;
        }
      }),
      { numRuns: 600 },
    );
    // the run covered every case
    expect(done.changing).to.be.above(200);
    expect(done.locking).to.be.above(50);
    expect(done.inserting).to.be.above(3);
    expect(done.failed).to.be.below(300);
  });

  it('the tokenizer reads a constant exactly where PostgreSQL reads one', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(anyConstant, anyGap), { minLength: 1, maxLength: 8 }),
        async constants => {
          const strings = constants.filter(([constant]) => constant.kind === 'string');
          const names = constants.filter(([constant]) => constant.kind === 'name');
          const sql = `select${strings.map(([{ sql }, gap], i) => `${gap}${sql}${gap}as c${i},`).join('')} 1 as one from (values (1)) as x (${names.map(([{ sql }], i) => sql.replace(/.$/s, `${i}"`)).join() || 'x'})`;
          fc.pre(names.length < 2);
          const { rows } = await server.query(sql);
          expect(rows).to.deep.equal([
            { ...Object.fromEntries(strings.map(([{ value }], i) => [`c${i}`, value])), one: 1 },
          ]);
          expect(tokenize(sql)!.filter(token => token.kind === 'string')).to.have.length(strings.length);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('the journal contains the changes that PostgreSQL keeps, for any sequence of savepoint commands', async () => {
    await server.query('create table kept (id int)');
    const numbers = new ImageFormat([{ name: 'id', kind: 'integer' }]);
    const step = fc.tuple(
      fc.constantFrom('insert', 'insert', 'savepoint', 'rollback to', 'release'),
      fc.constantFrom('a', 'b'),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 15 }), async steps => {
        const journal = new Journal();
        await server.query('begin');
        for (const [id, [verb, name]] of steps.entries()) {
          if (verb === 'insert') {
            const insert = parseStatement(`insert into kept values (${id})`) as Insert;
            const { rows } = await server.query(returningSql(insert, numbers.expression('"kept"')));
            journal.record('kept', { new: numbers.read(rows[0]![IMAGE_COLUMN] as string) });
          } else {
            // the only possible error is an unknown savepoint; `undone` recovers the transaction
            await server.query('savepoint undone');
            const failed = await server.query(`${verb} ${name}`).then(
              () => false,
              () => true,
            );
            if (failed) {
              await server.query('rollback to undone');
            }
            follow(journal, verb, name);
          }
        }
        const { rows } = await server.query('select distinct id::text from kept');
        const ids = journal.changes()[0]?.touched(schemeOf(['id'])) ?? new Map();
        await server.query('rollback');
        expect([...ids.keys()].sort()).to.deep.equal(rows.map(row => row.id).sort());
      }),
      { numRuns: 100 },
    );
  });
});

function follow(journal: Journal, verb: string, name: string): void {
  if (verb === 'savepoint') {
    journal.savepoint(name);
  } else if (verb === 'release') {
    journal.release(name);
  } else {
    journal.rollbackTo(name);
  }
}
