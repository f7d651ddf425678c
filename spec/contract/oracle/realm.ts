import { registerHooks } from 'node:module';

/** What the entities of one ORM are made from. */
export interface Realm {
  readonly entities: readonly (new (...args: any[]) => any)[];
}

const FIXTURES = new URL('../../../fixtures/', import.meta.url).href;
/** Value objects are no entities: programs make them for whatever ORM. */
const SHARED = /\/slug\.js$/;

/**
 * Loads the entity classes anew. Their prototypes carry the metadata of the ORM that was made last, and an earlier one
 * then goes wrong now and then; so in a process with several ORMs, each needs classes of its own.
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
