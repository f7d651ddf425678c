import { mayCallRoutine, Routines } from '../../sql/routines.js';
import { EVERYTHING } from '../../store/store.js';
import { readDefinitions } from './definitions.js';
import { inPgCatalog } from './pg_catalog.js';
import type { Ask, Catalog, Table } from './table.js';

/** The reason in events. */
export const UNREADABLE = 'a role that lacks rights on the catalog';

/** PostgreSQL's error code. */
const INSUFFICIENT_PRIVILEGE = '42501';

/**
 * The functions that the extension calls inside transactions, where a refusal would end the transaction. A missing right
 * on a function of the catalog queries shows when they are sent.
 */
const FUNCTIONS = [
  'array_to_json(anyarray)',
  'current_schemas(boolean)',
  'encode(bytea, text)',
  'extract(text, timestamp with time zone)',
  'float8send(double precision)',
  'json_agg(anyelement)',
  'json_array_element_text(json, integer)',
  'json_array_elements(json)',
  'json_build_array("any")',
  'json_object_agg("any", "any")',
  'now()',
  'pg_advisory_unlock_shared(integer, integer)',
  'pg_control_system()',
  'pg_current_snapshot()',
  'pg_current_xact_id()',
  'pg_lock_status()',
  'pg_my_temp_schema()',
  'pg_show_all_settings()',
  'pg_snapshot_xmax(pg_snapshot)',
  'pg_try_advisory_lock_shared(integer, integer)',
  'pg_try_advisory_xact_lock_shared(integer, integer)',
  'pg_typeof("any")',
  'pg_xact_status(xid8)',
  'statement_timestamp()',
  'string_agg(text, text)',
  'to_json(anyelement)',
];
const VIEWS = ['pg_locks', 'pg_settings'];

/** An expression in SQL: the GRANTs that the role lacks, as an array of texts. Names that a version lacks are ignored. */
export const LACKING = `array(
  select 'EXECUTE ON FUNCTION ' || f from unnest(${textArray(FUNCTIONS)}) as f
  where not has_function_privilege(to_regprocedure('pg_catalog.' || f), 'execute')
  union all select 'SELECT ON ' || v from unnest(${textArray(VIEWS)}) as v
  where not has_table_privilege('pg_catalog.' || v, 'select'))`;

class RightsError extends Error {
  readonly code = INSUFFICIENT_PRIVILEGE;
}

/** @throws RightsError */
export function checkRights(lacking: readonly string[], role: string): void {
  if (lacking.length > 0) {
    throw new RightsError(`the role lacks ${lacking.map(right => grantOf(right, role)).join('; ')}`);
  }
}

export function isRefusal(error: unknown): error is Error {
  return (error as { code?: unknown } | undefined)?.code === INSUFFICIENT_PRIVILEGE;
}

/** @returns the rights that the role lacks, or else the message of the error */
export async function reasonOf(error: Error, ask: Ask): Promise<string> {
  if (error instanceof RightsError) {
    return error.message;
  }
  try {
    const [row] = await ask(inPgCatalog(`select ${LACKING} as lacking, current_user as role`));
    checkRights(row!.lacking, row!.role);
  } catch (reason) {
    return reason instanceof RightsError ? reason.message : error.message;
  }
  return error.message;
}

function grantOf(right: string, role: string): string {
  return `GRANT ${right} TO "${role.replaceAll('"', '""')}"`;
}

function textArray(texts: readonly string[]): string {
  return `array[${texts.map(text => `'${text}'`).join(', ')}]`;
}

/** A catalog with one table that stands for all: every write drops everything. */
export function unreadableCatalog(): Catalog {
  const names = [EVERYTHING];
  const table: Table = {
    fullName: EVERYTHING,
    oid: '0',
    schema: '',
    name: EVERYTHING,
    columns: [],
    kinds: new Map(),
    orderable: new Set(),
    matchable: new Set(),
    types: new Map(),
    columnsAs: '',
    generated: [],
    key: undefined,
    indexed: [],
    plain: false,
    partitioned: false,
    materialized: false,
    unfollowed: UNREADABLE,
    settled: false,
    zoned: true,
    ofDay: true,
    readable: false,
    rowSecurity: false,
    lockable: false,
    rewritten: true,
    ancestors: names,
    descendants: names,
    referencedBy: [],
    triggers: [],
    effects: undefined,
    onDelete: [],
    onUpdate: [],
    references: [],
  };
  return {
    obstacle: UNREADABLE,
    database: '',
    user: '',
    path: [],
    readCommitted: false,
    definitionsAs: '',
    eventTriggersAs: '',
    onDefinition: names,
    returnsOld: false,
    tables: new Map([[EVERYTHING, table]]),
    unicode: false,
    sortsByCodePoints: false,
    routines: new UnknownRoutines([]),
    effectsOnDefinition: undefined,
    configures: false,
    definitions: new Map(),
    defined: readDefinitions({}),
    isShadowed: true,
    resolve: () => table,
    named: () => [table],
  };
}

/** Any function that is not well known may write to everything. */
class UnknownRoutines extends Routines {
  override namesReachedIn(sql: string): ReadonlySet<string> {
    return mayCallRoutine(sql) ? new Set([EVERYTHING]) : new Set();
  }
}
