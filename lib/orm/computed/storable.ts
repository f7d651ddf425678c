import { CacheopsError } from '../../config/error.js';

/** The way to a value from a result, as keys and indices. */
export type Place = readonly (string | number)[];

/** A result without its entities, and where they stood in it. */
export interface Dissected {
  /** the same, with `null` where an entity stood */
  readonly plain: unknown;
  readonly entities: readonly { readonly place: Place; readonly entity: object }[];
}

/**
 * Takes the entities out of a result, and makes sure that the rest can be stored as it is: plain objects, arrays,
 * Map, Set, Date, bytes, and everything primitive but symbols.
 *
 * @param root what the result is called in messages
 * @param lenient it need not be stored: instances of classes stay what they are
 * @throws CacheopsError that names the path of what cannot be stored
 */
export function dissect(
  value: unknown,
  isEntity: (value: object) => boolean,
  root: string,
  lenient = false,
): Dissected {
  const entities: { place: Place; entity: object }[] = [];
  // what is in a result twice is one object in the copy, too
  const copies = new Map<object, unknown>();
  const open = new Set<object>();

  const copy = (part: unknown, place: Place, path: string, canHoldEntities: boolean): unknown => {
    if (part === null || typeof part !== 'object') {
      if (!lenient && (typeof part === 'function' || typeof part === 'symbol')) {
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
    if (part instanceof Date || isBytes(part)) {
      return part;
    }
    const before = entities.length;
    open.add(part);
    const made = copyContainer(part, place, path, canHoldEntities);
    open.delete(part);
    if (entities.length === before) {
      copies.set(part, made); // else its entities are to be found by the other way as well
    }
    return made;
  };

  const copyContainer = (part: object, place: Place, path: string, canHoldEntities: boolean): unknown => {
    if (Array.isArray(part) && Object.getPrototypeOf(part) === Array.prototype) {
      checkSymbols(part, path);
      return part.map((item, i) => copy(item, [...place, i], `${path}[${i}]`, canHoldEntities));
    }
    if (part instanceof Map && Object.getPrototypeOf(part) === Map.prototype) {
      const entries = [...part].map(
        ([key, item], i) =>
          [
            copy(key, place, `${path}.keys()[${i}]`, false),
            copy(item, place, `${path}.values()[${i}]`, false),
          ] as const,
      );
      return new Map(entries);
    }
    if (part instanceof Set && Object.getPrototypeOf(part) === Set.prototype) {
      return new Set([...part].map((item, i) => copy(item, place, `${path}.values()[${i}]`, false)));
    }
    const prototype = Object.getPrototypeOf(part);
    if (prototype !== Object.prototype && prototype !== null) {
      if (lenient) {
        return part;
      }
      throw refusal(path, `an instance of ${prototype.constructor?.name || 'a class'}`);
    }
    checkSymbols(part, path);
    const made: Record<string, unknown> = Object.create(prototype);
    for (const [key, item] of Object.entries(part)) {
      const copied = copy(item, [...place, key], pathTo(path, key), canHoldEntities);
      Object.defineProperty(made, key, {
        value: copied,
        enumerable: true,
        configurable: true,
        writable: true,
      });
    }
    return made;
  };

  return { plain: copy(value, [], root, true), entities };
}

/** @throws CacheopsError that names the path of what cannot be stored */
export function checkStorable(value: unknown, path: string): void {
  dissect(value, () => false, path);
}

/** Puts entities back where they stood. */
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

/** `result.title`, `result['a b']` */
export function pathTo(path: string, key: string): string {
  if (path === '') {
    return key;
  }
  return /^[\p{L}_$][\p{L}\p{N}_$]*$/u.test(key) ? `${path}.${key}` : `${path}[${JSON.stringify(key)}]`;
}

function isBytes(value: object): boolean {
  return ArrayBuffer.isView(value) || value instanceof ArrayBuffer;
}

function checkSymbols(value: object, path: string): void {
  const [symbol] = Object.getOwnPropertySymbols(value);
  if (symbol) {
    throw refusal(`${path}[${String(symbol)}]`, 'under a key that is a symbol');
  }
}

function refusal(path: string, what: string, advice = 'Give back plain data, or entities.'): CacheopsError {
  return new CacheopsError(
    `${path} is ${what}, which cannot be stored so that it comes back the same. ${advice}`,
  );
}
