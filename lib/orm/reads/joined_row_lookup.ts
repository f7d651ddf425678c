import { ImageFormat } from '../../changes/row_image.js';
import { columnsOf, compile } from '../../query/predicate.js';
import type { JoinedRow } from '../../query/watch.js';
import { quoteName } from '../../sql/lexer/names.js';
import { IMAGE_COLUMN } from '../../sql/rewrite.js';
import type { Canonical } from '../../values/comparable.js';
import { decodeValues, encodeValues } from '../../values/encode.js';
import { storedColumn } from '../../values/path.js';
import { type Catalog, kindIn, type Table } from '../catalog/table.js';
import { TYPES } from '../planning/joined_rows.js';

/** By joined row, the keys to look up. */
export type Questions = ReadonlyMap<JoinedRow, ReadonlySet<string>>;

/** By joined row, the keys whose rows do not satisfy the condition. Of one row, only that of an existing one is known to fail. */
export type Failing = ReadonlyMap<JoinedRow, ReadonlySet<string>>;

export type LookUpJoinedRows = (questions: Questions) => Promise<Failing>;

/** Runs one statement, with `?` for each parameter and `\?` for a question mark, and returns its rows. */
type Execute = (sql: string, parameters: readonly unknown[]) => Promise<Record<string, any>[]>;

export function isKnownToFail(failing: Failing, joinedRow: JoinedRow, key: string): boolean {
  return failing.get(joinedRow)?.has(key) ?? false;
}

/** Reads joined rows from the database, with one statement for each table. */
export function joinedRowLookup(catalog: Catalog, execute: Execute): LookUpJoinedRows {
  return async questions => {
    const failing = new Map<JoinedRow, ReadonlySet<string>>();
    for (const [joinedRow, keys] of questions) {
      failing.set(
        joinedRow,
        await failingOf(catalog.tables.get(joinedRow.table), joinedRow, [...keys], execute),
      );
    }
    return failing;
  };
}

async function failingOf(
  table: Table | undefined,
  { on, isMany, expression }: JoinedRow,
  keys: readonly string[],
  execute: Execute,
): Promise<ReadonlySet<string>> {
  const key = on.map(([, column]) => column);
  const names = [...new Set([...key, ...columnsOf(expression)])];
  const kinds = names.map(name => kindIn(table, name));
  if (!table || kinds.includes(undefined)) {
    return new Set(); // the catalog was reloaded
  }
  const format = new ImageFormat(names.map((name, i) => ({ name, kind: kinds[i]! })));
  const casts = kinds.slice(0, key.length).map(kind => `?::${TYPES[kind!]}`);
  const stored = [...new Set(names.map(storedColumn))];
  const types = stored.map(column => `pg_typeof(t.${quoteName(column)})::text`).join(', ');
  const select = `select ${format.rowExpression('t')} as ${quoteName(IMAGE_COLUMN)}, json_build_array(${types}) as types
    from ${quoteName(table.schema)}.${quoteName(table.name)} as t
    where (${key.map(column => `t.${quoteName(column)}`).join(', ')}) in`;
  const rows = await execute(
    `${select.replaceAll('?', '\\?')} (${keys.map(() => `(${casts.join(', ')})`).join(', ')})
    limit ${MAX_ROWS + 1}`,
    keys.flatMap(decodeValues),
  );
  // if the types of columns have changed, they may be compared in another way
  const known = stored.map(column => table.types.get(column)?.replace(MODIFIER, ''));
  const predicate = compile(expression, names);
  const found = rows.map(row => {
    const { values } = format.readRow(row[IMAGE_COLUMN]);
    const fails = known.every((type, i) => type === row.types[i]) && !predicate.matches(values);
    return { key: encodeValues(values.slice(0, key.length) as Canonical[]), fails };
  });
  if (!isMany) {
    return new Set(found.flatMap(({ key, fails }) => (fails ? [key] : [])));
  }
  if (found.length > MAX_ROWS || found.some(({ key }) => !keys.includes(key))) {
    return new Set();
  }
  const satisfying = new Set(found.flatMap(({ key, fails }) => (fails ? [] : [key])));
  return new Set(keys.filter(key => !satisfying.has(key)));
}

/** If more rows are found, which may take long to read, nothing is known. */
const MAX_ROWS = 1000;

/** `(10,2)` of `numeric(10,2)` */
const MODIFIER = /\(.*\)/;
