/** What came of something that may fail. */
export type Attempt = { readonly value: unknown } | { readonly error: unknown };

export async function attempt(run: () => Promise<unknown>): Promise<Attempt> {
  try {
    return { value: await run() };
  } catch (error) {
    return { error };
  }
}

/** The name of an error: what the database or the ORM calls it. */
export function nameOf(error: unknown): string {
  const { code, cause, name } = error as { code?: string; cause?: { code?: string }; name?: string };
  return code ?? cause?.code ?? name ?? String(error);
}

/** Errors of two transactions that get in each other's way. */
const CONFLICTS = new Set(['55P03', '40001', '40P01']);

export function isConflict(error: unknown): boolean {
  return CONFLICTS.has(nameOf(error));
}

/**
 * What a program may be told of a write that it should not have made: a broken constraint, a value that does not
 * fit or cannot be compared, a transaction that has failed before, a row that another has changed, a mistake in using
 * the ORM.
 */
export function isOrdinary(error: unknown): boolean {
  return (
    isConflict(error) ||
    isUnmapped(error) ||
    /^(2[123]\w{3}|25P02|42883|0A000|ValidationError|OptimisticLockError)$/.test(nameOf(error))
  );
}

/** Another version of the entity has what this one has not. */
function isUnmapped(error: unknown): boolean {
  return String(error).includes('Trying to query by not existing property');
}
