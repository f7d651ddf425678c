import { EntityManager, EntityRepository, helper, MikroORM } from '@mikro-orm/core';
import type { SqlEntityManager } from '@mikro-orm/sql';
import type { Managers } from '../orm/computed/computed_results.js';
import { isEntity } from '../orm/computed/entity_graph.js';
import { ambientManagerOf, contextOf } from '../orm/context/orm_registry.js';

/** `this.a.b.c` is searched, but not its fields. */
const DEPTH = 3;
/** Searching more would take longer than most hits. */
const MAX_OBJECTS = 2000;

/**
 * The fields that repositories have from MikroORM and this package. Other fields, such as a tenant, may influence the
 * results of a repository.
 */
const OF_A_REPOSITORY: ReadonlySet<string | symbol> = new Set([
  'em',
  'entityName',
  'cache',
  'nocache',
  'exists',
]);

/** The EntityManagers that a call may use: they are part of its key, as its arguments are. */
export class CallManagers implements Managers {
  readonly given: SqlEntityManager[] = [];
  readonly reached: SqlEntityManager[] = [];
  /** why the result must not be stored */
  obstacle: string | undefined;

  /** The text of an EntityManager or a repository among the arguments; `undefined` for other values. */
  describe(value: object): string | undefined {
    if (value instanceof EntityManager) {
      return this.#number(value);
    }
    if (!(value instanceof EntityRepository)) {
      return undefined;
    }
    const manager = value.getEntityManager() as EntityManager;
    const { entityName } = value as unknown as { entityName: string | { readonly name: string } };
    const isUsual = manager.getRepository(entityName as never) === value;
    if (!isUsual || Reflect.ownKeys(value).some(key => !OF_A_REPOSITORY.has(key))) {
      this.obstacle ??= 'a repository that its EntityManager does not give';
    }
    const name = JSON.stringify(typeof entityName === 'string' ? entityName : entityName.name);
    return `repository ${name} of ${this.#number(manager)}`;
  }

  #number(manager: EntityManager): string {
    const em = contextOf(manager);
    const known = this.given.indexOf(em);
    return `em ${known < 0 ? this.given.push(em) - 1 : known}`;
  }

  /** @param self `this` of the call, which is searched with its fields */
  addReachedFrom(self: unknown): void {
    let level = [self];
    const seen = new Set<unknown>();
    for (let depth = 0; depth <= DEPTH && level.length > 0; depth++) {
      const next: unknown[] = [];
      for (const value of level) {
        if (!isObject(value) || seen.has(value) || this.#add(value)) {
          continue;
        }
        seen.add(value);
        if (seen.size > MAX_OBJECTS) {
          this.obstacle = '`this` holds more objects than can be searched';
          return;
        }
        if (depth < DEPTH) {
          next.push(...held(value));
        }
      }
      level = next;
    }
  }

  /** Adds the EntityManager of the current request or transaction of an ORM. */
  addAmbientOf(em: EntityManager): void {
    const ambient = ambientManagerOf(em);
    if (ambient) {
      this.reached.push(ambient);
    }
  }

  #add(value: object): boolean {
    const manager =
      value instanceof EntityManager
        ? value
        : value instanceof EntityRepository
          ? value.getEntityManager()
          : value instanceof MikroORM
            ? value.em
            : isEntity(value)
              ? helper(value as never).__em
              : undefined;
    if (manager) {
      this.reached.push(contextOf(manager as EntityManager));
    }
    return manager !== undefined || isEntity(value);
  }
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !ArrayBuffer.isView(value);
}

/** The values of properties, without running getters. */
function held(value: object): Iterable<unknown> {
  if (value instanceof Map || value instanceof Set) {
    return value.values();
  }
  const descriptors = Reflect.ownKeys(value).map(key => Reflect.getOwnPropertyDescriptor(value, key));
  return descriptors.map(descriptor => descriptor?.value);
}
