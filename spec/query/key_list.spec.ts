import type { EntityMetadata } from '@mikro-orm/core';
import type { MikroORM } from '@mikro-orm/pglite';
import { expect } from 'chai';
import { Article, ArticleTranslation, Author, entities } from '../../fixtures/legacy/index.js';
import { findKeyList, withKeys } from '../../lib/query/key_list.js';
import { joinUncached } from '../orm/support/start.js';

describe('key lists', () => {
  let orm: MikroORM;

  before(async () => {
    orm = await joinUncached({ entities });
  });

  after(() => orm.close());

  const meta = (entity: new () => object) => orm.getMetadata().get(entity as never) as EntityMetadata;
  const find = (where: unknown, entity: new () => object = Article) => {
    const list = findKeyList(meta(entity), where);
    return list && [list.prop.name, list.keys];
  };
  const many = Array.from({ length: 101 }, (_, i) => i);

  it('a list of primary keys, unique values or references is a key list', () => {
    expect(find({ id: { $in: [3, 1] } })).to.deep.equal(['id', [3, 1]]);
    expect(find({ author: { $in: [1, 2] } })).to.deep.equal(['author', [1, 2]]);
    expect(find({ email: { $in: ['a', 'b'] } }, Author)).to.deep.equal(['email', ['a', 'b']]);
    expect(find({ locale: { $in: ['de', 'fr'] } }, ArticleTranslation)).to.deep.equal([
      'locale',
      ['de', 'fr'],
    ]);
    expect(find({ id: { $in: many.slice(1) } })).to.deep.equal(['id', many.slice(1)]);
  });

  it('a condition with a hidden mark is no key list, because a copy would lose the mark', () => {
    const ids = Object.defineProperty({ id: { $in: [1, 2] } }, '__strict', { value: true });
    expect(find(ids)).to.equal(undefined);
    expect(find({ $and: [ids] })).to.equal(undefined);
  });

  it('a key list may be combined with other conditions', () => {
    const ids = { id: { $in: [1, 2] } };
    const expected = ['id', [1, 2]];
    expect(find({ ...ids, status: 'draft', views: { $gt: 3n } })).to.deep.equal(expected);
    expect(find({ $and: [{ title: 'a' }, ids] })).to.deep.equal(expected);
    expect(find({ $and: [{ $and: [ids] }], $or: [{ title: 'a' }, { title: 'b' }] })).to.deep.equal(expected);
    expect(find({ $or: [ids] })).to.deep.equal(expected);
    expect(find({ ...ids, status: { $in: ['draft', 'published'] } })).to.deep.equal(expected);
    expect(find({ ...ids, author: { $in: [1] } })).to.equal(undefined);
  });

  it('there is no key list if rows of the result may have none of its keys, or several', () => {
    for (const where of [
      {},
      { id: 1 },
      1,
      [1, 2],
      undefined,
      { id: { $nin: [1, 2] } },
      { $or: [{ id: { $in: [1, 2] } }, { title: 'a' }] },
      { $not: { id: { $in: [1, 2] } } },
      { author: { id: { $in: [1, 2] } } },
      { tags: { $some: { id: { $in: [1, 2] } } } },
      { tags: { $in: [1, 2] } },
      { title: { $in: ['a', 'b'] } },
      { id: { $in: [1, 2], $ne: 1 } },
      { id: { $in: [1, 2] }, author: { $in: [1, 2] } },
      { 'article~~~locale': { $in: [[1, 'de']] } },
    ]) {
      expect(find(where), JSON.stringify(where)).to.equal(undefined);
    }
  });

  it('a list that cannot be split is no key list', () => {
    for (const keys of [
      [],
      [1],
      [1, 1],
      [1, null],
      [1, [2]],
      [1, '2'],
      [1, 2n],
      [new Date(1), new Date(2)],
      many,
      'ab',
    ]) {
      expect(find({ id: { $in: keys } }), String(keys)).to.equal(undefined);
    }
  });

  it('withKeys replaces the keys and nothing else', () => {
    for (const where of [
      { status: 'draft', id: { $in: [1, 2] } },
      { $and: [{ title: 'a' }, { $or: [{ id: { $in: [1, 2] } }] }], views: 1n },
    ]) {
      const copy = structuredClone(where);
      const list = findKeyList(meta(Article), where)!;
      const replaced = withKeys(where, list, [7]);
      expect(findKeyList(meta(Article), withKeys(replaced, list, [7, 8]))!.keys).to.deep.equal([7, 8]);
      expect(withKeys(replaced, list, [1, 2])).to.deep.equal(where);
      expect(Object.keys(replaced as object)).to.deep.equal(Object.keys(where));
      expect(where).to.deep.equal(copy);
    }
  });
});
