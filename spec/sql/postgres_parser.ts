import { loadModule, parseSync, scanSync } from 'libpg-query';

/** PostgreSQL's own parse tree of SQL, and the tables, functions and other names in it. */
export interface Tree {
  readonly [field: string]: unknown;
}

export interface PostgresStatement {
  /** such as `SelectStmt` */
  readonly type: string;
  readonly tree: Tree;
}

/** A table, view or sequence that a statement names; not the name of a WITH query. */
export interface TableReference {
  readonly catalog: string | undefined;
  readonly schema: string | undefined;
  readonly name: string;
  /** its alias in the statement */
  readonly alias: string;
  readonly renamesColumns: boolean;
}

/** A node and the types and fields that lead to it, the outermost first. */
export interface Found {
  readonly type: string;
  readonly tree: Tree;
  readonly path: readonly string[];
}

export const loadParser = loadModule;

/** @returns `undefined` if PostgreSQL rejects it */
export function parseWithPostgres(sql: string): PostgresStatement[] | undefined {
  try {
    return (parseSync(sql).stmts ?? []).map(({ stmt }) => {
      const [type, tree] = Object.entries(stmt as Tree)[0]!;
      return { type, tree: tree as Tree };
    });
  } catch {
    return undefined;
  }
}

/** The start and end of each token, without comments. */
export function scanWithPostgres(sql: string): string[] {
  const bytes = Buffer.from(sql);
  const isAscii = bytes.length === sql.length;
  const offset = (byte: number) => (isAscii ? byte : bytes.toString('utf8', 0, byte).length);
  return scanSync(sql)
    .tokens.filter(({ tokenName }) => tokenName !== 'SQL_COMMENT' && tokenName !== 'C_COMMENT')
    .map(({ start, end }) => `${offset(start)}-${offset(end)}`);
}

/** All nodes in a tree, itself included. */
export function nodesIn({ type, tree }: PostgresStatement): Found[] {
  const found: Found[] = [];
  collect(type, tree, []);
  return found;

  function collect(key: string, value: unknown, path: readonly string[]): void {
    if (Array.isArray(value)) {
      for (const each of value) {
        collect(key, each, path);
      }
    } else if (isTree(value)) {
      const name = typeOf(key, value);
      const within = [...path, name];
      found.push({ type: name, tree: value, path });
      for (const [field, child] of Object.entries(value)) {
        collect(field, child, isNode(field) ? within : [...within, field]);
      }
    }
  }
}

/** The tables that it names, including those in WITH queries and subqueries. */
export function tablesIn(statement: PostgresStatement): TableReference[] {
  const tables: TableReference[] = [];
  collect(statement.type, statement.tree, new Set());
  return tables;

  function collect(key: string, value: unknown, hidden: ReadonlySet<string>): void {
    if (Array.isArray(value)) {
      for (const each of value) {
        collect(key, each, hidden);
      }
      return;
    }
    if (!isTree(value)) {
      return;
    }
    const isTarget = key === 'relation' || key === 'rel';
    if (typeof value.relname === 'string') {
      if (value.schemaname !== undefined || isTarget || !hidden.has(value.relname)) {
        tables.push(referenceOf(value));
      }
      return;
    }
    let within = hidden;
    const withClause = value.withClause as Tree | undefined;
    if (withClause) {
      const queries = (withClause.ctes as Tree[]).map(each => each.CommonTableExpr as Tree);
      const names = queries.map(query => query.ctename as string);
      queries.forEach((query, i) => {
        const before = withClause.recursive ? names : names.slice(0, i);
        collect('ctequery', query.ctequery, new Set([...hidden, ...before]));
      });
      within = new Set([...hidden, ...names]);
    }
    for (const [field, child] of Object.entries(value)) {
      if (field !== 'withClause') {
        // the target of a write is never a WITH query
        collect(field, child, within);
      }
    }
  }
}

function referenceOf(tree: Tree): TableReference {
  const alias = tree.alias as Tree | undefined;
  return {
    catalog: tree.catalogname as string | undefined,
    schema: tree.schemaname as string | undefined,
    name: tree.relname as string,
    alias: (alias?.aliasname ?? tree.relname) as string,
    renamesColumns: alias?.colnames !== undefined,
  };
}

/** Stands for the `*` of `a.*` among names. */
export const STAR = '\0';

/** `['a', 'b', STAR]` of `a.b.*`, and of other lists of names. */
export function namesOf(list: unknown): string[] {
  return ((list ?? []) as Tree[]).map(each =>
    isTree(each.String) ? ((each.String.sval ?? '') as string) : 'A_Star' in each ? STAR : '',
  );
}

/** The value of a string constant; `undefined` for others. */
export function textOf({ type, tree }: Found): string | undefined {
  const constant = type === 'A_Const' ? (tree.sval as Tree | undefined) : undefined;
  return constant && ((constant.sval ?? '') as string);
}

export function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isNode(field: string): boolean {
  return /^[A-Z]/.test(field);
}

function typeOf(key: string, value: Tree): string {
  if (isNode(key)) {
    return key;
  }
  if (typeof value.relname === 'string') {
    return 'RangeVar';
  }
  return typeof value.op === 'string' && value.op.startsWith('SETOP_') ? 'SelectStmt' : key;
}

/** A call by name: no keyword or operator stands for it. */
export function isPlainCall({ type, tree }: Found): boolean {
  const name = namesOf(tree.funcname).at(-1);
  return type === 'FuncCall' && tree.funcformat !== 'COERCE_SQL_SYNTAX' && !/_escape$/.test(name!);
}

export function aliasOf(table: Tree): string {
  return ((table.alias as Tree | undefined)?.aliasname ?? table.relname) as string;
}
