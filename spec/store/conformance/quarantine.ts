import { expect } from 'chai';
import { type MakeSubject, subjects } from '../subject.js';
import {
  ALL,
  ARTICLE,
  AUTHOR,
  articles,
  cache,
  category,
  expectMiss,
  LONG,
  leaseGranted,
  leaseRefused,
  on,
  query,
  touching,
  touchingEverything,
  trust,
  writer,
} from '../words.js';

export function describeQuarantine(makeSubject: MakeSubject): void {
  const make = subjects(makeSubject);
  const seven = articles(category('7'));
  const joined = query(on(ARTICLE, category('7')), on(AUTHOR, ALL));
  const registry = `t:{${ARTICLE}}`;

  it('refuses leases of every process and scheme on a new registry until it is lifted', async () => {
    const { store, other } = await make();
    const refusal = await leaseRefused(store, seven);
    expect(refusal.writers).to.deep.equal([]);
    expect(refusal.quarantines).to.have.lengthOf(1);
    expect(refusal.quarantines[0]!.table).to.equal(ARTICLE);

    expect((await leaseRefused(other, seven)).quarantines).to.deep.equal(refusal.quarantines);
    expect((await leaseRefused(other, articles(ALL))).quarantines).to.deep.equal(refusal.quarantines);
    await other.lift(refusal.quarantines[0]!);
    await leaseGranted(store, seven);
    await leaseGranted(store, articles(ALL));
  });

  it('is reported for each table', async () => {
    const { store } = await make();
    const { quarantines } = await leaseRefused(store, joined);
    expect(quarantines.map(({ table }) => table)).to.have.members([ARTICLE, AUTHOR]);
    await store.lift(quarantines.find(({ table }) => table === AUTHOR)!);

    expect((await leaseRefused(store, joined)).quarantines.map(({ table }) => table)).to.deep.equal([
      ARTICLE,
    ]);
  });

  it('starts again when the registry is lost, and everything that depends on the table is dropped', async () => {
    const { store, evict } = await make();
    await cache(store, seven, 'seven');
    await evict(registry);

    await leaseRefused(store, articles(ALL));
    await expectMiss(store, seven);
  });

  it('is not lifted with the nonce of an earlier one', async () => {
    const { store, evict } = await make();
    const [first] = (await leaseRefused(store, seven)).quarantines;
    await evict(registry);
    const [second] = (await leaseRefused(store, seven)).quarantines;
    expect(second!.nonce).not.to.equal(first!.nonce);

    await store.lift(first!);
    expect((await leaseRefused(store, seven)).quarantines).to.deep.equal([second]);
    await store.lift(second!);
    await leaseGranted(store, seven);
  });

  it('may be lifted twice, or without having existed', async () => {
    const { store } = await make();
    const [quarantine] = (await leaseRefused(store, seven)).quarantines;
    await store.lift({ table: 'no.such.table', nonce: quarantine!.nonce });
    await store.lift(quarantine!);
    await store.lift(quarantine!);

    await leaseGranted(store, seven);
  });

  it('also begins with a mark, whose writer remains in flight when it is lifted', async () => {
    const { store, other } = await make();
    const w = writer();
    await other.mark(w, [touching(ARTICLE, category('7'))]);
    const [quarantine] = (await leaseRefused(store, seven)).quarantines;
    await store.lift(quarantine!);

    expect((await leaseRefused(store, seven)).writers.map(({ id }) => id)).to.deep.equal([w.id]);
    await other.settle(w.id, [ARTICLE]);
    await leaseGranted(store, seven);
  });

  it('does not prevent that writers are recorded', async () => {
    const { store } = await make();
    const [quarantine] = (await leaseRefused(store, seven)).quarantines;
    const w = writer();
    await store.mark(w, [touching(ARTICLE, category('7'))]);
    await store.lift(quarantine!);

    expect((await leaseRefused(store, seven)).writers.map(({ id }) => id)).to.deep.equal([w.id]);
    await leaseGranted(store, articles(category('8')));
  });

  it('invalidates leases from before it', async () => {
    const { store, evict } = await make();
    await trust(store, seven);
    const seal = await leaseGranted(store, seven);
    await evict(registry);
    await trust(store, articles(ALL));
    await store.fill(seven, seal, Buffer.from('old'), LONG);

    await expectMiss(store, seven);
  });

  it('begins if a writer finds the registry lost, and everything that depends on the table is dropped', async () => {
    const { store, other, evict } = await make();
    await cache(store, seven, 'seven');
    await evict(registry);
    await other.mark(writer(), [touching(ARTICLE)]);

    await expectMiss(store, seven);
    expect((await leaseRefused(store, seven)).quarantines).to.have.lengthOf(1);
  });

  it('begins again after everything was cleared', async () => {
    const { store, other } = await make();
    await cache(store, joined, 'joined');
    await other.clear();

    await expectMiss(store, joined);
    expect((await leaseRefused(store, joined)).quarantines).to.have.lengthOf(2);
  });

  it('does not begin for tables that are kept when everything else is cleared', async () => {
    const { store, other } = await make();
    const authors = query(on(AUTHOR, ALL));
    await cache(store, joined, 'joined');
    const seal = await leaseGranted(store, authors);
    await store.mark(writer('7'), [touching(ARTICLE, category('8'))]);
    await other.clear([AUTHOR]);

    await expectMiss(store, joined);
    expect(await leaseGranted(store, authors)).to.equal(seal);
    expect((await leaseRefused(store, joined)).quarantines.map(({ table }) => table)).to.deep.equal([
      ARTICLE,
    ]);

    await store.mark(writer('8'), [touchingEverything(AUTHOR)]);
    await other.clear([AUTHOR]);
    expect((await leaseRefused(store, authors)).writers.map(({ xid }) => xid)).to.deep.equal(['8']);
  });
}
