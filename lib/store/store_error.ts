/** The store could not do something: it is down, too slow, or answers what makes no sense. */
export class StoreError extends Error {
  static {
    // on the prototype, so that it is no enumerable property of every error
    StoreError.prototype.name = 'StoreError';
  }

  /** @param operation what it was asked to do: the name of a method of {@link Store} */
  constructor(
    readonly operation: string,
    cause: unknown,
  ) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    super(`The store could not ${operation}: ${reason}`, { cause });
  }
}
