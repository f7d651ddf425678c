import { CacheopsError } from '../../config/error.js';
import { itemsOf, pathTo, propertiesOf, shapeOf } from './fingerprint.js';
import { structured } from './serializer.js';

/** The path from a result to a value, as keys and indices. */
export type Place = readonly (string | number)[];

/** A result without its entities, and their places in it. */
export interface Dissected {
  /** the result with `null` in the places of entities */
  readonly plain: unknown;
  readonly entities: readonly { readonly place: Place; readonly entity: object }[];
}

/**
 * Separates the entities from a result, and checks that the rest can be stored without loss: plain objects, arrays, Map,
 * Set, Date, bytes and primitives except symbols. Only the lack of a prototype is lost.
 *
 * @param root the name of the result in messages
 * @throws CacheopsError that names the path of a value that cannot be stored
 */
export function dissect(value: unknown, isEntity: (value: object) => boolean, root: string): Dissected {
  const entities: { place: Place; entity: object }[] = [];
  // an object that the result contains twice is one object in the copy, too
  const copies = new Map<object, unknown>();
  const open = new Set<object>();

  const copy = (part: unknown, place: Place, path: string, canHoldEntities: boolean): unknown => {
    if (part === null || typeof part !== 'object') {
      if (typeof part === 'function' || typeof part === 'symbol') {
        throw refusal(path, `a ${typeof part}`);
      }
      return part;
    }
    if (isEntity(part)) {
      if (!canHoldEntities) {
        throw refusal(path, 'an entity in a Map or a Set', 'Put it in an array or an object.');
      }
      entities.push({ place, entity: part });
      return null;
    }
    if (open.has(part)) {
      throw refusal(path, 'cyclic');
    }
    const known = copies.get(part);
    if (known !== undefined) {
      return known;
    }
    const before = entities.length;
    open.add(part);
    const made = copyContainer(part, place, path, canHoldEntities);
    open.delete(part);
    if (entities.length === before) {
      copies.set(part, made); // otherwise each path to its entities must be recorded
    }
    return made;
  };

  const copyContainer = (part: object, place: Place, path: string, canHoldEntities: boolean): unknown => {
    const shape = shapeOf(part, path, refusal);
    if (shape === 'array') {
      const made = new Array((part as unknown[]).length);
      for (const [i, item] of itemsOf(part as unknown[], path, refusal)) {
        made[i] = copy(item, [...place, i], `${path}[${i}]`, canHoldEntities);
      }
      return made;
    }
    if (shape !== 'plain') {
      return copyOfKind(part, shape.name, place, path);
    }
    const made: Record<string, unknown> = {};
    for (const [key, item] of propertiesOf(part, path, refusal)) {
      define(made, key, copy(item, [...place, key], pathTo(path, key), canHoldEntities));
    }
    return made;
  };

  const copyOfKind = (part: object, kind: string, place: Place, path: string): unknown => {
    switch (kind) {
      case 'Map':
        return new Map(
          Array.from(part as Map<unknown, unknown>, ([key, item], i) => [
            copy(key, place, `${path}.keys()[${i}]`, false),
            copy(item, place, `${path}.values()[${i}]`, false),
          ]),
        );
      case 'Set':
        return new Set(
          Array.from(part as Set<unknown>, (item, i) => copy(item, place, `${path}.values()[${i}]`, false)),
        );
      case 'RegExp':
      case 'URL':
        throw refusal(path, `an instance of ${kind}`);
      default:
        return part;
    }
  };

  return { plain: copy(value, [], root, true), entities };
}

/** @throws CacheopsError that names the path of a value that cannot be stored */
export function checkStorable(value: unknown, path: string): void {
  dissect(value, () => false, path);
}

/**
 * Copies arguments that `fingerprint()` accepts, so that later changes do not affect the copy. Entities, EntityManagers
 * and repositories are not copied.
 *
 * @param others replacements for some objects
 */
export function copyArguments(args: readonly unknown[], others?: ReadonlyMap<object, object>): unknown[] {
  const copies = new Map<object, object>();
  const copy = (part: unknown): unknown => {
    if (typeof part !== 'object' || part === null) {
      return part;
    }
    const made = others?.get(part) ?? copies.get(part) ?? copyObject(part);
    copies.set(part, made);
    return made;
  };
  const copyObject = (part: object): object => {
    const prototype = Object.getPrototypeOf(part);
    if (prototype === Array.prototype) {
      return (part as unknown[]).map(copy);
    }
    if (prototype === Map.prototype) {
      return new Map(Array.from(part as Map<unknown, unknown>, ([key, item]) => [copy(key), copy(item)]));
    }
    if (prototype === Set.prototype) {
      return new Set(Array.from(part as Set<unknown>, copy));
    }
    if (prototype === RegExp.prototype) {
      return Object.assign(new RegExp(part as RegExp), { lastIndex: (part as RegExp).lastIndex });
    }
    if (prototype === URL.prototype) {
      return new URL(part as URL);
    }
    if (prototype === Date.prototype || ArrayBuffer.isView(part) || part instanceof ArrayBuffer) {
      return structured.decode(structured.encode(part)) as object;
    }
    if (prototype !== Object.prototype && prototype !== null) {
      return part;
    }
    const made = Object.create(prototype);
    for (const [key, item] of Object.entries(part)) {
      define(made, key, copy(item));
    }
    return made;
  };
  return args.map(copy);
}

/** Puts entities back into their places. */
export function assemble(
  plain: unknown,
  entities: readonly { readonly place: Place; readonly entity: object }[],
): unknown {
  let whole = plain;
  for (const { place, entity } of entities) {
    const last = place.at(-1);
    if (last === undefined) {
      whole = entity;
      continue;
    }
    let holder = whole as any;
    for (const step of place.slice(0, -1)) {
      holder = holder[step];
    }
    holder[last] = entity;
  }
  return whole;
}

function define(made: object, key: string, value: unknown): void {
  Object.defineProperty(made, key, { value, enumerable: true, configurable: true, writable: true });
}

function refusal(path: string, what: string, advice = 'Give back plain data, or entities.'): CacheopsError {
  return new CacheopsError(
    `${path} is ${what}, which cannot be stored so that it comes back the same. ${advice}`,
  );
}
