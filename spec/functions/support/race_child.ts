import { ReflectMetadataProvider } from '@mikro-orm/decorators/legacy';
import { MikroORM } from '@mikro-orm/postgresql';
import { entities, Tag } from '../../../fixtures/legacy/index.js';
import { cachedAs, cacheops, getCacheops } from '../../../lib/index.js';

/** What the parent asks for: to begin computing, to go on with it, or to write. */
export type Order = 'read' | 'go on' | { readonly write: string };

const [clientUrl, redis] = process.argv.slice(2) as [string, string];
const orm = await MikroORM.init({
  clientUrl,
  entities,
  metadataProvider: ReflectMetadataProvider,
  extensions: [cacheops({ redis, prefix: 'functions:', storeTimeout: 5000 })],
});
let goOn = () => {};
const slow = cachedAs(Tag, { name: 'slow' })(async (em: MikroORM['em']) => {
  const tag = await em.findOneOrFail(Tag, 1, { cacheops: false });
  await new Promise<void>(resolve => {
    goOn = resolve;
    process.send!('has read');
  });
  return tag.name;
});

process.on('message', async (order: Order) => {
  if (order === 'read') {
    const name = await slow(orm.em.fork());
    await getCacheops(orm).idle();
    process.send!({ name });
  } else if (order === 'go on') {
    goOn();
  } else {
    await orm.em.fork().nativeUpdate(Tag, { id: 1 }, { name: order.write });
    process.send!('written');
  }
});
process.on('disconnect', () => orm.close());
process.send!('ready');
