import { ANY_TABLE } from '../../sql/routines.js';
import type { Other, Read, SessionEffects, Statement } from '../../sql/statement.js';
import { effectsOfTemporary } from '../../sql/statements/other.js';
import { effectsOn, eitherEffects } from '../../sql/statements/session_effects.js';
import { allAffected, triggered } from '../catalog/propagation.js';
import type { Catalog, Table, TriggerEvent } from '../catalog/table.js';

/** A query that calls functions which write. */
export function callOf(names: ReadonlySet<string>, { effects }: Read): Other {
  const opaque = names.has(ANY_TABLE);
  const ddl = ['alter', 'create', 'drop'].some(word => names.has(word));
  return {
    kind: 'other',
    names,
    opaque,
    writes: true,
    ddl,
    transactional: true,
    mayDefine: ddl || opaque,
    controlsTransaction: false,
    effects: opaque ? effectsOn(undefined) : (effects ?? effectsOfTemporary(names)),
  };
}

/** The tables that triggers, rules and called functions may change, apart from the statement's own rows. */
export function sideEffectsOf(
  catalog: Catalog,
  tables: readonly Table[],
  statement: Statement,
  sql: string,
): Set<string> {
  const names = catalog.routines.namesReachedIn(sql);
  if (names.has(ANY_TABLE)) {
    return new Set(catalog.tables.keys());
  }
  const called = names.size > 0 ? [...names].flatMap(name => catalog.named(name)) : [];
  const fired =
    statement.kind === 'other' && statement.mayDefine
      ? catalog.onDefinition.flatMap(name => catalog.tables.get(name) ?? [])
      : [];
  const affected = allAffected(catalog, [...called, ...fired]);
  for (const table of tables) {
    for (const event of eventsOf(statement)) {
      for (const name of triggered(catalog, table, event)) {
        affected.add(name);
      }
    }
  }
  return affected;
}

/** What triggers and called functions change in the settings of the session. */
export function settingsEffectsOf(
  catalog: Catalog,
  tables: readonly Table[],
  statement: Statement,
  sql: string,
): SessionEffects | undefined {
  const affected = catalog.configures ? [...allAffected(catalog, tables)] : [];
  const isDefinition = statement.kind === 'other' && statement.mayDefine;
  return [
    catalog.routines.effectsIn(sql),
    isDefinition ? catalog.effectsOnDefinition : undefined,
    ...affected.map(name => catalog.tables.get(name)?.effects),
  ].reduce(eitherEffects, undefined);
}

/** None for statements that are treated as any change of their tables anyway. */
function eventsOf(statement: Statement): readonly TriggerEvent[] {
  switch (statement.kind) {
    case 'insert':
      return statement.conflict.kind === 'update' ? ['insert', 'update'] : ['insert'];
    case 'update':
    case 'delete':
      return [statement.kind];
    default:
      return [];
  }
}
