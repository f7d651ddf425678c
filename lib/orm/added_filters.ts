/**
 * The drivers for which some EntityManager was given a filter of its own (`em.addFilter()`): such filters stand in no
 * metadata, and may join any query from then on.
 */
const withFilters = new WeakSet<object>();

export function noteAddedFilter(driver: object): void {
  withFilters.add(driver);
}

export function hasAddedFilters(driver: object): boolean {
  return withFilters.has(driver);
}
