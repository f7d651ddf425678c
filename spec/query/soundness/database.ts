import type { MikroORM } from '@mikro-orm/postgresql';
import { Journal } from '../../../lib/changes/journal.js';
import type { Catalog, Table } from '../../../lib/orm/catalog/table.js';
import { writeRows } from '../../../lib/orm/writes/row_capture.js';
import { formatOf } from '../../../lib/orm/writes/row_capture_statement.js';
import { parseStatement } from '../../../lib/sql/parse_statement.js';
import { IMAGE_COLUMN } from '../../../lib/sql/rewrite.js';
import type { TableChange } from '../../../lib/store/store.js';
import type { Scheme } from '../../../lib/values/scheme.js';

/** The content of a table: by key, the image of each row and its columns as text. */
type Contents = ReadonlyMap<
  number,
  { readonly image: string; readonly columns: Readonly<Record<string, string | null>> }
>;

/**
 * How the changes of a write are captured: by comparing all rows before and after it; as the ORM's writes are
 * captured; or as on a server before PostgreSQL 18, where RETURNING has no old rows.
 */
export type Following = 'compared' | 'traced' | 'traced without old rows';

/** The database, and the changes of each write. */
export class WatchedDatabase {
  readonly #orm: MikroORM;
  readonly #catalog: Catalog;
  readonly #tables: readonly Table[];
  #schemes: ReadonlyMap<string, readonly Scheme[]> = new Map();
  #contents: readonly Contents[] = [];

  constructor(orm: MikroORM, catalog: Catalog) {
    this.#orm = orm;
    this.#catalog = catalog;
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
  }

  /** @param schemes by table, the schemes that writers update */
  async watch(schemes: ReadonlyMap<string, readonly Scheme[]>): Promise<void> {
    this.#schemes = schemes;
    this.#contents = await this.#read();
  }

  /** @returns `undefined` if the database rejects the statements */
  async write(
    statements: readonly string[],
    following: Following,
  ): Promise<readonly TableChange[] | undefined> {
    const journal = new Journal();
    try {
      await this.execute('begin');
      for (const statement of statements) {
        await (following === 'compared'
          ? this.execute(statement)
          : this.#trace(journal, statement, following));
      }
      await this.execute('commit');
    } catch (error) {
      await this.execute('rollback');
      if (isOfImages(error as Error)) {
        throw error;
      }
      return undefined;
    }
    const before = this.#contents;
    this.#contents = await this.#read();
    if (following === 'compared') {
      for (const [i, table] of this.#tables.entries()) {
        this.#record(journal, table, before[i]!, this.#contents[i]!);
      }
    }
    return journal.changes();
  }

  async #trace(journal: Journal, sql: string, following: Following): Promise<void> {
    const statement = parseStatement(sql, []);
    if (statement.kind !== 'insert' && statement.kind !== 'update' && statement.kind !== 'delete') {
      throw new Error(`This is no statement on rows: ${sql}`);
    }
    const returnsOld = this.#catalog.returnsOld && following === 'traced';
    await writeRows({
      statement,
      table: this.#catalog.resolve(statement.table)!,
      catalog: { ...this.#catalog, returnsOld },
      journal,
      query: { sql, parameters: [] } as unknown as Parameters<typeof writeRows>[0]['query'],
      ask: async (query, parameters) => ({
        rows: await this.execute(query.replace(/\$(\d+)/g, (_, i) => quoteText(parameters[i - 1]))),
      }),
      schemes: async table => this.#schemes.get(table) ?? [],
      maxRows: 100,
      isExact: true,
    });
  }

  #read(): Promise<readonly Contents[]> {
    return Promise.all(
      this.#tables.map(async table => {
        const { name, types } = table;
        const format = this.#imagesOf(table);
        const rows = await this.execute(
          `select id, ${format.expression('t')} as "${IMAGE_COLUMN}",
             json_build_object(${[...types.keys()].map(column => `'${column}', ${column}::text`)}) as columns
           from ${name} as t`,
        );
        return new Map(rows.map(row => [row.id, { image: row[IMAGE_COLUMN], columns: row.columns }]));
      }),
    );
  }

  #imagesOf(table: Table) {
    const schemes = this.#schemes.get(table.fullName) ?? [];
    return formatOf(table, new Set(schemes.flatMap(({ columns, tests = [] }) => [...columns, ...tests])));
  }

  #record(journal: Journal, table: Table, before: Contents, after: Contents): void {
    const format = this.#imagesOf(table);
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
          journal.record(table.fullName, {
            old: format.read(old.image),
            new: format.read(now.image),
            changed,
          });
        }
      }
    }
  }
}

function quoteText(value: unknown): string {
  return `'${String(value).replaceAll("'", "''")}'`;
}

/** No other reader uses these dependencies. */
function isOfImages({ message }: Error): boolean {
  return /syntax|__cacheops|json_build_array/.test(message);
}
