/** Options that decide how a query is sent, logged or merged, and not what it gives. */
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
  'filters', // those of the root are in the condition by now, those of joins in the SQL
  'disableIdentityMap',
  // the entity loader's own, which populates from rows that were found
  'visited',
  'filtered',
  'lookup',
  'validate',
  'ignoreLazyScalarProperties',
  'where', // of findAll(): it is the condition by now
]);

/** The options that are left when those which do not matter are. */
export function relevant(options: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const kept: Record<string, unknown> = {};
  for (const name of Object.keys(options)) {
    if (options[name] !== undefined && !IRRELEVANT.has(name)) {
      kept[name] = options[name];
    }
  }
  return kept;
}
