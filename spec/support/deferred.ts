export interface Deferred<T> {
  readonly promise: Promise<T>;
  resolve(value: T): void;
  reject(error: unknown): void;
}

/** A promise that its owner settles from outside. */
export function deferred<T = void>(): Deferred<T> {
  return Promise.withResolvers<T>();
}
