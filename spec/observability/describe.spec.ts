import { expect } from 'chai';
import { describeCause } from '../../lib/observability/describe.js';
import { dependencyOf } from '../../lib/values/encode.js';
import type { RowDelta } from '../../lib/values/row_delta.js';

describe('the cause of a miss', () => {
  const causeOf = (step: RowDelta, reads?: readonly string[]) =>
    describeCause({
      table: 'here/public.article',
      dependency: dependencyOf(new Map([['category', '7']]), reads, ['id', 'price']),
      steps: [step],
    });

  it('names the table, the changed columns and the row', () => {
    expect(causeOf([['1', '12'], ['1', '9'], 1])).to.equal('article: price 12 → 9 where category=7 and id=1');
  });

  it('names the columns that are read, if none that is compared has changed', () => {
    expect(causeOf([['1', '12'], ['1', '12'], 1], ['title', 'views'])).to.equal(
      'article: title or views changed where category=7 and id=1 and price=12',
    );
    expect(causeOf([['1', '12'], ['1', '12'], 1])).to.equal(
      'article: a column changed where category=7 and id=1 and price=12',
    );
  });

  it('tells rows that are inserted and deleted from rows that begin and cease to match', () => {
    expect(causeOf([null, ['1', null], 2])).to.equal(
      'article: a row was inserted where category=7 and id=1 and price=null',
    );
    expect(causeOf([['1', '12'], null, 2])).to.equal(
      'article: a row was deleted where category=7 and id=1 and price=12',
    );
    expect(causeOf([null, ['1', '12'], 1])).to.equal(
      'article: a row began to match where category=7 and id=1 and price=12',
    );
    expect(causeOf([['1', '12'], null, 1])).to.equal(
      'article: a row ceased to match where category=7 and id=1 and price=12',
    );
  });
});
