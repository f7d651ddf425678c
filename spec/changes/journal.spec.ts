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

/** The affected dependencies of a table, by the columns of each scheme. */
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

  describe('affected dependencies', () => {
    it('an inserted row affects its new values', () => {
      journal.record('t', { new: image('1', '5', 'new') });
      expect(touched(journal, 't', 'category')).to.deep.equal(['5']);
      expect(touched(journal, 't', 'status', 'category')).to.deep.equal([encodeValues(['5', 'new'])]);
      expect(touched(journal, 't')).to.deep.equal(['']);
    });

    it('a deleted row affects its old values', () => {
      journal.record('t', { old: image('1', null, 'old') });
      expect(touched(journal, 't', 'category')).to.deep.equal(['!']);
    });

    it('an updated row affects its old and its new values', () => {
      journal.record('t', { old: image('1', '5', 'old'), new: image('1', '5', 'new') });
      expect(touched(journal, 't', 'category')).to.deep.equal(['5']);
      expect(touched(journal, 't', 'status')).to.deep.equal(['new', 'old']);
    });

    it('an update that changes no known column still affects the row, because columns without an image may have changed', () => {
      journal.record('t', { old: image('1', '5', 'x'), new: image('1', '5', 'x') });
      expect(touched(journal, 't', 'id')).to.deep.equal(['1']);
    });

    it('several changes of a row affect all its intermediate values', () => {
      journal.record('t', { old: image('1', '5', 'a'), new: image('1', '6', 'a') });
      journal.record('t', { old: image('1', '6', 'a'), new: image('1', '7', 'a') });
      expect(touched(journal, 't', 'category')).to.deep.equal(['5', '6', '7']);
    });

    it('each table has its own changes', () => {
      journal.record('t', { new: image('1', '5', 'a') });
      journal.record('u', { new: image('2', '6', 'b') });
      expect(touched(journal, 't', 'id')).to.deep.equal(['1']);
      expect(touched(journal, 'u', 'id')).to.deep.equal(['2']);
      expect(journal.changes()).to.have.length(2);
    });
  });

  describe('unknown changes', () => {
    it('the old value of a column that an update sets is unknown', () => {
      journal.recordUpdate('t', image('1', '5', 'new'), new Set(['status', 'title']));
      expect(touched(journal, 't', 'category', 'id')).to.deep.equal([encodeValues(['5', '1'])]);
      expect(touched(journal, 't', 'status')).to.equal(undefined);
      expect(touched(journal, 't', 'category', 'status')).to.equal(undefined);
      expect(touched(journal, 't')).to.deep.equal(['']);
    });

    it('an unknown row affects any values of its table', () => {
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

    it('the values of a column without an image are unknown', () => {
      journal.record('t', { new: image('1', '5', 'a') });
      expect(touched(journal, 't', 'id', 'title')).to.equal(undefined);
    });

    it('a widened table is affected as a whole', () => {
      journal.record('t', { new: image('1', '5', 'a') });
      journal.widen('t');
      journal.record('t', { new: image('2', '5', 'a') });
      expect(touched(journal, 't', 'id')).to.equal(undefined);
      expect(touched(journal, 't')).to.equal(undefined);
    });

    it('a table with more changed rows than the limit is affected as a whole', () => {
      journal = new Journal({ rows: 3, characters: 1000 });
      journal.record('t', { new: image('1', '5', 'a') });
      journal.record('t', { old: image('1', '5', 'a'), new: image('1', '5', 'b') });
      journal.record('u', { new: image('9', '5', 'a') });
      expect(touched(journal, 't', 'id')).to.deep.equal(['1']);
      journal.record('t', { new: image('2', '5', 'a') });
      expect(touched(journal, 't', 'id')).to.equal(undefined);
      expect(touched(journal, 'u', 'id')).to.deep.equal(['9']);
    });

    it('a table with more changed text than the limit is affected as a whole', () => {
      journal = new Journal({ rows: 1000, characters: 20 });
      journal.record('t', { new: image('1', '5', 'x'.repeat(18)) });
      expect(touched(journal, 't', 'id')).to.deep.equal(['1']);
      journal.record('t', { new: image('2', null, null) });
      expect(touched(journal, 't', 'id')).to.equal(undefined);
    });
  });

  describe('changes that matter to a scheme', () => {
    const read = (reads: string[], tests?: string[]) => schemeOf(['category'], reads, tests);
    const affected = (scheme: Scheme) => {
      const deltas = journal.changes()[0]!.touched(scheme);
      return deltas && Object.fromEntries(deltas);
    };

    it('an update that changes none of the columns read does not affect the scheme', () => {
      const [old, now] = [image('1', '5', 'a'), image('1', '5', 'b')];
      journal.record('t', { old, new: now, changed: new Set(['status']) });
      expect(affected(read([]))).to.deep.equal({});
      expect(affected(read(['title'], ['id']))).to.deep.equal({});
      expect(affected(read(['status']))).to.deep.equal({ 5: undefined });
      expect(affected(schemeOf(['category']))).to.deep.equal({ 5: undefined });
    });

    it('columns that an update does not set do not affect the scheme, even if the old row is unknown', () => {
      journal.recordUpdate('t', image('1', '5', 'b'), new Set(['status']));
      expect(affected(read([]))).to.deep.equal({});
      expect(affected(read(['status'], ['id']))).to.deep.equal({ 5: [[['1'], ['1'], 1]] });
      expect(affected(read(['id'], ['status']))).to.deep.equal({ 5: undefined });
      expect(affected(schemeOf(['status'], []))).to.equal(undefined);
    });

    it('row deltas contain the old and new values of tested columns', () => {
      journal.record('t', { new: image('1', '5', 'a') });
      journal.record('t', {
        old: image('1', '5', 'a'),
        new: image('1', '5', null),
        changed: new Set(['status']),
      });
      journal.record('t', { old: image('1', '5', null) });
      expect(affected(read([], ['id', 'status']))).to.deep.equal({
        5: [
          [null, ['1', 'a'], 2],
          [['1', 'a'], ['1', null], 0],
          [['1', null], null, 2],
        ],
      });
    });

    it('a row that moves leaves its old dependency and enters its new one', () => {
      journal.record('t', {
        old: image('1', '5', 'a'),
        new: image('1', '6', 'b'),
        changed: new Set(['category', 'status']),
      });
      expect(affected(read([], ['status']))).to.deep.equal({ 5: [[['a'], null, 1]], 6: [[null, ['b'], 1]] });
      expect(affected(schemeOf([], [], ['category']))).to.deep.equal({ '': [[['5'], ['6'], 0]] });
    });

    it('equal row deltas of many rows are kept once', () => {
      for (const id of ['1', '2', '3']) {
        journal.record('t', { new: image(id, '5', 'a') });
      }
      expect(affected(read([], ['status']))).to.deep.equal({ 5: [[null, ['a'], 2]] });
    });

    it('there are no row deltas if a tested value is unknown', () => {
      journal.record('t', { new: image('1', '5', 'a') });
      journal.record('t', { new: image('2', '6', 'a') });
      journal.recordUpdate('t', image('1', '5', 'b'), new Set(['status']));
      expect(affected(read([], ['status']))).to.deep.equal({ 5: undefined, 6: [[null, ['a'], 2]] });
      expect(affected(read([], ['title']))).to.deep.equal({ 5: undefined, 6: undefined });
    });

    it('a row that may have been inserted affects all dependencies of its values', () => {
      journal.recordUpdate('t', image('1', '5', 'b'), new Set(['title']), false);
      expect(affected(read([], ['status']))).to.deep.equal({ 5: [[['b'], ['b'], 1]] });
      expect(affected(read([]))).to.deep.equal({ 5: undefined });
    });
  });

  it('a journal is empty until something changes', () => {
    expect(journal.isEmpty).to.equal(true);
    journal.savepoint('a');
    expect(journal.isEmpty).to.equal(true);
    journal.widen('t');
    expect(journal.isEmpty).to.equal(false);
    journal.rollbackTo('a');
    expect(journal.isEmpty).to.equal(true);
  });

  it('the journal has the transaction’s id after the first image, even after a rollback to a savepoint', () => {
    expect(journal.xid).to.equal(undefined);
    journal.savepoint('a');
    journal.record('t', { old: 'unknown', new: image('1', '5', 'a') });
    journal.rollbackTo('a');
    expect(journal.xid).to.equal('7');
  });

  it('the summary counts the changes of each table', () => {
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

  describe('savepoints', () => {
    const insert = (id: string) => journal.record('t', { new: image(id, '5', 'a') });
    const ids = () => touched(journal, 't', 'id');

    it('ROLLBACK TO drops the changes since the savepoint', () => {
      insert('1');
      journal.savepoint('a');
      insert('2');
      journal.rollbackTo('a');
      insert('3');
      expect(ids()).to.deep.equal(['1', '3']);
    });

    it('a savepoint can be rolled back to repeatedly', () => {
      journal.savepoint('a');
      insert('1');
      journal.rollbackTo('a');
      insert('2');
      journal.rollbackTo('a');
      expect(ids()).to.deep.equal([]);
    });

    it('a rollback to an outer savepoint removes inner savepoints', () => {
      journal.savepoint('a');
      insert('1');
      journal.savepoint('b');
      insert('2');
      journal.rollbackTo('a');
      insert('3');
      journal.rollbackTo('b');
      expect(ids()).to.deep.equal(['3']);
    });

    it('changes of a released savepoint are kept until an outer savepoint is rolled back', () => {
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

    it('the last savepoint with a name is used', () => {
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

    it('an unknown savepoint name drops no changes', () => {
      insert('1');
      journal.rollbackTo('a');
      journal.release('a');
      expect(ids()).to.deep.equal(['1']);
    });

    it('a table whose changed rows are unknown stays so when savepoints are released', () => {
      const steps = [() => insert('1'), () => journal.widen('t'), () => insert('2')];
      for (const at of [0, 1, 2, 3]) {
        journal = new Journal();
        for (const [i, step] of steps.entries()) {
          if (i === at) {
            journal.savepoint('a');
          }
          step();
        }
        const summary = { table: 't', inserted: 2, updated: 0, deleted: 0, wide: true };
        for (const release of [() => {}, () => journal.release('a'), () => journal.loseSavepoints()]) {
          release();
          expect(ids(), `savepoint before step ${at}`).to.equal(undefined);
          expect(journal.describe()).to.deep.equal([summary]);
        }
      }
    });

    it('the limits of a table count the rows of all savepoints, released or not', () => {
      const limited = (write: (id: string) => void, limits: { rows: number; characters: number }) => {
        for (const release of [true, false]) {
          journal = new Journal(limits);
          for (const id of ['1', '2', '3']) {
            journal.savepoint('a');
            write(id);
            if (release) {
              journal.release('a');
            }
            expect(ids() === undefined, `${id} of ${JSON.stringify(limits)}`).to.equal(id === '3');
          }
          expect(journal.describe()).to.have.length(1);
        }
      };
      const update = (id: string) =>
        journal.record('t', { old: image(id, '5', 'a'), new: image(id, '5', 'b') });
      const updateOfNewRow = (id: string) =>
        journal.recordUpdate('t', image(id, '5', 'a'), new Set(['status']));
      const remove = (id: string) => journal.record('t', { old: image(id, '5', 'a') });
      for (const write of [insert, remove, updateOfNewRow]) {
        limited(write, { rows: 2, characters: 1000 });
        limited(write, { rows: 1000, characters: 6 });
      }
      limited(update, { rows: 4, characters: 1000 });
      limited(update, { rows: 1000, characters: 12 });
    });

    it('the changes of savepoints are counted', () => {
      insert('1');
      journal.savepoint('a');
      insert('2');
      journal.record('t', { old: image('1', '5', 'a'), new: image('1', '6', 'a') });
      journal.record('t', { old: image('1', '6', 'a') });
      const summary = { table: 't', inserted: 2, updated: 1, deleted: 1, wide: false };
      expect(journal.describe()).to.deep.equal([summary]);
      journal.release('a');
      expect(journal.describe()).to.deep.equal([summary]);
    });

    it('after unknown savepoints no changes are dropped', () => {
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

    it('a rollback restores the known changes of a table that was widened since the savepoint', () => {
      insert('1');
      journal.savepoint('a');
      journal.widen('t');
      expect(ids()).to.equal(undefined);
      journal.rollbackTo('a');
      insert('2');
      expect(ids()).to.deep.equal(['1', '2']);
    });

    it('all savepoints together remember no more rows than the limit', () => {
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

    it('a journal equals a plain list of all changes for any sequence of events', () => {
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

/** The same as a plain list of events, with savepoints as marks. */
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
