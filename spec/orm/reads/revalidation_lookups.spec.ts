import { expect } from 'chai';
import { spy } from 'sinon';
import type { Failing, LookUpJoinedRows, Questions } from '../../../lib/orm/reads/joined_row_lookup.js';
import { findCause, revalidate } from '../../../lib/orm/reads/revalidation.js';
import { and } from '../../../lib/query/formula.js';
import { MemoryStore } from '../../../lib/store/memory/memory_store.js';
import type { RowDelta } from '../../../lib/values/row_delta.js';
import { above, article, CommentsByArticle, equal } from '../../query/comments_by_article.js';
import { cache, stepping, writer } from '../../store/words.js';

/** A comment goes from one article to another. */
const moves = (from: string, to: string): RowDelta => [[from], [to], 1];
/** The price of an article goes from one to another: 11 satisfies the condition, 5 does not. */
const price = (id: string, from: string, to: string): RowDelta => [[id, from], [id, to], 0];

describe('the revalidation of an entry', () => {
  const query = new CommentsByArticle(above(article, 'price', '10'));
  const address = { key: 'comments', tables: query.tables };
  let store: MemoryStore;
  /** what was asked, and how often */
  let asked: string[][];

  beforeEach(async () => {
    store = new MemoryStore();
    asked = [];
    await cache(store, address, 'comments');
  });

  afterEach(() => store.close());

  async function write(table: string, ...deltas: RowDelta[]): Promise<void> {
    const changes = [stepping(table, query.on(table), ...deltas)];
    const by = writer();
    await store.mark(by, changes);
    await store.settle(by.id, [table]);
  }

  /** A database in which these articles fail the condition. */
  function lookUp(failing: readonly string[], meanwhile: () => unknown = () => {}): LookUpJoinedRows {
    return async (questions: Questions): Promise<Failing> => {
      expect([...questions.keys()]).to.deep.equal([query.joinedRow]);
      asked.push([...questions.get(query.joinedRow)!]);
      await meanwhile();
      return new Map([[query.joinedRow, new Set(failing)]]);
    };
  }

  /** The table whose change the entry does not hold after; `holds: ` and its payload; `gone`. */
  async function outcome(lookUp?: LookUpJoinedRows): Promise<string> {
    const found = await store.read(address);
    const result = await revalidate(store, address, found!, lookUp);
    return !result
      ? 'gone'
      : 'cause' in result
        ? result.cause.table
        : `holds: ${Buffer.from(result.holds.payload)}`;
  }

  it('holds without a lookup if nothing has changed, or nothing that matters', async () => {
    expect(await outcome(lookUp([]))).to.equal('holds: comments');
    await write('article', price('7', '5', '6'));
    expect(await outcome(lookUp([]))).to.equal('holds: comments');
    expect(asked).to.deep.equal([]);
  });

  it('asks once for all joined rows that are not known', async () => {
    await write('comment', moves('7', '8'), moves('9', '7'));
    expect(await outcome(lookUp(['7', '8', '9']))).to.equal('holds: comments');
    expect(asked).to.deep.equal([['7', '8', '9']]);
  });

  for (const missing of ['7', '8', '9']) {
    it(`fails if one of the joined rows satisfies its condition: ${missing}`, async () => {
      await write('comment', moves('7', '8'), moves('9', '7'));
      const failing = ['7', '8', '9'].filter(key => key !== missing);
      expect(await outcome(lookUp(failing))).to.equal('comment');
    });
  }

  it('fails if the database must not be asked', async () => {
    await write('comment', moves('7', '8'));
    expect(await outcome()).to.equal('comment');
  });

  it('asks for no joined row that a delta shows as one that satisfied', async () => {
    await write('article', price('7', '11', '12'));
    await write('comment', moves('7', '8'));
    expect(await outcome(lookUp(['7', '8']))).to.equal('comment');
    expect(asked).to.deep.equal([]);
  });

  it('asks for nothing if another change matters anyway', async () => {
    await write('comment', moves('7', '8'));
    await write('article', price('9', '5', '11'));
    expect(await outcome(lookUp(['7', '8']))).to.equal('article');
    expect(asked).to.deep.equal([]);
  });

  it('asks for 100 joined rows at most', async () => {
    const keys = Array.from({ length: 101 }, (_, i) => String(i));
    await write('comment', ...keys.slice(0, 100).map(key => moves(key, key)));
    expect(await outcome(lookUp(keys))).to.equal('holds: comments');
    expect(asked).to.deep.equal([keys.slice(0, 100)]);
    await write('comment', moves('100', '100'));
    const read = spy(store, 'read');
    expect(await outcome(lookUp(keys))).to.equal('comment');
    expect(asked).to.have.length(1);
    expect(read.callCount).to.equal(1);
  });

  it('fails if a joined row satisfied its condition during the lookup', async () => {
    await write('comment', moves('7', '8'));
    const satisfies = () => write('article', price('7', '11', '12'));
    expect(await outcome(lookUp(['7', '8'], satisfies))).to.equal('comment');
  });

  it('fails if a change during the lookup needs another one', async () => {
    await write('comment', moves('7', '8'));
    const moved = () => write('comment', moves('8', '9'));
    expect(await outcome(lookUp(['7', '8'], moved))).to.equal('comment');
  });

  it('takes no answer for an entry that was stored, or given a newer seal, after the lookup', async () => {
    const again = async () => {
      await cache(store, address, 'comments again');
      await write('comment', moves('7', '8'));
    };
    await write('comment', moves('7', '8'));
    expect(await outcome(lookUp(['7', '8'], again))).to.equal('comment');

    await cache(store, address, 'comments');
    await write('comment', moves('7', '8'));
    const resealed = async () => {
      await store.reseal(address, (await store.read(address))!);
      await write('comment', moves('7', '8'));
    };
    expect(await outcome(lookUp(['7', '8'], resealed))).to.equal('comment');
  });

  it('ends if the entry is gone after the lookup', async () => {
    await write('comment', moves('7', '8'));
    expect(await outcome(lookUp(['7', '8'], () => store.clear()))).to.equal('gone');
  });

  it('fails after a change of a dependency that is not its own', async () => {
    const of = (column: string, value: string) =>
      new CommentsByArticle(and([above(article, 'price', '10'), equal(article, column, value)]));
    const two = of('kind', '2');
    await cache(store, { key: address.key, tables: two.tables }, 'comments');
    await store.mark(writer(), [stepping('article', two.on('article'), price('7', '5', '6'))]);
    const found = (await store.read({ key: address.key, tables: two.tables }))!;
    expect(found.moved).to.have.length(1);
    expect(findCause(two.tables, found)).to.equal(undefined);
    for (const other of [of('kind', '1'), of('sort', '2'), query]) {
      expect(findCause(other.tables, found)?.table).to.equal('article');
    }
    expect(findCause([], found)?.table).to.equal('article');
  });
});
