import { returningSql } from '../../lib/sql/rewrite.js';
import type { Delete, Insert, Other, SessionEffects, Statement, Update } from '../../lib/sql/statement.js';
import {
  aliasOf,
  type Found,
  isPlainCall,
  isTree,
  namesOf,
  nodesIn,
  type PostgresStatement,
  parseWithPostgres,
  type TableReference,
  type Tree,
  tablesIn,
} from './postgres_parser.js';

const MODIFYING = ['InsertStmt', 'UpdateStmt', 'DeleteStmt', 'MergeStmt'];
export const WRITING = [...MODIFYING, 'intoClause'];
const CONFIGURING = ['VariableSetStmt', 'DiscardStmt'];
/** These are parsed as queries. */
const READING = 'SelectStmt VariableShowStmt FetchStmt ClosePortalStmt DeclareCursorStmt ExplainStmt'.split(
  ' ',
);
/** Statements that change no table by themselves. */
const CHANGES_NOTHING = [
  ...READING,
  ...CONFIGURING,
  ...`PrepareStmt DeallocateStmt ListenStmt UnlistenStmt NotifyStmt LockStmt CheckPointStmt VacuumStmt ConstraintsSetStmt
      TransactionStmt CommentStmt ClusterStmt ReindexStmt GrantStmt GrantRoleStmt SecLabelStmt`.split(/\s+/),
];
const DEFINING =
  /^(?:Create(?!dbStmt)|Alter|Drop(?!dbStmt)|Rename|Define|Index|View|Rule|Grant|Comment|SecLabel|Import|Reassign|Refresh)/;
const OF_ONE_TABLE = /OBJECT_(?:TABLE|INDEX|SEQUENCE|TRIGGER|POLICY|STATISTIC)/;

/** The effects of a statement according to PostgreSQL's tree. */
class Truth {
  readonly statement: PostgresStatement;
  readonly nodes: readonly Found[];
  readonly tables: readonly TableReference[];

  constructor(statement: PostgresStatement) {
    this.statement = statement;
    this.nodes = this.#isExplained ? [] : nodesIn(statement);
    this.tables = tablesIn(statement);
  }

  /** EXPLAIN without execution */
  get #isExplained(): boolean {
    const { type, tree } = this.statement;
    return type === 'ExplainStmt' && !optionsOf(tree).some(({ defname }) => defname === 'analyze');
  }

  get writes(): boolean {
    const { type, tree } = this.statement;
    return (
      (!CHANGES_NOTHING.includes(type) && !(type === 'CopyStmt' && tree.is_from !== true)) ||
      (type !== 'PrepareStmt' && this.has(...WRITING)) ||
      this.isOpaque
    );
  }

  get defines(): boolean {
    const { type } = this.statement;
    // elsewhere PostgreSQL rejects INTO when it analyses the statement
    return DEFINING.test(type) || (['SelectStmt', 'ExplainStmt'].includes(type) && this.has('intoClause'));
  }

  /** May it change tables that it does not name? */
  get isOpaque(): boolean {
    const { type, tree } = this.statement;
    return (
      (type !== 'PrepareStmt' && this.has('ExecuteStmt', 'CallStmt', 'DropOwnedStmt', 'ReassignOwnedStmt')) ||
      (/^(?:Drop|Alter|Truncate)/.test(type) &&
        this.nodes.some(node => node.tree.behavior === 'DROP_CASCADE')) ||
      (type === 'DropStmt' && !OF_ONE_TABLE.test(tree.removeType as string)) ||
      ['CreateSchemaStmt', 'ImportForeignSchemaStmt'].includes(type)
    );
  }

  get settings(): string[] | 'any' {
    const { type, tree } = this.statement;
    if (type === 'DiscardStmt') {
      const target = tree.target as string;
      return target === 'DISCARD_ALL' ? 'any' : target === 'DISCARD_TEMP' ? ['search_path'] : [];
    }
    if (
      !DEFINING.test(type) &&
      this.nodes.some(node => isPlainCall(node) && namesOf(node.tree.funcname).at(-1) === 'set_config')
    ) {
      return 'any'; // names are compared elsewhere
    }
    if (type !== 'VariableSetStmt') {
      return [];
    }
    if (tree.kind === 'VAR_RESET_ALL') {
      return 'any';
    }
    const name = tree.name as string;
    if (tree.kind !== 'VAR_SET_MULTI') {
      return /^(?:names|schema)$/.test(name) ? [] : [name.toLowerCase()]; // `set names = 'x'`: it names none of these settings
    }
    const modes = ((tree.args ?? []) as Tree[]).map(each => (each.DefElem as Tree)?.defname as string);
    return name === 'TRANSACTION SNAPSHOT'
      ? ['transaction_snapshot']
      : modes
          .filter(mode => mode === 'transaction_isolation')
          .map(mode => (name === 'SESSION CHARACTERISTICS' ? `default_${mode}` : mode));
  }

  has(...types: readonly string[]): boolean {
    return this.nodes.some(({ type }) => types.includes(type));
  }
}

export function problemsOfStatement(
  sql: string,
  statement: Statement,
  parsed: readonly PostgresStatement[],
): string[] {
  const truths = parsed.map(each => new Truth(each));
  if (statement.kind === 'other') {
    return truths.flatMap(truth => problemsOfOther(statement, truth));
  }
  const [truth, ...others] = truths;
  if (!truth || others.length > 0) {
    return truth ? [`${truths.length} statements are parsed as one`] : [];
  }
  switch (statement.kind) {
    case 'read':
      return [
        ...(READING.includes(truth.statement.type) && !truth.writes ? [] : ['a write is read as a query']),
        ...problemsOfEffects(statement.effects, truth),
      ];
    case 'session':
      return [
        ...([...CONFIGURING, 'ConstraintsSetStmt'].includes(truth.statement.type)
          ? []
          : [`${truth.statement.type} is parsed as a setting`]),
        ...problemsOfEffects(statement.effects, truth),
      ];
    default:
      return problemsOfForm(sql, statement, truth);
  }
}

/** A text that skips parsing. */
export function problemsOfPlainSelect(parsed: readonly PostgresStatement[]): string[] {
  const [truth, ...others] = parsed.map(each => new Truth(each));
  const isPlain = others.length === 0 && truth?.statement.type === 'SelectStmt';
  return isPlain && !truth.writes && truth.settings.length === 0 ? [] : ['it is not a plain SELECT'];
}

function problemsOfOther(other: Other, truth: Truth): string[] {
  const { type } = truth.statement;
  const problems: string[] = [];
  if (truth.isOpaque && !other.opaque) {
    problems.push('a statement that may change other tables is not opaque');
  }
  if (truth.writes && !other.writes) {
    problems.push('a write is not seen');
  }
  if (truth.defines && !other.mayDefine) {
    problems.push('a definition is not seen');
  }
  if (
    type === 'TransactionStmt' &&
    !other.controlsTransaction &&
    !/PREPARED/.test(truth.statement.tree.kind as string)
  ) {
    problems.push('the end of a transaction is not seen');
  }
  if (!other.opaque && truth.writes) {
    const missing = truth.tables.filter(({ name }) => !other.names.has(name));
    problems.push(...missing.map(({ name }) => `table ${name} is not named`));
  }
  return [...problems, ...problemsOfEffects(other.effects, truth)];
}

function problemsOfEffects(effects: SessionEffects | undefined, { settings }: Truth): string[] {
  if (settings === 'any' ? effects !== undefined : effects && effects.settings === undefined) {
    return [];
  }
  const missing = settings === 'any' ? ['any'] : settings.filter(name => !effects?.settings?.includes(name));
  return missing.map(name => `setting ${name} is not seen`);
}

/** Statements that are parsed word by word. */
function problemsOfForm(
  sql: string,
  statement: Exclude<Statement, { kind: 'read' | 'session' | 'other' }>,
  truth: Truth,
): string[] {
  const { type, tree } = truth.statement;
  const same = (part: string, ours: unknown, theirs: unknown) =>
    JSON.stringify(ours) === JSON.stringify(theirs)
      ? []
      : [`${part}: ${JSON.stringify(ours)} for ${JSON.stringify(theirs)}`];
  const kinds = {
    insert: 'InsertStmt',
    update: 'UpdateStmt',
    delete: 'DeleteStmt',
    truncate: 'TruncateStmt',
  };
  const kind = statement.kind === 'transaction' ? 'TransactionStmt' : kinds[statement.kind];
  if (type !== kind) {
    return [`${type} is parsed as ${statement.kind}`];
  }
  if (statement.kind === 'truncate') {
    return [
      ...same('tables', statement.tables.map(nameOf), truth.tables.map(nameOf)),
      ...same('cascade', statement.cascade, tree.behavior === 'DROP_CASCADE'),
    ];
  }
  if (statement.kind === 'transaction') {
    const command = (tree.kind as string).replace('TRANS_STMT_', '').replaceAll('_', ' ').toLowerCase();
    const isolation = optionsOf(tree).findLast(each => each.defname === 'transaction_isolation')?.arg as
      | Tree
      | undefined;
    return [
      ...same('command', statement.command, command === 'start' ? 'begin' : command),
      ...same('name', statement.name, tree.savepoint_name),
      ...same('chain', statement.chain, tree.chain === true),
      ...same('isolation', statement.isolation, ((isolation?.A_Const as Tree)?.sval as Tree)?.sval),
    ];
  }
  const relation = tree.relation as Tree;
  const others = truth.nodes.filter(({ type: each, path }) => MODIFYING.includes(each) && path.length > 0);
  const output = tree.returningClause !== undefined || tree.returningList !== undefined;
  return [
    ...same(
      'table',
      nameOf(statement.table),
      nameOf({ schema: relation.schemaname, name: relation.relname }),
    ),
    ...same('target', targetOf(sql.slice(statement.target.start, statement.target.end)), [
      relation.schemaname,
      aliasOf(relation),
    ]),
    ...same('catalog', undefined, relation.catalogname),
    ...same('alias', statement.alias, (relation.alias as Tree | undefined)?.aliasname),
    ...same(
      'other writes',
      [],
      others.map(each => each.type),
    ),
    ...same('returning', statement.returning !== undefined, output),
    ...same('effects', [], truth.settings),
    ...(parseWithPostgres(returningSql(statement, 'null'))?.[0]?.type === type
      ? []
      : ['no output can be added']),
    ...problemsOfRows(statement),
  ];

  function problemsOfRows(statement: Insert | Update | Delete): string[] {
    if (statement.kind === 'insert') {
      const conflict = tree.onConflictClause as Tree | undefined;
      const action = conflict ? (conflict.action === 'ONCONFLICT_NOTHING' ? 'nothing' : 'update') : 'none';
      const query = (tree.selectStmt as Tree | undefined)?.SelectStmt as Tree | undefined;
      const rows = query?.valuesLists as Tree[] | undefined;
      const isPlain =
        rows && !query?.sortClause && !query?.limitCount && !query?.limitOffset && !query?.withClause;
      return [
        // the columns of a query do not matter: `insert into t (values) values (1)` is parsed as one
        ...(statement.source.kind === 'query'
          ? []
          : same('columns', statement.columns, tree.cols && targetsOf(tree.cols))),
        ...same('conflict', statement.conflict.kind, action),
        ...same(
          'set',
          statement.conflict.kind === 'update' ? statement.conflict.set : [],
          targetsOf(conflict?.targetList ?? []),
        ),
        ...(statement.source.kind === 'values'
          ? same(
              'rows',
              statement.source.rows.map(row => row.length),
              isPlain ? rows.map(row => ((row.List as Tree).items as Tree[]).length) : undefined,
            )
          : same('default', statement.source.kind === 'default values', query === undefined)),
      ];
    }
    const joined = tree[statement.kind === 'update' ? 'fromClause' : 'usingClause'] !== undefined;
    return [
      ...same('where', statement.where !== undefined, tree.whereClause !== undefined),
      ...same('from', statement.from, joined),
      ...(statement.kind === 'update' ? same('set', statement.set, targetsOf(tree.targetList)) : []),
      ...(statement.where ? problemsOfWhere(sql.slice(statement.where.start, statement.where.end)) : []),
    ];
  }

  function problemsOfWhere(text: string): string[] {
    const alone = parseWithPostgres(`select where ${text}`)?.[0]?.tree.whereClause;
    return same('condition', withoutLocations(alone), withoutLocations(tree.whereClause));
  }
}

/** The query that locks written rows uses this. */
function targetOf(text: string): unknown[] {
  const [item] = (parseWithPostgres(`select from ${text}`)?.[0]?.tree.fromClause ?? []) as Tree[];
  return isTree(item?.RangeVar) ? [item.RangeVar.schemaname, aliasOf(item.RangeVar)] : [];
}

function optionsOf(tree: Tree): Tree[] {
  return ((tree.options ?? []) as Tree[]).map(each => each.DefElem as Tree);
}

function withoutLocations(tree: unknown): unknown {
  return JSON.parse(
    JSON.stringify(tree ?? null, (key, value) => (/location|_start|_end/.test(key) ? undefined : value)),
  );
}

function targetsOf(list: unknown): string[] {
  return (list as Tree[]).map(each => (each.ResTarget as Tree).name as string);
}

function nameOf({ schema, name }: { readonly schema?: unknown; readonly name: unknown }): string {
  return `${schema ?? ''}.${name}`;
}
