/** Any class, also an abstract one or one with a private constructor. */
export interface AnyClass {
  readonly name: string;
  readonly prototype: object;
}

/** A class and its base classes, nearest first. */
export function* lineageOf(target: AnyClass): Generator<AnyClass> {
  for (let next = target; next && next !== Function.prototype; next = Object.getPrototypeOf(next)) {
    yield next;
  }
}

export function nameOf(target: { readonly name: string }): string {
  return target.name || 'a class without a name';
}
