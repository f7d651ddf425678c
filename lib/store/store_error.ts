/** The store is down, too slow, or gives an answer that makes no sense. */
export class StoreError extends Error {
  static {
    // on the prototype, so that it is not an enumerable property of every error
    StoreError.prototype.name = 'StoreError';
  }

  /** @param operation the name of a method of {@link Store} */
  constructor(
    readonly operation: string,
    cause: unknown,
  ) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    super(`The store has failed at "${operation}": ${reason}`, { cause });
  }
}
