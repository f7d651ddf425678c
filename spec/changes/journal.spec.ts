import { expect } from 'chai';
import fc from 'fast-check';
import { Journal, type RowState } from '../../lib/changes/journal.js';
import type { Image } from '../../lib/changes/row_image.js';
import type { Canonical } from '../../lib/values/comparable.js';
import { encodeValues, schemeOf } from '../../lib/values/encode.js';
import { type Scheme, WHOLE_TABLE } from '../../lib/values/scheme.js';

const positions = new Map([
  ['id', 0],
  ['category', 1],
  ['status', 2],
]);

function image(...values: Canonical[]): Image {
  return { xid: '7', inserted: undefined, row: { positions, values, kinds: new Map(), stored: values } };
}

/** What a journal tells of a table, by the columns of each scheme. */
function touched(journal: Journal, table: string, ...columns: string[]): string[] | undefined {
  const change = journal.changes().find(({ table: name }) => name === table);
  const scheme = columns.length ? schemeOf(columns) : WHOLE_TABLE;
  const values = change ? change.touched(scheme) : new Map<string, undefined>();
  return values && [...values.keys()].sort();
}

describe('the journal of a transaction', () => {
  let journal: Journal;
  beforeEach(() => {
    journal = new Journal();
  });

  describe('tells which values the changed rows had and have', () => {
    it('of an inserted row the new ones', () => {
      journal.record('t', { new: image('1', '5', 'new') });
      expect(touched(journal, 't', 'category')).to.deep.equal(['5']);
      expect(touched(journal, 't', 'status', 'category')).to.deep.equal([encodeValues(['5', 'new'])]);
      expect(touched(journal, 't')).to.deep.equal(['']);
    });

    it('of a deleted row the old ones', () => {
      journal.record('t', { old: image('1', null, 'old') });
      expect(touched(journal, 't', 'category')).to.deep.equal(['!']);
    });

    it('of an updated row both', () => {
      journal.record('t', { old: image('1', '5', 'old'), new: image('1', '5', 'new') });
      expect(touched(journal, 't', 'category')).to.deep.equal(['5']);
      expect(touched(journal, 't', 'status')).to.deep.equal(['new', 'old']);
    });

    it('also of a row that was updated to what it was: columns that no image has may have changed', () => {
      journal.record('t', { old: image('1', '5', 'x'), new: image('1', '5', 'x') });
      expect(touched(journal, 't', 'id')).to.deep.equal(['1']);
    });

    it('of rows that were changed again and again all', () => {
      journal.record('t', { old: image('1', '5', 'a'), new: image('1', '6', 'a') });
      journal.record('t', { old: image('1', '6', 'a'), new: image('1', '7', 'a') });
      expect(touched(journal, 't', 'category')).to.deep.equal(['5', '6', '7']);
    });

    it('of each table its own', () => {
      journal.record('t', { new: image('1', '5', 'a') });
      journal.record('u', { new: image('2', '6', 'b') });
      expect(touched(journal, 't', 'id')).to.deep.equal(['1']);
      expect(touched(journal, 'u', 'id')).to.deep.equal(['2']);
      expect(journal.changes()).to.have.length(2);
    });
  });

  describe('says that it does not know', () => {
    it('what a column was that an update has set', () => {
      journal.recordUpdate('t', image('1', '5', 'new'), new Set(['status', 'title']));
      expect(touched(journal, 't', 'category', 'id')).to.deep.equal([encodeValues(['5', '1'])]);
      expect(touched(journal, 't', 'status')).to.equal(undefined);
      expect(touched(journal, 't', 'category', 'status')).to.equal(undefined);
      expect(touched(journal, 't')).to.deep.equal(['']);
    });

    it('anything of an unknown row, but that the table has changed', () => {
      const unknown: [RowState | undefined, RowState | undefined][] = [
        ['unknown', image('1', '5', 'a')],
        [image('1', '5', 'a'), 'unknown'],
        ['unknown', undefined],
        [undefined, 'unknown'],
      ];
      for (const [old, now] of unknown) {
        const journal = new Journal();
        journal.record('t', { old, new: now } as { old: RowState });
        expect(touched(journal, 't', 'id')).to.equal(undefined);
        expect(touched(journal, 't')).to.deep.equal(['']);
      }
    });

    it('the values of a column that images do not have', () => {
      journal.record('t', { new: image('1', '5', 'a') });
      expect(touched(journal, 't', 'id', 'title')).to.equal(undefined);
    });

    it('anything of a table that was widened', () => {
      journal.record('t', { new: image('1', '5', 'a') });
      journal.widen('t');
      journal.record('t', { new: image('2', '5', 'a') });
      expect(touched(journal, 't', 'id')).to.equal(undefined);
      expect(touched(journal, 't')).to.equal(undefined);
    });

    it('anything of a table with more rows than it may remember', () => {
      journal = new Journal({ rows: 3, characters: 1000 });
      journal.record('t', { new: image('1', '5', 'a') });
      journal.record('t', { old: image('1', '5', 'a'), new: image('1', '5', 'b') });
      journal.record('u', { new: image('9', '5', 'a') });
      expect(touched(journal, 't', 'id')).to.deep.equal(['1']);
      journal.record('t', { new: image('2', '5', 'a') });
      expect(touched(journal, 't', 'id')).to.equal(undefined);
      expect(touched(journal, 'u', 'id')).to.deep.equal(['9']);
    });

    it('anything of a table with more text in its rows than it may remember', () => {
      journal = new Journal({ rows: 1000, characters: 20 });
      journal.record('t', { new: image('1', '5', 'x'.repeat(18)) });
      expect(touched(journal, 't', 'id')).to.deep.equal(['1']);
      journal.record('t', { new: image('2', null, null) });
      expect(touched(journal, 't', 'id')).to.equal(undefined);
    });
  });

  describe('tells those who say what matters to them', () => {
    const read = (reads: string[], tests?: string[]) => schemeOf(['category'], reads, tests);
    const told = (scheme: Scheme) => {
      const steps = journal.changes()[0]!.touched(scheme);
      return steps && Object.fromEntries(steps);
    };

    it('nothing of an update that changes none of it', () => {
      const [old, now] = [image('1', '5', 'a'), image('1', '5', 'b')];
      journal.record('t', { old, new: now, changed: new Set(['status']) });
      expect(told(read([]))).to.deep.equal({});
      expect(told(read(['title'], ['id']))).to.deep.equal({});
      expect(told(read(['status']))).to.deep.equal({ 5: undefined });
      expect(told(schemeOf(['category']))).to.deep.equal({ 5: undefined });
    });

    it('nothing of what an update has not set, also where the old row is not known', () => {
      journal.recordUpdate('t', image('1', '5', 'b'), new Set(['status']));
      expect(told(read([]))).to.deep.equal({});
      expect(told(read(['status'], ['id']))).to.deep.equal({ 5: [[['1'], ['1'], 1]] });
      expect(told(read(['id'], ['status']))).to.deep.equal({ 5: undefined });
      expect(told(schemeOf(['status'], []))).to.equal(undefined);
    });

    it('what tested columns were and are', () => {
      journal.record('t', { new: image('1', '5', 'a') });
      journal.record('t', {
        old: image('1', '5', 'a'),
        new: image('1', '5', null),
        changed: new Set(['status']),
      });
      journal.record('t', { old: image('1', '5', null) });
      expect(told(read([], ['id', 'status']))).to.deep.equal({
        5: [
          [null, ['1', 'a'], 1],
          [['1', 'a'], ['1', null], 0],
          [['1', null], null, 1],
        ],
      });
    });

    it('that a row has left where it was, and has come where it is', () => {
      journal.record('t', {
        old: image('1', '5', 'a'),
        new: image('1', '6', 'b'),
        changed: new Set(['category', 'status']),
      });
      expect(told(read([], ['status']))).to.deep.equal({ 5: [[['a'], null, 1]], 6: [[null, ['b'], 1]] });
      expect(told(schemeOf([], [], ['category']))).to.deep.equal({ '': [[['5'], ['6'], 0]] });
    });

    it('a step of many rows once', () => {
      for (const id of ['1', '2', '3']) {
        journal.record('t', { new: image(id, '5', 'a') });
      }
      expect(told(read([], ['status']))).to.deep.equal({ 5: [[null, ['a'], 1]] });
    });

    it('no steps where a tested value is not known', () => {
      journal.record('t', { new: image('1', '5', 'a') });
      journal.record('t', { new: image('2', '6', 'a') });
      journal.recordUpdate('t', image('1', '5', 'b'), new Set(['status']));
      expect(told(read([], ['status']))).to.deep.equal({ 5: undefined, 6: [[null, ['a'], 1]] });
      expect(told(read([], ['title']))).to.deep.equal({ 5: undefined, 6: undefined });
    });

    it('no less of a row that may have been inserted', () => {
      journal.recordUpdate('t', image('1', '5', 'b'), new Set(['title']), false);
      expect(told(read([], ['status']))).to.deep.equal({ 5: [[['b'], ['b'], 1]] });
      expect(told(read([]))).to.deep.equal({ 5: undefined });
    });
  });

  it('is empty until something has changed', () => {
    expect(journal.isEmpty).to.equal(true);
    journal.savepoint('a');
    expect(journal.isEmpty).to.equal(true);
    journal.widen('t');
    expect(journal.isEmpty).to.equal(false);
    journal.rollbackTo('a');
    expect(journal.isEmpty).to.equal(true);
  });

  it('knows the transaction’s id from the first image on, also after that was undone', () => {
    expect(journal.xid).to.equal(undefined);
    journal.savepoint('a');
    journal.record('t', { old: 'unknown', new: image('1', '5', 'a') });
    journal.rollbackTo('a');
    expect(journal.xid).to.equal('7');
  });

  it('sums up what was done to each table', () => {
    journal.record('t', { new: image('1', '5', 'a') });
    journal.savepoint('a');
    journal.record('t', { old: image('1', '5', 'a'), new: image('1', '6', 'a') });
    journal.recordUpdate('t', image('1', '5', 'a'), new Set(['status']));
    journal.record('t', { old: 'unknown' });
    journal.widen('u');
    expect(journal.describe()).to.deep.equal([
      { table: 't', inserted: 1, updated: 2, deleted: 1, wide: false },
      { table: 'u', inserted: 0, updated: 0, deleted: 0, wide: true },
    ]);
  });

  describe('follows savepoints', () => {
    const insert = (id: string) => journal.record('t', { new: image(id, '5', 'a') });
    const ids = () => touched(journal, 't', 'id');

    it('and forgets what was rolled back', () => {
      insert('1');
      journal.savepoint('a');
      insert('2');
      journal.rollbackTo('a');
      insert('3');
      expect(ids()).to.deep.equal(['1', '3']);
    });

    it('to which it can be rolled back again', () => {
      journal.savepoint('a');
      insert('1');
      journal.rollbackTo('a');
      insert('2');
      journal.rollbackTo('a');
      expect(ids()).to.deep.equal([]);
    });

    it('which are gone with those made before them', () => {
      journal.savepoint('a');
      insert('1');
      journal.savepoint('b');
      insert('2');
      journal.rollbackTo('a');
      insert('3');
      journal.rollbackTo('b');
      expect(ids()).to.deep.equal(['3']);
    });

    it('and keeps what was released, until what is around it is rolled back', () => {
      journal.savepoint('a');
      insert('1');
      journal.savepoint('b');
      insert('2');
      journal.release('b');
      journal.rollbackTo('b');
      expect(ids()).to.deep.equal(['1', '2']);
      journal.rollbackTo('a');
      expect(ids()).to.deep.equal([]);
    });

    it('of which the last of a name counts', () => {
      journal.savepoint('a');
      insert('1');
      journal.savepoint('a');
      insert('2');
      journal.rollbackTo('a');
      expect(ids()).to.deep.equal(['1']);
      journal.release('a');
      journal.rollbackTo('a');
      expect(ids()).to.deep.equal([]);
    });

    it('and keeps everything if it does not know them', () => {
      insert('1');
      journal.rollbackTo('a');
      journal.release('a');
      expect(ids()).to.deep.equal(['1']);
    });

    it('and forgets nothing more where some were not seen', () => {
      journal.savepoint('a');
      insert('1');
      journal.loseSavepoints();
      journal.rollbackTo('a');
      insert('2');
      journal.release('a');
      journal.savepoint('a');
      insert('3');
      journal.rollbackTo('a');
      expect(ids()).to.deep.equal(['1', '2']);
    });

    it('and knows again what it knew before it had to widen', () => {
      insert('1');
      journal.savepoint('a');
      journal.widen('t');
      expect(ids()).to.equal(undefined);
      journal.rollbackTo('a');
      insert('2');
      expect(ids()).to.deep.equal(['1', '2']);
    });

    it('also with those of its bounds: all together remember no more rows than one', () => {
      journal = new Journal({ rows: 2, characters: 1000 });
      insert('1');
      journal.savepoint('a');
      insert('2');
      journal.savepoint('b');
      insert('3');
      expect(ids()).to.equal(undefined);
      journal.rollbackTo('b');
      expect(ids()).to.deep.equal(['1', '2']);
    });

    it('as a journal would that wrote everything down one after the other', () => {
      fc.assert(
        fc.property(fc.array(anyStep, { maxLength: 30 }), steps => {
          const journal = new Journal({ rows: 100, characters: 10_000 });
          const model = new Model();
          for (const step of steps) {
            step(journal);
            step(model);
            for (const columns of [['id'], ['category'], ['category', 'id'], []]) {
              expect(touched(journal, 't', ...columns)).to.deep.equal(model.touched(columns));
            }
            expect(journal.isEmpty).to.equal(model.touched([])?.length === 0);
          }
        }),
        { numRuns: 3000 },
      );
    });
  });
});

type Recorder = Pick<Journal, 'record' | 'recordUpdate' | 'widen' | 'savepoint' | 'rollbackTo' | 'release'>;

const anyImage = fc
  .tuple(fc.constantFrom('1', '2', '3'), fc.constantFrom('5', '6', null))
  .map(([id, category]) => image(id, category, 'a'));
const anyName = fc.constantFrom('a', 'b', 'c');

const anyStep: fc.Arbitrary<(recorder: Recorder) => void> = fc.oneof(
  anyImage.map(row => (recorder: Recorder) => recorder.record('t', { new: row })),
  anyImage.map(row => (recorder: Recorder) => recorder.record('t', { old: row })),
  fc.tuple(anyImage, anyImage).map(
    ([a, b]) =>
      (recorder: Recorder) =>
        recorder.record('t', { old: a, new: b }),
  ),
  anyImage.map(row => (recorder: Recorder) => recorder.recordUpdate('t', row, new Set(['category']))),
  fc.constant((recorder: Recorder) => recorder.widen('t')),
  ...(['savepoint', 'savepoint', 'rollbackTo', 'rollbackTo', 'release'] as const).map(verb =>
    anyName.map(name => (recorder: Recorder) => recorder[verb](name)),
  ),
);

/** The same, written down plainly: a list of events, in which savepoints are marks. */
class Model implements Recorder {
  #events: ({ savepoint: string } | { row: Image } | { unknown: string } | 'widened')[] = [];

  record(_: string, change: { old?: RowState | undefined; new?: RowState | undefined }): void {
    for (const row of [change.old, change.new]) {
      if (row && row !== 'unknown') {
        this.#events.push({ row });
      }
    }
  }

  recordUpdate(_: string, row: Image, set: Iterable<string>): void {
    this.#events.push({ row }, ...[...set].map(unknown => ({ unknown })));
  }

  widen(): void {
    this.#events.push('widened');
  }

  savepoint(savepoint: string): void {
    this.#events.push({ savepoint });
  }

  rollbackTo(name: string): void {
    const at = this.#indexOf(name);
    this.#events = at < 0 ? this.#events : this.#events.slice(0, at + 1);
  }

  release(name: string): void {
    const at = this.#indexOf(name);
    if (at >= 0) {
      this.#events = this.#events.filter(
        (event, i) => i < at || typeof event === 'string' || !('savepoint' in event),
      );
    }
  }

  touched(columns: string[]): string[] | undefined {
    const touched = new Set<string>();
    for (const event of this.#events) {
      if (event === 'widened' || ('unknown' in event && columns.includes(event.unknown))) {
        return undefined;
      }
      if ('row' in event) {
        const values = columns.toSorted().map(column => event.row.row.values[positions.get(column)!]!);
        touched.add(encodeValues(values));
      }
    }
    return [...touched].sort();
  }

  #indexOf(name: string): number {
    return this.#events.findLastIndex(
      event => typeof event !== 'string' && 'savepoint' in event && event.savepoint === name,
    );
  }
}
