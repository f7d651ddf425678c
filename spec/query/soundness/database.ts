import type { MikroORM } from '@mikro-orm/postgresql';
import { IMAGE_COLUMN } from '../../../lib/changes/image.js';
import { Journal } from '../../../lib/changes/journal.js';
import type { Catalog, Table } from '../../../lib/orm/catalog.js';
import { formatOf } from '../../../lib/orm/tracer.js';
import type { TableChange } from '../../../lib/store/store.js';
import { PATHS } from './shop.js';

/** What stands in a table: by key, the image of each row and its columns as text. */
type Contents = ReadonlyMap<
  number,
  { readonly image: string; readonly columns: Readonly<Record<string, string | null>> }
>;

/** The database, and what each write does to its rows: found by looking at all of them before and after it. */
export class WatchedDatabase {
  readonly #orm: MikroORM;
  readonly #tables: readonly Table[];
  #contents: readonly Contents[] = [];

  constructor(orm: MikroORM, catalog: Catalog) {
    this.#orm = orm;
    this.#tables = [...catalog.tables.values()];
  }

  execute(sql: string): Promise<any[]> {
    return this.#orm.em.getConnection().execute(sql);
  }

  async fill(statements: readonly string[]): Promise<void> {
    await this.execute(`truncate ${this.#tables.map(({ name }) => name).join(', ')}`);
    for (const statement of statements) {
      await this.execute(statement).catch(() => undefined);
    }
    this.#contents = await this.#read();
  }

  /** @returns `undefined` if the database refuses the statements */
  async write(statements: readonly string[]): Promise<readonly TableChange[] | undefined> {
    try {
      await this.execute(`begin; ${statements.join('; ')}; commit`);
    } catch {
      await this.execute('rollback');
      return undefined;
    }
    const before = this.#contents;
    this.#contents = await this.#read();
    const journal = new Journal();
    for (const [i, table] of this.#tables.entries()) {
      record(journal, table, before[i]!, this.#contents[i]!);
    }
    return journal.changes();
  }

  #read(): Promise<readonly Contents[]> {
    return Promise.all(
      this.#tables.map(async table => {
        const { name, types } = table;
        const format = imagesOf(table);
        const rows = await this.execute(
          `select id, ${format.expression('t')} as "${IMAGE_COLUMN}",
             json_build_object(${[...types.keys()].map(column => `'${column}', ${column}::text`)}) as columns
           from ${name} as t`,
        );
        return new Map(rows.map(row => [row.id, { image: row[IMAGE_COLUMN], columns: row.columns }]));
      }),
    );
  }
}

function imagesOf(table: Table) {
  return formatOf(table, new Set([...table.columns.map(({ name }) => name), ...PATHS]));
}

function record(journal: Journal, table: Table, before: Contents, after: Contents): void {
  const format = imagesOf(table);
  for (const key of new Set([...before.keys(), ...after.keys()])) {
    const [old, now] = [before.get(key), after.get(key)];
    if (!old) {
      journal.record(table.fullName, { new: format.read(now!.image) });
    } else if (!now) {
      journal.record(table.fullName, { old: format.read(old.image) });
    } else {
      const names = Object.keys(old.columns);
      const changed = new Set(names.filter(name => old.columns[name] !== now.columns[name]));
      if (changed.size > 0) {
        journal.record(table.fullName, { old: format.read(old.image), new: format.read(now.image), changed });
      }
    }
  }
}
