/**
 * Strings which a date or time column may read by the clock: `today`, `now`, `tomorrow 12:00 UTC`. Of other columns
 * they are just strings, which costs no more than that such a query is not cached.
 */
const CLOCK_WORD = String.raw`[\s\d:.,+/-]*(?:now|today|tomorrow|yesterday)(?:[\s\d:.,+/-][\s\d:.,+/\w-]*)?`;

/** In JSON. */
export const CLOCK_IN_TEXT = new RegExp(`"${CLOCK_WORD}"(?!:)`, 'i');
export const CLOCK_IN_SQL = new RegExp(`'${CLOCK_WORD}'`, 'i');
