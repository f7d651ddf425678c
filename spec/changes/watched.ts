import { expect } from 'chai';
import {
  CompiledQuery as Compiled,
  type CompiledQuery,
  type DatabaseConnection,
  type QueryResult,
} from 'kysely';
import { type Image, type ImageColumn, ImageFormat, withoutImage } from '../../lib/changes/row_image.js';
import { conflictSql } from '../../lib/sql/conflicting_rows.js';
import { quoteName } from '../../lib/sql/lexer/names.js';
import { parseStatement } from '../../lib/sql/parse_statement.js';
import { columnQualifier, IMAGE_COLUMN, lockingSql, returningSql } from '../../lib/sql/rewrite.js';
import type { Delete, Insert, Statement, Update } from '../../lib/sql/statement.js';
import { comparableOf } from '../../lib/values/comparable.js';

type Result = QueryResult<any>;
type Write = Insert | Update | Delete;
type Ask = (sql: string, parameters?: readonly unknown[]) => Promise<Result>;

/**
 * A connection that captures the changes of each statement, and checks them: the table's rows before, without the old
 * rows and with the new rows, must be its rows after.
 *
 * @param seen is called with each statement
 */
export function watch(connection: DatabaseConnection, seen: (statement: Statement) => void): void {
  const send = connection.executeQuery.bind(connection) as (query: CompiledQuery) => Promise<Result>;
  const ask: Ask = (sql, parameters = []) => send(Compiled.raw(sql, [...parameters]));
  connection.executeQuery = async <R>(query: CompiledQuery): Promise<QueryResult<R>> => {
    const statement = parseStatement(query.sql, query.parameters);
    seen(statement);
    return statement.kind === 'insert' || statement.kind === 'update' || statement.kind === 'delete'
      ? await watched(ask, statement, query.parameters)
      : await send(query);
  };
}

async function watched(ask: Ask, write: Write, parameters: readonly unknown[]): Promise<Result> {
  const { format, types, keys } = await columnsOf(ask, write);
  const expression = format.expression(columnQualifier(write));
  const state = () =>
    imagesOf(`select ${format.expression('t')} as "${IMAGE_COLUMN}" from ${nameOf(write)} t`);
  const imagesOf = async (sql: string, values?: readonly unknown[]) =>
    read(format, (await ask(sql, values)).rows);

  const before = await state();
  const locking =
    write.kind === 'update'
      ? lockingSql(write, expression, 1000, parameters)
      : write.kind === 'insert'
        ? conflictSql(write, types, expression, parameters)
        : undefined;
  const locked = locking && (await imagesOf(locking.sql, locking.parameters));
  const upserts = write.kind === 'insert' && write.conflict.kind === 'update';
  const result = await ask(
    returningSql(
      write,
      format.expression(
        columnQualifier(write),
        upserts ? { inserted: `(${columnQualifier(write)}.xmax = 0)` } : {},
      ),
    ),
    parameters,
  );
  const images = read(format, result.rows);

  const keyOf = (image: Image) =>
    JSON.stringify(keys.map(key => image.row.values[image.row.positions.get(key)!]));
  const updated = new Set(images.filter(image => image.inserted !== true).map(keyOf));
  const had = (rows: readonly Image[]) => rows.filter(row => updated.has(keyOf(row)));
  const old =
    write.kind === 'delete' ? images : had(locked ?? (write.kind === 'update' || upserts ? before : []));
  const rest = before.map(flat);
  for (const image of old) {
    rest.splice(rest.indexOf(flat(image)), 1);
  }
  const now = write.kind === 'delete' ? [] : images.map(flat);
  expect([...rest, ...now].sort(), write.sql).to.deep.equal((await state()).map(flat).sort());
  return { ...result, rows: write.returning ? [...withoutImage(result.rows)] : [] };
}

async function columnsOf(ask: Ask, write: Write) {
  const { rows } = await ask(
    `select a.attname as column, t.typname as name, t.typtype as category, format_type(a.atttypid, a.atttypmod) as type,
            exists (select from pg_index i where i.indrelid = a.attrelid and i.indisprimary and a.attnum = any (i.indkey)) as key
     from pg_attribute a join pg_type t on t.oid = a.atttypid
     where a.attrelid = $1::regclass and a.attnum > 0 and not a.attisdropped order by a.attnum`,
    [nameOf(write)],
  );
  const columns = rows.flatMap((row): ImageColumn[] => {
    const kind = comparableOf({ name: row.name, category: row.category, deterministic: true });
    return kind ? [{ name: row.column, kind }] : [];
  });
  return {
    format: new ImageFormat(columns),
    types: new Map<string, string>(rows.map(row => [row.column, row.type])),
    keys: rows.filter(row => row.key).map(row => row.column as string),
  };
}

function nameOf({ table }: Write): string {
  return table.schema === undefined
    ? quoteName(table.name)
    : `${quoteName(table.schema)}.${quoteName(table.name)}`;
}

function read(format: ImageFormat, rows: readonly any[]): Image[] {
  return rows.map(row => format.read(row[IMAGE_COLUMN]));
}

function flat(image: Image): string {
  return JSON.stringify(image.row.values);
}
