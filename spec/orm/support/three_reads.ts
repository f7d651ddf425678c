import type { EntityClass, MikroORM } from '@mikro-orm/postgresql';

/** Three reads with one condition on things and their makers. */
export function threeReads(
  orm: () => MikroORM,
  thing: unknown,
  condition: object,
): Record<string, () => Promise<unknown>> {
  const [entity, where] = [thing as EntityClass<{ id: number }>, condition as never];
  const find = async (options: object) => {
    const found = await orm()
      .em.fork()
      .find(entity, where, { ...options, orderBy: { id: 1 } as never });
    return found.map(({ id }) => id);
  };
  return {
    counted: () => orm().em.fork().count(entity, where),
    listed: () => find({}),
    populated: () => find({ populate: ['maker'], strategy: 'joined' }),
  };
}
