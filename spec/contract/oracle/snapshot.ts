import {
  type AnyEntity,
  type Collection,
  type EntityManager,
  helper,
  Reference,
  Utils,
} from '@mikro-orm/core';

/**
 * Everything that a program can observe after a read, as lines of text: the result with identities; every entity in the
 * identity map with its type, loaded state, order of collections and the snapshot for change sets; and the writes of a
 * flush.
 */
export function snapshot(em: EntityManager, result: unknown): string {
  const description = new Description();
  const lines = [`result ${description.of(result)}`];
  const known = [...em.getUnitOfWork().getIdentityMap()] as AnyEntity[];
  for (const entity of known) {
    description.of(entity);
  }
  // describing an entity adds the entities that it refers to
  for (const entity of description.entities) {
    lines.push(
      description.ofEntity(entity),
      `  known: ${known.includes(entity)}, own: ${helper(entity).__em === em}`,
    );
  }
  return [...lines, ...pendingChanges(em)].join('\n');
}

/** The writes of a flush. */
export function pendingChanges(em: EntityManager): string[] {
  const work = em.getUnitOfWork();
  work.computeChangeSets();
  return [
    ...work
      .getChangeSets()
      .map(set => `would ${set.type} ${set.meta.className} ${new Description().of(set.payload)}`),
    ...work.getCollectionUpdates().map(list => `would update the collection ${list.property.name}`),
    ...[...work.getExtraUpdates()].map(([entity]) => `would update ${entity.constructor.name} once more`),
  ];
}

/** A value as text, with its type. */
export function describeValue(value: unknown): string {
  return new Description().of(value);
}

class Description {
  /** in the order of their numbers */
  readonly entities = new Set<AnyEntity>();
  readonly #numbers = new Map<unknown, number>();

  of(value: unknown): string {
    switch (typeof value) {
      case 'string':
        return JSON.stringify(value);
      case 'number':
        return Object.is(value, -0) ? '-0' : String(value);
      case 'bigint':
        return `${value}n`;
      case 'object':
        return value === null ? 'null' : this.#ofObject(value);
      default:
        return String(value);
    }
  }

  ofEntity(entity: AnyEntity): string {
    const state = helper(entity);
    const { populate, fields, exclude } = state.__serializationContext;
    const lines = [
      `${this.#nameOf(entity)} ${this.#ofProperties(entity)}`,
      `  initialised: ${state.__initialized}, loaded: ${[...state.__loadedProperties].sort()}`,
      `  populate: ${this.of(populate)}, fields: ${this.of(fields && [...fields])}, exclude: ${this.of(exclude)}`,
      `  snapshot: ${this.of(state.__originalEntityData)}`,
    ];
    return lines.join('\n');
  }

  #ofObject(value: any): string {
    if (Utils.isEntity<AnyEntity>(value)) {
      return this.#nameOf(value);
    }
    if (Reference.isReference(value)) {
      return `${value.constructor.name}(${this.#nameOf(value.unwrap())})`;
    }
    if (Utils.isCollection(value)) {
      return this.#ofCollection(value);
    }
    if (value instanceof Date) {
      return `Date(${value.getTime()})`;
    }
    if (ArrayBuffer.isView(value)) {
      return `${value.constructor.name}(${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex')})`;
    }
    if (Array.isArray(value)) {
      return `[${value.map((item: unknown) => this.of(item)).join(', ')}]`;
    }
    return this.#ofProperties(value);
  }

  #ofProperties(value: object): string {
    const name = value.constructor?.name ?? '';
    const keys = Object.keys(value).sort();
    const parts = keys.map(key => `${key}: ${this.of((value as Record<string, unknown>)[key])}`);
    return `${name === 'Object' ? '' : name}{${parts.join(', ')}}`;
  }

  #ofCollection(list: Collection<any>): string {
    const flags = `${list.isInitialized() ? '' : ' not initialised'}${list.isDirty() ? ' dirty' : ''}${list.isPartial() ? ' partial' : ''}`;
    return `${list.constructor.name}${flags} of ${this.#nameOf(list.owner)} [${list.getItems(false).map(item => this.of(item))}]`;
  }

  #nameOf(entity: AnyEntity): string {
    let number = this.#numbers.get(entity);
    if (number === undefined) {
      number = this.#numbers.size + 1;
      this.#numbers.set(entity, number);
      this.entities.add(entity);
    }
    return `#${number} ${entity.constructor.name}:${helper(entity).getSerializedPrimaryKey()}`;
  }
}
