import { SYSTEM_COLUMNS } from '../../changes/affected_dependencies.js';
import type { Image, ImageFormat } from '../../changes/row_image.js';
import { quoteName } from '../../sql/lexer/names.js';
import { columnQualifier, IMAGE_COLUMN, lockingSql, type Query } from '../../sql/rewrite.js';
import { mayCallRoutine } from '../../sql/routines.js';
import type { ForeignKey, Table } from '../catalog/table.js';
import { fieldOf, formatOf } from './row_capture_statement.js';
import type { RowWrite } from './row_write.js';

/** The maximum number of statements that look for the rows that a write reaches, such as one for each level of a tree. */
const MAX_STATEMENTS = 32;

type Change = 'update' | 'delete';

/** A change of rows of a table, and the actions of foreign keys that it causes. */
interface Stage {
  readonly table: Table;
  readonly change: Change;
  /** the columns that an update may change */
  readonly changed: ReadonlySet<string>;
  readonly actions: { readonly key: ForeignKey; readonly next: Stage }[];
  readonly format: ImageFormat;
  /** the rows as they were, by primary key */
  readonly found: Map<string, Found>;
}

interface Found {
  readonly image: Image;
  /** texts of the key and of all referenced columns, as the database writes them */
  readonly texts: ReadonlyMap<string, string | null>;
}

/**
 * Captures exactly the rows that actions of foreign keys (CASCADE, SET NULL, SET DEFAULT) change when rows of a table are
 * deleted, or their keys change.
 *
 * Before the statement is sent, its rows are locked as strongly as it locks them itself, then the rows that reference
 * them, and so on. Under READ COMMITTED this is complete:
 * - A transaction that inserts a reference must lock the referenced row. Either it waits until we finish, or it committed
 *   first and our next statement sees its row.
 * - A referencing row that was found is locked until the action changes it. If it changed while we waited for its lock,
 *   PostgreSQL evaluates the whole condition again. (The condition compares with an array, because a join would only check
 *   the old counterpart.)
 * - The rows of the statement may differ from those locked: see {@link covers}.
 *
 * After the statement, rows that were not deleted are read again, because the effect of an action is not predicted.
 *
 * Otherwise the write widens (see {@link cascades}):
 * - above READ COMMITTED, where these locks could fail although the statement does not need them;
 * - with triggers, rules, policies, partitions or inheritance children;
 * - if a foreign key is deferrable, disabled or not enforced, so that a row is referenced without a lock;
 * - if an action changes the primary key, so that the row cannot be found again;
 * - if there are too many rows.
 *
 * (With `session_replication_role = replica` a session checks no foreign key. Its concurrent changes are not seen.)
 */
export class CascadeCapture {
  readonly #write: RowWrite;
  readonly #stages: readonly Stage[];
  #statements = 0;
  #rows = 0;

  private constructor(write: RowWrite, stages: readonly Stage[]) {
    this.#write = write;
    this.#stages = stages;
  }

  /** @returns `undefined` if no reader depends on such rows, or they cannot be captured */
  static async lock(
    write: RowWrite,
    change: Change,
    set?: ReadonlySet<string>,
  ): Promise<CascadeCapture | undefined> {
    const { statement, table, isExact } = write;
    // a function in the condition would be called twice
    if (!isExact || statement.kind === 'insert' || mayCallRoutine(statement.sql)) {
      return undefined;
    }
    const keys = actionsOn(table, change, set);
    const stages = keys.length > 0 && isUnderstood(table) ? await stagesOf(write, change, set) : undefined;
    if (!stages) {
      return undefined;
    }
    const cascade = new CascadeCapture(write, stages);
    return (await cascade.#lockAll()) ? cascade : undefined;
  }

  /** Whether a deleted or updated row was locked. Otherwise there may be referencing rows that were not found. */
  covers(old: Image): boolean {
    const [root] = this.#stages;
    return root!.found.has(keyOf(root!.table, old));
  }

  /** After the statement: records the rows as they were and as they are. */
  async record(): Promise<void> {
    const { journal } = this.#write;
    const deleted = new Set<string>();
    for (const { table, found } of this.#reached('delete')) {
      for (const [key, { image }] of found) {
        deleted.add(`${table.fullName} ${key}`);
        journal.record(table.fullName, { old: image });
      }
    }
    for (const stage of this.#reached('update')) {
      const { table, format, changed } = stage;
      const rows = [...stage.found].filter(([key]) => !deleted.has(`${table.fullName} ${key}`));
      const values = valuesOf(
        rows.map(([, row]) => row),
        table.key!,
      );
      const now = await this.#ask(stage, referring(stage, table.key!, typesOf(table, table.key!), values));
      for (const [key, { image }] of rows) {
        const found = now.get(key)?.image;
        journal.record(table.fullName, {
          old: image,
          new: found,
          changed: found && format.differing(image.row, found.row, changed),
        });
      }
    }
  }

  /** The stages without the rows of the statement itself. */
  #reached(change: Change): readonly Stage[] {
    return this.#stages.slice(1).filter(stage => stage.change === change && stage.found.size > 0);
  }

  /** @returns false if there are too many rows */
  async #lockAll(): Promise<boolean> {
    const [root] = this.#stages;
    const { statement, query, maxRows } = this.#write;
    const expression = expressionOf(root!, columnQualifier(statement));
    const locking =
      statement.kind !== 'insert' &&
      lockingSql(statement, expression, maxRows + 1, query.parameters, 'update');
    const locked = locking && (await this.#lock(root!, locking));
    if (!locked) {
      return false;
    }
    const reached = [{ stage: root!, rows: locked }];
    for (const { stage, rows } of reached) {
      for (const { key, next } of stage.actions) {
        const values = valuesOf(rows, key.referenced);
        const own = key.columns.map(([column]) => column);
        // an action that changes a referenced column locks like a DELETE
        const strength = next.change === 'delete' || next.actions.length > 0 ? 'update' : 'no key update';
        const query = referring(next, own, typesOf(stage.table, key.referenced), values);
        const sql = `${query.sql} limit ${maxRows + 1} for ${strength}`;
        const found = values.length === 0 ? [] : await this.#lock(next, { ...query, sql });
        if (!found) {
          return false;
        }
        if (found.length > 0) {
          reached.push({ stage: next, rows: found });
        }
      }
    }
    return true;
  }

  /** @returns the rows that were not found before; `undefined` if there are too many */
  async #lock(stage: Stage, query: Query): Promise<Found[] | undefined> {
    if (++this.#statements > MAX_STATEMENTS) {
      return undefined;
    }
    const rows = await this.#ask(stage, query);
    const added: Found[] = [];
    for (const [key, row] of rows) {
      if (!stage.found.has(key)) {
        stage.found.set(key, row);
        added.push(row);
      }
    }
    this.#rows += rows.size;
    return this.#rows > this.#write.maxRows ? undefined : added;
  }

  async #ask({ table, format }: Stage, { sql, parameters }: Query): Promise<Map<string, Found>> {
    const { rows } = await this.#write.ask(sql, parameters);
    return new Map(
      rows.map(row => {
        const [text, values] = JSON.parse(row[IMAGE_COLUMN]) as [string, (string | null)[]];
        const image = format.read(text);
        const texts = new Map(textColumns(table).map((column, i) => [column, values[i]!]));
        return [keyOf(table, image), { image, texts }];
      }),
    );
  }
}

/** All stages that a write leads to, its own first; `undefined` if one of them cannot be captured, or no reader depends on them. */
async function stagesOf(
  { catalog, table, schemes }: Pick<RowWrite, 'catalog' | 'table' | 'schemes'>,
  change: Change,
  set: ReadonlySet<string> | undefined,
): Promise<Stage[] | undefined> {
  const stages = new Map<string, Stage>();
  let isCached = false;
  // an action may also reach other rows of the statement's own table
  const enter = async (table: Table, change: Change, changed: ReadonlySet<string>): Promise<Stage> => {
    const id = stages.size === 0 ? '' : JSON.stringify([table.fullName, change, ...changed]);
    const known = stages.get(id);
    if (known) {
      return known;
    }
    const readers = await schemes(table.fullName);
    isCached ||= stages.size > 0 && readers.length > 0;
    const names = readers.flatMap(({ columns, tests = [] }) => [...columns, ...tests]);
    const format = formatOf(table, new Set([...names, ...table.key!]));
    const stage: Stage = { table, change, changed, actions: [], format, found: new Map() };
    stages.set(id, stage);
    return stage;
  };
  await enter(table, change, set ?? NO_COLUMNS);
  // stages that are added meanwhile are visited too
  for (const { table, change, changed, actions } of stages.values()) {
    for (const key of actionsOn(table, change, change === 'update' ? changed : undefined)) {
      const from = catalog.tables.get(key.from);
      const next: Change = change === 'delete' && key.deletes ? 'delete' : 'update';
      if (!from || !isUnderstood(from) || !isFollowed(key, from, table)) {
        return undefined;
      }
      const own = key.columns.map(([column]) => column);
      if (next === 'update' && own.some(column => from.key!.includes(column))) {
        return undefined;
      }
      const columns = next === 'update' ? [...SYSTEM_COLUMNS, ...own, ...from.generated] : [];
      actions.push({ key, next: await enter(from, next, new Set(columns)) });
    }
  }
  // a row that an action updates is read again by its key, which the statement may have changed
  const [root, ...others] = stages.values();
  const isMoved =
    change === 'update' &&
    table.key!.some(column => root!.changed.has(column)) &&
    others.some(stage => stage.table === table);
  return isCached && !isMoved ? [...stages.values()] : undefined;
}

/** Whether nothing but foreign keys changes its rows, and all of them are visible. */
function isUnderstood(table: Table): boolean {
  const { ancestors, descendants, triggers, key } = table;
  const isAlone = !table.partitioned && ancestors.length === 1 && descendants.length === 1;
  const isOpen = table.plain && table.readable && table.lockable;
  return isAlone && isOpen && triggers.length === 0 && !table.rewritten && key !== undefined;
}

/** Whether a query finds the referencing rows that the database finds. */
function isFollowed({ checked, columns }: ForeignKey, from: Table, to: Table): boolean {
  const isSame = ([own, referenced]: readonly [string, string]) => {
    const kind = from.kinds.get(own);
    return kind !== undefined && kind === to.kinds.get(referenced);
  };
  return checked && columns.every(isSame);
}

function actionsOn(
  table: Table,
  change: Change,
  changed: ReadonlySet<string> | undefined,
): readonly ForeignKey[] {
  const keys = change === 'delete' ? table.onDelete : table.onUpdate;
  return changed ? keys.filter(({ referenced }) => referenced.some(column => changed.has(column))) : keys;
}

/** A query for the rows whose columns have one of these combinations of values. */
function referring(
  { table, ...stage }: Stage,
  columns: readonly string[],
  types: readonly string[],
  values: readonly (readonly string[])[],
): Query {
  const alias = quoteName('c');
  const names = columns.map(column => `${alias}.${quoteName(column)}`);
  const casts = types.map((type, i) => `(v.k ->> ${i})::${type}`);
  const from = 'from pg_catalog.json_array_elements($1::json) as v (k)';
  const conditions = names.map((name, i) => `${name} = any (array(select ${casts[i]} ${from}))`);
  if (names.length > 1) {
    conditions.push(`((${names.join(', ')}) in (select ${casts.join(', ')} ${from})) is true`);
  }
  const sql =
    `select ${expressionOf({ table, ...stage }, alias)} as ${quoteName(IMAGE_COLUMN)} ` +
    `from ${quoteName(table.schema)}.${quoteName(table.name)} as ${alias} where ${conditions.join(' and ')}`;
  return { sql, parameters: [JSON.stringify(values)] };
}

function expressionOf({ table, format }: Stage, qualifier: string): string {
  const texts = textColumns(table).map(column => `${qualifier}.${quoteName(column)}::text`);
  return `json_build_array(${format.expression(qualifier)}, json_build_array(${texts.join(', ')}))::text`;
}

/** The primary key and all referenced columns. */
function textColumns(table: Table): readonly string[] {
  const keys = [...table.onDelete, ...table.onUpdate];
  return [...new Set([...table.key!, ...keys.flatMap(({ referenced }) => referenced)])];
}

/** The values of these columns, without rows that have a NULL among them. */
function valuesOf(rows: readonly Found[], columns: readonly string[]): string[][] {
  return rows
    .map(({ texts }) => columns.map(column => texts.get(column) ?? null))
    .filter(values => values.every(value => value !== null));
}

function typesOf({ types }: Table, columns: readonly string[]): string[] {
  return columns.map(column => types.get(column)!);
}

function keyOf(table: Table, image: Image): string {
  return JSON.stringify(table.key!.map(column => fieldOf(image, column)));
}

const NO_COLUMNS: ReadonlySet<string> = new Set();
