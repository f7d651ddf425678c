/** The outcome of a call that may fail. */
export type Attempt = { readonly value: unknown } | { readonly error: unknown };

export async function attempt(run: () => Promise<unknown>): Promise<Attempt> {
  try {
    return { value: await run() };
  } catch (error) {
    return { error };
  }
}

/** The name of an error, as the database or the ORM gives it. */
export function nameOf(error: unknown): string {
  const { code, cause, name } = error as { code?: string; cause?: { code?: string }; name?: string };
  return code ?? cause?.code ?? name ?? String(error);
}

/** Errors of conflicting transactions. */
const CONFLICTS = new Set(['55P03', '40001', '40P01']);

export function isConflict(error: unknown): boolean {
  return CONFLICTS.has(nameOf(error));
}

/**
 * Errors that a faulty write may raise: a broken constraint, a value that does not fit or cannot be compared, a
 * transaction that has failed before, a row changed by another transaction, a misuse of the ORM.
 */
export function isOrdinary(error: unknown): boolean {
  return (
    isConflict(error) ||
    isMisuse(error) ||
    /^(2[123]\w{3}|25P02|428C9|42703|42883|0A000|NotFoundError|ValidationError|OptimisticLockError)$/.test(
      nameOf(error),
    )
  );
}

/** Another version of the entity has a property that this one lacks, or there is no row to clone. */
function isMisuse(error: unknown): boolean {
  return /Trying to query by not existing property|with empty 'where' parameter|No data provided/.test(
    String(error),
  );
}

/** An expression gets a value of another type than it expects. */
export function isUnreadable(error: unknown): boolean {
  return nameOf(error).startsWith('22');
}
