/** Options that decide how a query is sent, logged or merged, but not its result. */
export const IRRELEVANT: ReadonlySet<string> = new Set([
  'em',
  'ctx',
  'logging',
  'loggerContext',
  'cacheops',
  'cache',
  'signal',
  'inflightQueryAbortStrategy',
  'connectionType',
  'flushMode',
  'refresh',
  'filters', // the driver has put filters of the root into the condition, and filters of joins into the SQL
  'disableIdentityMap',
  // of the entity loader, which populates rows that were found
  'visited',
  'filtered',
  'lookup',
  'validate',
  'ignoreLazyScalarProperties',
  'where', // of findAll(), which passes it on as the condition
]);

/** Removes options that cannot change the result. */
export function relevant(options: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const kept: Record<string, unknown> = {};
  for (const name of Object.keys(options)) {
    if (options[name] !== undefined && !IRRELEVANT.has(name)) {
      kept[name] = options[name];
    }
  }
  return kept;
}
