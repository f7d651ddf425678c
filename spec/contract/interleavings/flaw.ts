/** A hit that differs from the database's answer. */
export class StaleHit extends Error {}

/** An error, and the history that led to it. */
export interface Flaw {
  readonly error: Error;
  readonly history: readonly string[];
}

export function describeFlaw(flaw: Flaw | undefined): string {
  return flaw ? `${flaw.error.message}, after:\n${flaw.history.map(step => `  ${step}`).join('\n')}\n` : '';
}
