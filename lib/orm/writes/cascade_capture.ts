import type { Image, ImageFormat } from '../../changes/row_image.js';
import { quoteName } from '../../sql/lexer/names.js';
import { columnQualifier, IMAGE_COLUMN, lockingSql, type Query } from '../../sql/rewrite.js';
import { mayCallRoutine } from '../../sql/routines.js';
import type { ForeignKey, Table } from '../catalog/table.js';
import { fieldOf, formatOf, SYSTEM_COLUMNS } from './row_capture_statement.js';
import type { RowWrite } from './row_write.js';

/** The most statements that are sent to find out which rows one write reaches, such as one for each level of a tree. */
const MAX_STATEMENTS = 32;

type Fate = 'update' | 'delete';

/** What happens to rows of a table, and what that does to others. */
interface Stage {
  readonly table: Table;
  readonly fate: Fate;
  /** the columns that an update may change */
  readonly changed: ReadonlySet<string>;
  readonly actions: { readonly key: ForeignKey; readonly next: Stage }[];
  readonly format: ImageFormat;
  /** by primary key, the rows as they were */
  readonly found: Map<string, Found>;
}

interface Found {
  readonly image: Image;
  /** the columns by which it is found, and those that others refer to, as the database writes them */
  readonly texts: ReadonlyMap<string, string | null>;
}

/**
 * Exactly the rows that the actions of foreign keys (CASCADE, SET NULL, SET DEFAULT) change when rows of a table are
 * deleted, or their keys changed.
 *
 * They are found before the statement is sent, by locking: the rows that it is about as strongly as it will itself,
 * then, by statements of their own, the rows that refer to these, and so on. Under READ COMMITTED nothing gets between:
 * - Whoever lets a row refer to a locked one, now or later, has to lock that one for the check of the foreign key. So he
 *   waits for us, or we have waited for him, and a statement that begins now sees what he has committed.
 * - A row that refers and has been read is locked itself: it stays as it is until the action comes to it. One that was
 *   changed while its lock was waited for is looked at again, by all of the condition (which compares with an array: a
 *   join would only look whether it still has the partner that it had).
 * - What the statement is about may differ from what was locked for it: see {@link covers}.
 *
 * After the statement the rows that were not deleted are read once more: what an action makes of them is not guessed.
 *
 * Everything else widens, as {@link cascades} tells: above READ COMMITTED, where locks would fail that the statement
 * itself does not need; where triggers, rules, policies, partitions or heirs have a say, or a foreign key is deferrable,
 * switched off or not enforced, so that somebody may refer to a row without a lock on it; where an action changes the
 * key by which a row is found again; and where there is too much of it. (Somebody with `session_replication_role =
 * replica` checks no foreign key: what he does at the same moment is not seen.)
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

  /** @returns `undefined` if there are no such rows that anybody wants to know of, or it cannot be told which */
  static async lock(
    write: RowWrite,
    fate: Fate,
    set?: ReadonlySet<string>,
  ): Promise<CascadeCapture | undefined> {
    const { statement, table, isExact } = write;
    // what a condition calls would be called twice
    if (!isExact || statement.kind === 'insert' || mayCallRoutine(statement.sql)) {
      return undefined;
    }
    const keys = actionsOn(table, fate, set);
    const stages = keys.length > 0 && isUnderstood(table) ? await stagesOf(write, fate, set) : undefined;
    if (!stages) {
      return undefined;
    }
    const cascade = new CascadeCapture(write, stages);
    return (await cascade.#lockAll()) ? cascade : undefined;
  }

  /** Whether a row that was deleted or updated is one of those that were locked: others refer to it whom we have not seen. */
  covers(old: Image): boolean {
    const [root] = this.#stages;
    return root!.found.has(keyOf(root!.table, old));
  }

  /** After the statement: writes down what has become of the rows. */
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

  /** All but what the statement itself is about. */
  #reached(fate: Fate): readonly Stage[] {
    return this.#stages.slice(1).filter(stage => stage.fate === fate && stage.found.size > 0);
  }

  /** @returns whether it was not too much */
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
        // an action that changes what others refer to locks as a DELETE does
        const strength = next.fate === 'delete' || next.actions.length > 0 ? 'update' : 'no key update';
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

  /** @returns the rows that were not known; `undefined` if it is too much */
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

/** The stages that rows of a table lead to, the statement's own first; `undefined` if not all of them are understood. */
async function stagesOf(
  { catalog, table, schemes }: Pick<RowWrite, 'catalog' | 'table' | 'schemes'>,
  fate: Fate,
  set: ReadonlySet<string> | undefined,
): Promise<Stage[] | undefined> {
  const stages = new Map<string, Stage>();
  let isCached = false;
  // rows of the statement's own table may be reached as well: they are not among those that it is about
  const enter = async (table: Table, fate: Fate, changed: ReadonlySet<string>): Promise<Stage> => {
    const id = stages.size === 0 ? '' : JSON.stringify([table.fullName, fate, ...changed]);
    const known = stages.get(id);
    if (known) {
      return known;
    }
    const readers = await schemes(table.fullName);
    isCached ||= stages.size > 0 && readers.length > 0;
    const names = readers.flatMap(({ columns, tests = [] }) => [...columns, ...tests]);
    const format = formatOf(table, new Set([...names, ...table.key!]));
    const stage: Stage = { table, fate, changed, actions: [], format, found: new Map() };
    stages.set(id, stage);
    return stage;
  };
  await enter(table, fate, set ?? NO_COLUMNS);
  // stages that are entered on the way are visited, too
  for (const { table, fate, changed, actions } of stages.values()) {
    for (const key of actionsOn(table, fate, fate === 'update' ? changed : undefined)) {
      const from = catalog.tables.get(key.from);
      const next: Fate = fate === 'delete' && key.deletes ? 'delete' : 'update';
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
  // a row that an action updates is found again by its key, which the statement may have changed
  const [root, ...others] = stages.values();
  const isMoved =
    fate === 'update' &&
    table.key!.some(column => root!.changed.has(column)) &&
    others.some(stage => stage.table === table);
  return isCached && !isMoved ? [...stages.values()] : undefined;
}

/** What happens to its rows can be told by their foreign keys, and nothing else changes them or hides them from us. */
function isUnderstood(table: Table): boolean {
  const { ancestors, descendants, triggers, key } = table;
  const isAlone = !table.partitioned && ancestors.length === 1 && descendants.length === 1;
  const isOpen = table.plain && table.readable && table.lockable;
  return isAlone && isOpen && triggers.length === 0 && !table.rewritten && key !== undefined;
}

/** Its rows are found as the database finds them. */
function isFollowed({ checked, columns }: ForeignKey, from: Table, to: Table): boolean {
  const isSame = ([own, referenced]: readonly [string, string]) => {
    const kind = from.kinds.get(own);
    return kind !== undefined && kind === to.kinds.get(referenced);
  };
  return checked && columns.every(isSame);
}

function actionsOn(
  table: Table,
  fate: Fate,
  changed: ReadonlySet<string> | undefined,
): readonly ForeignKey[] {
  const keys = fate === 'delete' ? table.onDelete : table.onUpdate;
  return changed ? keys.filter(({ referenced }) => referenced.some(column => changed.has(column))) : keys;
}

/** The rows of which these columns have one of the given combinations of values. */
function referring(
  { table, ...stage }: Stage,
  columns: readonly string[],
  types: readonly string[],
  values: readonly (readonly string[])[],
): Query {
  const alias = quoteName('c');
  const names = columns.map(column => `${alias}.${quoteName(column)}`);
  const casts = types.map((type, i) => `(v.k ->> ${i})::${type}`);
  const from = 'from json_array_elements($1::json) as v (k)';
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

/** By which a row of the table is found, and those that refer to it. */
function textColumns(table: Table): readonly string[] {
  const keys = [...table.onDelete, ...table.onUpdate];
  return [...new Set([...table.key!, ...keys.flatMap(({ referenced }) => referenced)])];
}

/** Those of rows in which none is NULL. */
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
