import {
  type AnyEntity,
  type Collection,
  type Dictionary,
  type EntityMetadata,
  type EntityProperty,
  helper,
  Reference,
  ScalarReference,
  Utils,
} from '@mikro-orm/core';
import type { SqlEntityManager } from '@mikro-orm/sql';
import { CacheopsError } from '../../config/error.js';

/** One entity with its loaded properties and relations, as plain data. */
export interface EntityRecord {
  readonly name: string;
  readonly schema: string | undefined;
  /** primary key in JavaScript form, in the order of its properties */
  readonly key: readonly unknown[];
  /** the loaded properties; `undefined` for a reference */
  readonly state: Properties | undefined;
  /** the data that the ORM compares it with in a flush, in database form */
  readonly original: unknown;
  /** names of the properties that the ORM treats as loaded */
  readonly loaded: readonly string[];
  /** to-many relations that were loaded: the positions of their items among all records */
  readonly collections: Readonly<
    Record<string, { readonly items: readonly number[]; readonly partial: boolean }>
  >;
  /** decides what `toObject()` shows */
  readonly context: unknown;
}

interface Properties {
  /** in JavaScript form */
  readonly values: Readonly<Record<string, unknown>>;
  /** in database form: values that a custom type converts to instances of a class */
  readonly converted: Readonly<Record<string, unknown>>;
  readonly embedded: Readonly<Record<string, Properties | readonly (Properties | null)[]>>;
  /** to-one relations: the position of their target among all records */
  readonly targets: Readonly<Record<string, number>>;
}

export interface EntityGraph {
  readonly records: readonly EntityRecord[];
  /** the positions of the recorded entities, without those that they refer to */
  readonly roots: readonly number[];
}

type Entity = AnyEntity & Dictionary;

/** An entity has changes that are not flushed. */
export class UnflushedError extends CacheopsError {}

export function isEntity(value: object): boolean {
  return Utils.isEntity<object>(value);
}

/**
 * Identifies the row of an entity, as text; `undefined` if the value is no entity.
 *
 * @throws CacheopsError if it has no row yet
 */
export function entityKey(value: object, path: string): string | undefined {
  if (!isEntity(value)) {
    return undefined;
  }
  const wrapped = helper(value as Entity);
  const { className } = wrapped.__meta as EntityMetadata;
  if (!wrapped.hasPrimaryKey()) {
    throw new CacheopsError(
      `${path} is ${article(className)} that is not in the database yet. Flush it first, or pass data.`,
    );
  }
  return JSON.stringify([className, wrapped.__schema, wrapped.getPrimaryKeys(true)], (_, part) =>
    typeof part === 'bigint' ? `${part}n` : part,
  );
}

/**
 * Records entities and all loaded entities that they refer to, as plain data.
 *
 * Values are in JavaScript form, because the ORM keeps no rows: it decodes them and merges them with later ones.
 *
 * @param pathOf the name of each root in messages
 * @param isStorable whether a value that no custom type converts can be stored as it is
 * @throws UnflushedError that names the path of an entity that was changed
 * @throws CacheopsError that names the path of an entity that is not in the database, or of a value that cannot be stored
 */
export function recordEntities(
  roots: readonly object[],
  pathOf: (root: number) => string,
  isStorable: (value: unknown, path: string) => void,
): EntityGraph {
  const positions = new Map<object, number>();
  const records: EntityRecord[] = [];

  const visit = (entity: Entity, path: string): number => {
    const known = positions.get(entity);
    if (known !== undefined) {
      return known;
    }
    const position = records.length;
    positions.set(entity, position);
    records.push(undefined as never); // reserves its position before those of its relations
    records[position] = record(entity, path);
    return position;
  };

  const record = (entity: Entity, path: string): EntityRecord => {
    const wrapped = helper(entity);
    const meta = wrapped.__meta as EntityMetadata;
    if (meta.virtual || !wrapped.hasPrimaryKey() || !wrapped.__managed) {
      throw refusal(path, `${article(meta.className)} that is not in the database yet`, 'Flush it first.');
    }
    const isLoaded = wrapped.isInitialized();
    if (isLoaded) {
      checkUnchanged(entity, meta, path);
    }
    return {
      name: meta.className,
      schema: wrapped.__schema,
      key: wrapped.getPrimaryKeys() ?? [],
      state: isLoaded ? propertiesOf(entity, meta, path) : undefined,
      collections: isLoaded ? collectionsOf(entity, meta, path) : {},
      original: storedOriginal(wrapped.__originalEntityData, path),
      loaded: [...wrapped.__loadedProperties],
      context: plainContext(wrapped.__serializationContext),
    };
  };

  const storedOriginal = (original: unknown, path: string): unknown => {
    isStorable(original, `${path}.__originalEntityData`);
    return original;
  };

  const accepts = (value: unknown, path: string): boolean => {
    try {
      isStorable(value, path);
      return true;
    } catch {
      return false;
    }
  };

  const propertiesOf = (owner: Dictionary, meta: EntityMetadata, path: string): Properties => {
    const values: Record<string, unknown> = {};
    const converted: Record<string, unknown> = {};
    const embedded: Record<string, Properties | (Properties | null)[]> = {};
    const targets: Record<string, number> = {};
    for (const prop of meta.props as EntityProperty[]) {
      if (prop.getter && !prop.setter) {
        continue;
      }
      const value =
        owner[prop.name] instanceof ScalarReference ? owner[prop.name].unwrap() : owner[prop.name];
      const at = `${path}.${prop.name}`;
      if (value === undefined || isToMany(prop)) {
        continue;
      }
      if (value === null) {
        values[prop.name] = null;
      } else if (isToOne(prop)) {
        if (prop.polymorphic) {
          throw refusal(at, 'a polymorphic relation', 'Give back its key.');
        }
        targets[prop.name] = visit(Reference.unwrapReference(value) as Entity, at);
      } else if (prop.kind === 'embedded') {
        const target = prop.targetMeta as EntityMetadata;
        embedded[prop.name] = Array.isArray(value)
          ? value.map((item, i) => (item ? propertiesOf(item, target, `${at}[${i}]`) : null))
          : propertiesOf(value, target, at);
      } else if (prop.customType && !accepts(value, at)) {
        converted[prop.name] = prop.customType.convertToDatabaseValue(value, platformOf(prop));
        isStorable(converted[prop.name], at);
      } else {
        isStorable(value, at);
        values[prop.name] = value;
      }
    }
    for (const key of Object.keys(owner)) {
      if (
        !(key in meta.properties) &&
        !key.startsWith('__') &&
        owner[key] !== undefined &&
        isColumnLike(key)
      ) {
        isStorable(owner[key], `${path}.${key}`);
        values[key] = owner[key];
      }
    }
    return { values, converted, embedded, targets };
  };

  const collectionsOf = (entity: Entity, meta: EntityMetadata, path: string): EntityRecord['collections'] => {
    const found: Record<string, { items: number[]; partial: boolean }> = {};
    for (const prop of meta.relations.filter(isToMany)) {
      const collection = entity[prop.name] as Collection<object> | undefined;
      if (!Utils.isCollection(collection) || !collection.isInitialized()) {
        continue;
      }
      const at = `${path}.${prop.name}`;
      if (collection.isDirty()) {
        throw new UnflushedError(
          `${at} has changes that are not flushed, so that it cannot be stored. Flush them first.`,
        );
      }
      const items = collection.getItems(false);
      found[prop.name] = {
        items: items.map((item, i) => visit(item as Entity, `${at}[${i}]`)),
        partial: collection.isPartial(),
      };
    }
    return found;
  };

  return { roots: roots.map((root, i) => visit(root as Entity, pathOf(i))), records };
}

/**
 * Makes an EntityManager manage recorded entities as if it had just loaded them. Entities that it manages already are
 * merged with them, and keep changes that are not flushed.
 *
 * @returns the roots
 * @throws CacheopsError if the graph does not fit the entities. Then the EntityManager is unchanged
 */
export async function restoreEntities(em: SqlEntityManager, graph: EntityGraph): Promise<object[]> {
  const metadata = em.getMetadata();
  const unitOfWork = em.getUnitOfWork();
  const factory = em.getEntityFactory();
  const byName = new Map([...metadata.getAll().values()].map(meta => [meta.className, meta]));
  checkGraph(graph, byName);
  const metas = graph.records.map(({ name }) => byName.get(name)!);

  const keyOf = (position: number): unknown => {
    const { key } = graph.records[position]!;
    return key.length === 1 ? key[0] : key;
  };
  const optionsOf = ({ schema }: EntityRecord) => ({
    merge: true,
    convertCustomTypes: false,
    ...(schema !== undefined && { schema }),
  });

  const entities = graph.records.map((record, i) => {
    const meta = metas[i]!;
    if (!record.state) {
      const reference = factory.createReference<object>(meta.class, keyOf(i) as never, optionsOf(record));
      if (!helper(reference).isInitialized()) {
        takeOver(helper(reference), record);
      }
      return reference;
    }
    const known = unitOfWork.getById<object>(meta.class, record.key as never, record.schema);
    const wasLoaded = known !== undefined && helper(known).isInitialized();
    const entity = factory.create<object>(meta.class, dataOf(record.state, meta, keyOf) as never, {
      ...optionsOf(record),
      initialized: true,
    });
    const wrapped = helper(entity);
    if (!wasLoaded) {
      takeOver(wrapped, record);
    }
    return entity;
  });

  for (const [i, { collections, context }] of graph.records.entries()) {
    const owner = entities[i] as Dictionary;
    for (const [name, { items, partial }] of Object.entries(collections)) {
      const collection = owner[name] as Collection<object>;
      if (!collection.isDirty()) {
        collection.hydrate(
          items.map(item => entities[item]!),
          undefined,
          partial,
        );
      }
    }
    const wrapped = helper(owner as Entity);
    if (context && Object.keys(wrapped.__serializationContext).length === 0) {
      wrapped.__serializationContext = context as typeof wrapped.__serializationContext;
    }
  }
  await unitOfWork.dispatchOnLoadEvent();
  return graph.roots.map(root => entities[root]!);
}

/** Checks the whole graph before anything is restored. */
function checkGraph(graph: EntityGraph, byName: ReadonlyMap<string, EntityMetadata>): void {
  const { records, roots } = graph;
  const isPosition = (value: unknown) =>
    Number.isInteger(value) && (value as number) >= 0 && (value as number) in records;
  const areProperties = (state: Properties, meta: EntityMetadata | undefined): boolean =>
    meta !== undefined &&
    [state, state?.values, state?.converted, state?.embedded, state?.targets].every(isRecord) &&
    Object.keys(state.converted).every(name => propertyOf(meta, name)?.customType) &&
    Object.entries(state.targets).every(
      ([name, position]) => isPosition(position) && isToOne(propertyOf(meta, name) ?? NONE),
    ) &&
    Object.entries(state.embedded).every(([name, value]) => {
      const target = propertyOf(meta, name)?.targetMeta as EntityMetadata | undefined;
      return [value].flat().every(item => item === null || areProperties(item as Properties, target));
    });
  const isSound = (record: EntityRecord): boolean => {
    const meta = isRecord(record) ? byName.get(record.name) : undefined;
    return (
      meta !== undefined &&
      Array.isArray(record.key) &&
      record.key.length === meta.primaryKeys.length &&
      record.key.every(part => part !== undefined && part !== null) &&
      (record.schema === undefined || typeof record.schema === 'string') &&
      (record.state === undefined || areProperties(record.state, meta)) &&
      (record.original === undefined || isRecord(record.original)) &&
      (record.context === undefined || isRecord(record.context)) &&
      Array.isArray(record.loaded) &&
      record.loaded.every(name => typeof name === 'string') &&
      isRecord(record.collections) &&
      Object.entries(record.collections).every(
        ([name, found]) =>
          isToMany(propertyOf(meta, name) ?? NONE) &&
          isRecord(found) &&
          typeof found.partial === 'boolean' &&
          Array.isArray(found.items) &&
          found.items.every(isPosition),
      )
    );
  };
  const isGraph =
    Array.isArray(records) && records.every(isSound) && Array.isArray(roots) && roots.every(isPosition);
  if (!isGraph) {
    throw new CacheopsError('Stored entities cannot be read.');
  }
}

const NONE = {} as EntityProperty;

function propertyOf(meta: EntityMetadata, name: string): EntityProperty | undefined {
  return Object.hasOwn(meta.properties, name)
    ? (meta.properties[name as never] as EntityProperty)
    : undefined;
}

function isRecord(value: unknown): value is Dictionary {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Restores the original data, so that the next flush finds no changes. */
function takeOver(wrapped: ReturnType<typeof helper>, { original, loaded }: EntityRecord): void {
  // a copy, because other callers may be given the same data
  wrapped.__originalEntityData = structuredClone(original) as typeof wrapped.__originalEntityData;
  wrapped.__loadedProperties = new Set(loaded);
}

/** Would a flush insert or delete rows? */
export function leavesChanges(em: SqlEntityManager): boolean {
  const unitOfWork = em.getUnitOfWork();
  const isNew = (entity: object) => !helper(entity as Entity).__originalEntityData;
  return unitOfWork.getRemoveStack().size > 0 || [...unitOfWork.getPersistStack()].some(isNew);
}

function dataOf(state: Properties, meta: EntityMetadata, keyOf: (position: number) => unknown): Dictionary {
  const data: Dictionary = { ...state.values };
  for (const [name, value] of Object.entries(state.converted)) {
    const prop = meta.properties[name as never] as EntityProperty;
    data[name] = prop.customType!.convertToJSValue(value, platformOf(prop));
  }
  for (const [name, value] of Object.entries(state.embedded)) {
    const target = (meta.properties[name as never] as EntityProperty).targetMeta as EntityMetadata;
    data[name] = Array.isArray(value)
      ? value.map(item => item && dataOf(item, target, keyOf))
      : dataOf(value as Properties, target, keyOf);
  }
  for (const [name, position] of Object.entries(state.targets)) {
    data[name] = keyOf(position);
  }
  return data;
}

function checkUnchanged(entity: Entity, meta: EntityMetadata, path: string): void {
  const wrapped = helper(entity);
  const comparator = wrapped.__em?.getComparator();
  if (!comparator || !wrapped.__originalEntityData) {
    return;
  }
  const changes = comparator.diffEntities(
    meta.class as never,
    wrapped.__originalEntityData as never,
    comparator.prepareEntity(entity) as never,
  );
  const [name] = Object.keys(changes);
  if (name !== undefined) {
    throw new UnflushedError(
      `${path}.${name} was changed and not flushed, so that it cannot be stored. Flush it first.`,
    );
  }
}

/** Fields that the ORM attaches to entities begin with an underscore. */
function isColumnLike(key: string): boolean {
  return !key.startsWith('_');
}

function isToOne({ kind }: EntityProperty): boolean {
  return kind === 'm:1' || kind === '1:1';
}

function isToMany({ kind }: EntityProperty): boolean {
  return kind === '1:m' || kind === 'm:n';
}

function platformOf(prop: EntityProperty) {
  return prop.customType!.platform!;
}

function plainContext(context: Dictionary): unknown {
  if (Object.keys(context).length === 0) {
    return undefined;
  }
  const { populate, fields, exclude } = context;
  return { populate: JSON.parse(JSON.stringify(populate ?? [])), fields, exclude };
}

function article(name: string): string {
  return `${/^[aeiou]/i.test(name) ? 'an' : 'a'} ${name}`;
}

function refusal(path: string, what: string, advice: string): CacheopsError {
  return new CacheopsError(`${path} is ${what}, so that it cannot be stored. ${advice}`);
}
