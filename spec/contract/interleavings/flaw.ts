/** A hit that the database would not give. */
export class StaleHit extends Error {}

/** What went wrong, and how it came to it. */
export interface Flaw {
  readonly error: Error;
  readonly history: readonly string[];
}

export function tell(flaw: Flaw | undefined): string {
  return flaw ? `${flaw.error.message}, after:\n${flaw.history.map(step => `  ${step}`).join('\n')}\n` : '';
}
