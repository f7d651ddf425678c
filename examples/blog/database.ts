import { ReflectMetadataProvider } from '@mikro-orm/decorators/legacy';
import { defineConfig, MikroORM } from '@mikro-orm/postgresql';
import type { Extension } from 'mikro-orm-cacheops';
import { Article, Comment } from './entities.js';

export const configuration = (clientUrl: string, ...extensions: Extension[]) =>
  defineConfig({
    clientUrl,
    entities: [Article, Comment],
    metadataProvider: ReflectMetadataProvider,
    extensions,
  });

/** Creates the tables and some rows. */
export async function prepare(clientUrl: string): Promise<void> {
  const orm = await MikroORM.init(configuration(clientUrl));
  try {
    await orm.schema.update();
    const em = orm.em.fork();
    if ((await em.count(Article)) === 0) {
      const first = em.create(Article, { title: 'First things', text: 'A blog that is read a lot.' });
      em.create(Article, { title: 'Second thoughts', text: 'And that is edited now and then.' });
      em.create(Comment, { article: first, author: 'Ann', text: 'How fast it is!' });
      await em.flush();
    }
  } finally {
    await orm.close();
  }
}
