import { registerHooks } from 'node:module';

/** The modules that one ORM's entities come from. */
export interface Realm {
  readonly entities: readonly (new (...args: any[]) => any)[];
}

const FIXTURES = new URL('../../../fixtures/', import.meta.url).href;
/** Value objects are no entities: programs share them between ORMs. */
const SHARED = /\/slug\.js$/;

/**
 * Loads the entity classes anew. Their prototypes carry the metadata of the newest ORM, which breaks an older one now
 * and then. So each ORM of a process needs classes of its own.
 */
export async function newRealm(name: string): Promise<Realm> {
  const hooks = registerHooks({
    resolve(specifier, context, next) {
      const resolved = next(specifier, context);
      const realm = context.parentURL && new URL(context.parentURL).searchParams.get('realm');
      return realm && resolved.url.startsWith(FIXTURES) && !SHARED.test(resolved.url)
        ? { ...resolved, url: `${resolved.url}?realm=${realm}` }
        : resolved;
    },
  });
  try {
    const modules = await Promise.all(
      ['legacy', 'work', 'edges', 'shapes'].map(
        folder => import(`${FIXTURES}${folder}/index.js?realm=${name}`),
      ),
    );
    return { entities: modules.flatMap(({ entities }) => entities) };
  } finally {
    hooks.deregister();
  }
}
