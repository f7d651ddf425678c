import { expect } from 'chai';
import { and, type Formula, type Source } from '../../lib/query/formula.js';
import { hasSatisfied, keyOfJoinedRow } from '../../lib/query/joined_row.js';
import { deltasMatter, type ResultBounds } from '../../lib/query/row_deltas.js';
import type { WatchedTable } from '../../lib/query/watch.js';
import type { Canonical } from '../../lib/values/comparable.js';
import { encodeValues } from '../../lib/values/encode.js';
import type { RowDelta } from '../../lib/values/row_delta.js';
import { WHOLE_TABLE } from '../../lib/values/scheme.js';
import { above, article, CommentsByArticle, equal } from './comments_by_article.js';

describe('a joined row', () => {
  // tests: id, price
  const query = new CommentsByArticle(above(article, 'price', '10'));

  describe('is shown as one that satisfied its condition', () => {
    const SHOWN: Record<string, [RowDelta, boolean]> = {
      'by an update after which it does': [[['7', '5'], ['7', '11'], 0], true],
      'by an update before which it did': [[['7', '11'], ['7', '5'], 0], true],
      'by an insertion': [[null, ['7', '11'], 2], true],
      'by a deletion': [[['7', '11'], null, 2], true],
      'by a row that gets its key': [[['8', '11'], ['7', '11'], 0], true],
      'not by states that fail the condition': [[['7', '5'], ['7', '6'], 1], false],
      'not by another row': [[['8', '5'], ['8', '11'], 1], false],
      'not by a row that satisfies it with another key': [[['7', '5'], ['8', '11'], 0], false],
    };
    for (const [how, [delta, expected]] of Object.entries(SHOWN)) {
      it(how, () => expect(query.shows(['7'], delta)).to.equal(expected));
    }

    it('not by a row of another table', () => {
      expect(query.shows(['7'], [['7'], ['7'], 1], 'comment')).to.equal(false);
    });

    it('by a delta of a dependency that this query does not have', () => {
      const other = new CommentsByArticle(above(article, 'age', '10')).on('article');
      expect(query.shows(['7'], [['1', '1'], ['1', '1'], 0], 'article', other)).to.equal(true);
      const byKind = (value: string) =>
        new CommentsByArticle(and([above(article, 'price', '10'), equal(article, 'kind', value)]));
      const unknown = byKind('2').on('article');
      const failing: RowDelta = [['8', '5'], ['8', '5'], 1];
      expect(byKind('1').shows(['7'], failing, 'article', unknown)).to.equal(true);
      expect(byKind('2').shows(['7'], failing, 'article', unknown)).to.equal(false);
    });

    it('by any change of a table that is watched as a whole', () => {
      const whole: WatchedTable = {
        table: 'article',
        dependencies: [{ scheme: WHOLE_TABLE, values: '' }],
      };
      const moved = [{ table: 'article', dependency: whole.dependencies[0]!, steps: [] }];
      expect(hasSatisfied(query.joinedRow, '7', [whole], moved)).to.equal(true);
    });

    it('by any change of a row whose key is not in the delta', () => {
      const keyless = new CommentsByArticle(above(article, 'price', '10'), ['id'], [], []);
      expect(keyless.on('article').scheme.tests).to.deep.equal(['price']);
      expect(keyless.shows(['7'], [['5'], ['11'], 0])).to.equal(true);
    });

    it('by its whole key', () => {
      // tests: id, lang, price
      const two = new CommentsByArticle(above(article, 'price', '10'), ['id', 'lang']);
      const of = (id: string, lang: string): RowDelta => [null, [id, lang, '11'], 2];
      expect(two.shows(['7', 'de'], of('7', 'de'))).to.equal(true);
      expect(two.shows(['7', 'de'], of('7', 'en'))).to.equal(false);
      expect(two.shows(['7', 'de'], of('8', 'de'))).to.equal(false);
    });

    it('by its own reference, not by another reference to its table', () => {
      const other: Source = { table: 'article' };
      const cheap: Formula = {
        type: 'test',
        source: other,
        column: 'price',
        test: { type: '<', kind: 'integer', value: '3' },
      };
      const both = new CommentsByArticle(
        and([above(article, 'price', '10'), cheap]),
        ['id'],
        [{ table: 'article', source: other, reads: [], bounded: ['id'] }],
      );
      expect(both.shows(['7'], [null, ['7', '11'], 2])).to.equal(true);
      expect(both.shows(['7'], [null, ['7', '1'], 2])).to.equal(false);
    });
  });

  it('has a key if no column of it is NULL or unknown', () => {
    const { joinedRow } = new CommentsByArticle(above(article, 'price', '10'), ['id', 'lang']);
    const tests = ['article_lang', 'title', 'article_id'];
    expect(keyOfJoinedRow(joinedRow, tests, ['de', 'x', '7'])).to.equal(encodeValues(['7', 'de']));
    expect(keyOfJoinedRow(joinedRow, tests, ['de', null, '7'])).to.equal(encodeValues(['7', 'de']));
    expect(keyOfJoinedRow(joinedRow, tests, ['de', 'x', null])).to.equal(undefined);
    expect(keyOfJoinedRow(joinedRow, tests, [null, 'x', null])).to.equal(undefined);
    expect(keyOfJoinedRow(joinedRow, ['article_lang'], ['de'])).to.equal(undefined);
  });

  describe('that fails its condition', () => {
    const moves = (from: Canonical, to: Canonical): RowDelta => [[from], [to], 1];

    it('keeps the rows that it is joined to out of the result', () => {
      expect(query.matters(moves('7', '8'), [])).to.equal(true);
      expect(query.matters(moves('7', '8'), ['7'])).to.equal(true);
      expect(query.matters(moves('7', '8'), ['8'])).to.equal(true);
      expect(query.matters(moves('7', '8'), ['7', '8'])).to.equal(false);
      expect(query.matters([null, ['7'], 2], ['7'])).to.equal(false);
      expect(query.matters([['7'], null, 2], ['7'])).to.equal(false);
      expect(query.matters([['7'], null, 2], ['8'])).to.equal(true);
    });

    it('is none for a row without a key', () => {
      const bounds: ResultBounds = [null, { type: 'keys', columns: ['id'], keys: ['8'], filters: true }];
      expect(query.matters(moves('7', null), ['7', '!', ''])).to.equal(true);
      expect(query.matters(moves('7', null), ['7', '!', ''], bounds)).to.equal(true);
    });

    it('is not known without a lookup', () => {
      expect(deltasMatter(query.on('comment'), [moves('7', '8')], [])).to.equal(true);
    });

    it('is not looked for if it is in the result', () => {
      const keys = (...columns: string[]) => ({ type: 'keys' as const, columns, keys: ['7'], filters: true });
      expect(query.matters(moves('7', '7'), ['7'], [null, keys('id')])).to.equal(true);
      expect(query.matters(moves('8', '8'), ['8'], [null, keys('id')])).to.equal(false);
      // not the joined row's key
      expect(query.matters(moves('7', '7'), ['7'], [null, keys('author_id')])).to.equal(false);
      expect(query.matters(moves('7', '7'), ['7'], [null, keys('id', 'author_id')])).to.equal(false);
      const page = { type: 'window' as const, order: [], bound: [] };
      expect(query.matters(moves('7', '7'), ['7'], [null, page])).to.equal(false);
      expect(query.matters(moves('7', '7'), ['7'], [null, null])).to.equal(false);
    });

    it('keeps a row out of a page, and out of the rows of a bound', () => {
      const last = ['7', '7'] as const;
      const page: ResultBounds = [
        {
          type: 'window',
          order: [{ column: 'article_id', kind: 'integer', desc: false, nullsFirst: false }],
          bound: [last],
        },
      ];
      expect(query.matters([null, ['7'], 2], ['7'], page)).to.equal(false);
      expect(query.matters([null, ['7'], 2], [], page)).to.equal(true);
      expect(query.matters([null, ['8'], 2], [], page)).to.equal(false);
      const rows: ResultBounds = [{ type: 'keys', columns: ['article_id'], keys: ['7'], filters: true }];
      expect(query.matters(moves('7', '7'), ['7'], rows)).to.equal(false);
      expect(query.matters(moves('7', '7'), [], rows)).to.equal(true);
      expect(query.matters([null, ['8'], 2], ['8'], rows)).to.equal(false);
      expect(query.matters([null, ['8'], 2], [], rows)).to.equal(true);
    });
  });
});
