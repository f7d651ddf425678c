import { expect } from 'chai';
import { Article, Author, entities, Shelf } from '../../fixtures/es/index.js';
import { cachedMethod } from '../../lib/index.js';
import { type Started, start } from '../orm/support/start.js';

describe('cached methods in the standard flavour', () => {
  let started: Started;
  const fork = () => started.orm.em.fork();

  before(async () => {
    started = await start({ entities });
    const em = fork();
    const author = em.create(Author, { name: 'Ann', email: 'ann@example.org' } as never);
    em.create(Article, { title: 'One', author });
    em.create(Article, { title: 'One', author });
    await em.flush();
  });

  after(() => started.orm.close());

  it('are cached until their sample changes', async () => {
    const shelf = new Shelf(fork());
    expect(await shelf.byTitle('One')).to.have.lengthOf(2);
    await started.cache.idle();
    const other = new Shelf(fork());
    const [first] = await other.byTitle('One');
    expect(first).to.be.instanceOf(Article);
    expect(await other.byTitle('One', 1)).to.have.lengthOf(1);
    expect(other.computed).to.equal(1);
    first!.title = 'Two';
    await other.em.flush();
    expect(await shelf.byTitle('One')).to.have.lengthOf(1);
    expect(shelf.computed).to.equal(2);
  });

  it('are cached for a time, and invalidated by their controls', async () => {
    const shelf = new Shelf(fork());
    expect([await shelf.square(3), await shelf.square(3), await shelf.square(4)]).to.deep.equal([9, 9, 16]);
    expect(shelf.computed).to.equal(2);
    await cachedMethod(shelf, 'square').invalidate(3);
    expect([await shelf.square(3), await shelf.square(4)]).to.deep.equal([9, 16]);
    expect(shelf.computed).to.equal(3);
  });

  it('may be static', async () => {
    Shelf.cache = started.cache.cache;
    expect([await Shelf.cube(2), await Shelf.cube(2)]).to.deep.equal([8, 8]);
    expect(Shelf.computed).to.equal(1);
    await cachedMethod(Shelf, 'cube').invalidate(2);
    await Shelf.cube(2);
    expect(Shelf.computed).to.equal(2);
  });
});
