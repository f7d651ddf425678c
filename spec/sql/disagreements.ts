import { mayReadClock } from '../../lib/sql/clock.js';
import {
  CAST_TARGETS,
  isUnstable,
  NAMES_NO_TYPE_BEFORE_CONSTANT,
  OPERATORS_OF_KEYWORDS,
} from '../../lib/sql/keywords.js';
import { tokenize } from '../../lib/sql/lexer/tokens.js';
import { returningSql } from '../../lib/sql/rewrite.js';
import { mayCallRoutine, Routines } from '../../lib/sql/routines.js';
import type { Evaluation } from '../../lib/sql/select/evaluation.js';
import { type Occurrence, readSelect, type Select } from '../../lib/sql/select/select.js';
import {
  type Delete,
  type Insert,
  isPlainSelect,
  type Other,
  parseStatement,
  type SessionEffects,
  type Statement,
  type Update,
} from '../../lib/sql/statement.js';
import {
  type Found,
  isTree,
  namesOf,
  nodesIn,
  type PostgresStatement,
  parseWithPostgres,
  STAR,
  scanWithPostgres,
  type TableReference,
  type Tree,
  tablesIn,
  textOf,
} from './postgres_parser.js';

/** What the library makes of a SQL text that PostgreSQL accepts. */
export interface Comparison {
  /** what it misses, or takes for something else; empty if all is well */
  readonly problems: readonly string[];
  readonly kind: Statement['kind'];
  /** whether the select reader takes it for a query that may be cached */
  readonly isRead: boolean;
}

/** @returns `undefined` if PostgreSQL refuses the text */
export function compare(sql: string): Comparison | undefined {
  const truth = parseWithPostgres(sql);
  if (!truth) {
    return undefined;
  }
  const statement = parseStatement(sql);
  const select = readSelect(sql);
  const vouched = readSelect(sql, true);
  return {
    kind: statement.kind,
    isRead: !('reason' in select),
    problems: [
      ...problemsOfTokens(sql),
      ...problemsOfStatement(sql, statement, truth),
      ...(isPlainSelect(sql) ? problemsOfPlainSelect(truth) : []),
      ...('reason' in select ? [] : problemsOfSelect(select, truth)),
      ...('reason' in vouched ? [] : problemsOfVouched(vouched, truth)),
      ...problemsOfCalls(sql, statement, truth),
    ],
  };
}

function problemsOfTokens(sql: string): string[] {
  const tokens = tokenize(sql)?.map(({ start, end }) => `${start}-${end}`);
  return tokens && tokens.join() !== scanWithPostgres(sql).join() ? ['tokens'] : [];
}

/** Each call is among the names for which functions that write are looked up. */
function problemsOfCalls(sql: string, statement: Statement, truth: readonly PostgresStatement[]): string[] {
  const calls = truth.flatMap(nodesIn).filter(isPlainCall);
  const isWide = !isPlainSelect(sql) && statement.kind === 'other' && statement.opaque;
  return calls.flatMap(({ tree }) => {
    const name = namesOf(tree.funcname).at(-1)!;
    const routines = new Routines([{ name, source: 'delete from written', callable: true }]);
    return [
      ...(isWide || routines.namesReachedIn(sql).has('written') ? [] : [`a write by ${name}() is not seen`]),
      ...(isWide || mayCallRoutine(sql) || WELL_KNOWN.includes(namesOf(tree.funcname).join())
        ? []
        : [`no call of ${name}() is suspected`]),
    ];
  });
}

/** Called before the catalog is known: none of these writes. */
const WELL_KNOWN: readonly string[] = [
  'avg',
  'count',
  'current_schema',
  'lower',
  'max',
  'min',
  'now',
  'sum',
  'upper',
];

/** Not one that a keyword stands for. */
function isPlainCall({ type, tree }: Found): boolean {
  const name = namesOf(tree.funcname).at(-1);
  return type === 'FuncCall' && tree.funcformat !== 'COERCE_SQL_SYNTAX' && !/_escape$/.test(name!);
}

const MODIFYING = ['InsertStmt', 'UpdateStmt', 'DeleteStmt', 'MergeStmt'];
const WRITING = [...MODIFYING, 'intoClause'];
const CONFIGURING = ['VariableSetStmt', 'DiscardStmt'];
/** Statements that change no table by themselves. */
const CHANGES_NOTHING = [
  ...['SelectStmt', 'VariableShowStmt', 'FetchStmt', 'ClosePortalStmt', 'DeclareCursorStmt', 'ExplainStmt'],
  ...[
    'PrepareStmt',
    'DeallocateStmt',
    'ListenStmt',
    'UnlistenStmt',
    'NotifyStmt',
    'LockStmt',
    'CheckPointStmt',
  ],
  ...['VacuumStmt', 'ConstraintsSetStmt', 'TransactionStmt', 'CommentStmt', 'ClusterStmt', 'ReindexStmt'],
  ...['GrantStmt', 'GrantRoleStmt', 'SecLabelStmt', ...CONFIGURING],
];
/** These are understood as queries. */
const READING = CHANGES_NOTHING.slice(0, 6);
const DEFINING =
  /^(?:Create(?!dbStmt)|Alter|Drop(?!dbStmt)|Rename|Define|Index|View|Rule|Grant|Comment|SecLabel|Import|Reassign|Refresh)/;
const OF_ONE_TABLE = /OBJECT_(?:TABLE|INDEX|SEQUENCE|TRIGGER|POLICY|STATISTIC)/;

/** What PostgreSQL's tree says that a statement does. */
class Truth {
  readonly statement: PostgresStatement;
  readonly nodes: readonly Found[];
  readonly tables: readonly TableReference[];

  constructor(statement: PostgresStatement) {
    this.statement = statement;
    this.nodes = this.#isExplained ? [] : nodesIn(statement);
    this.tables = tablesIn(statement);
  }

  /** EXPLAIN that executes nothing */
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
    // elsewhere PostgreSQL refuses INTO when the statement is analysed
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
      return 'any'; // compared by name elsewhere
    }
    if (type !== 'VariableSetStmt') {
      return [];
    }
    if (tree.kind === 'VAR_RESET_ALL') {
      return 'any';
    }
    const name = tree.name as string;
    if (tree.kind !== 'VAR_SET_MULTI') {
      return /^(?:names|schema)$/.test(name) ? [] : [name.toLowerCase()]; // `set names = 'x'`: there is none of these
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

function problemsOfStatement(
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
    return truth ? [`${truths.length} statements are taken for one`] : [];
  }
  switch (statement.kind) {
    case 'read':
      return [
        ...(READING.includes(truth.statement.type) && !truth.writes
          ? []
          : ['what writes is taken for a read']),
        ...problemsOfEffects(statement.effects, truth),
      ];
    case 'session':
      return [
        ...([...CONFIGURING, 'ConstraintsSetStmt'].includes(truth.statement.type)
          ? []
          : [`${truth.statement.type} is taken for a setting`]),
        ...problemsOfEffects(statement.effects, truth),
      ];
    default:
      return problemsOfForm(sql, statement, truth);
  }
}

/** What is not even parsed. */
function problemsOfPlainSelect(parsed: readonly PostgresStatement[]): string[] {
  const [truth, ...others] = parsed.map(each => new Truth(each));
  const isPlain = others.length === 0 && truth?.statement.type === 'SelectStmt';
  return isPlain && !truth.writes && truth.settings.length === 0 ? [] : ['it is no plain SELECT'];
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

/** Statements that are understood word by word. */
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
    return [`${type} is taken for ${statement.kind}`];
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
        // they do not matter to a query: `insert into t (values) values (1)` is taken for one
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
    return same('condition', withoutPlaces(alone), withoutPlaces(tree.whereClause));
  }
}

/** What locks the rows that are written reads this. */
function targetOf(text: string): unknown[] {
  const [item] = (parseWithPostgres(`select from ${text}`)?.[0]?.tree.fromClause ?? []) as Tree[];
  return isTree(item?.RangeVar) ? [item.RangeVar.schemaname, aliasOf(item.RangeVar)] : [];
}

function optionsOf(tree: Tree): Tree[] {
  return ((tree.options ?? []) as Tree[]).map(each => each.DefElem as Tree);
}

function withoutPlaces(tree: unknown): unknown {
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

/** What depends on more than tables and arguments, whatever tables are named. */
function problemsOfVouched(
  { evaluation }: Select,
  [truth, ...others]: readonly PostgresStatement[],
): string[] {
  if (!truth || others.length > 0 || truth.type !== 'SelectStmt') {
    return ['it is no query'];
  }
  const nodes = nodesIn(truth);
  const clocks = nodes.filter(node => mayReadClock(textOf(node) ?? ''));
  return [
    ...nodes.filter(({ type }) => WRITING.includes(type)).map(({ type }) => `${type} in a query`),
    ...nodes.filter(({ type }) => type === 'SQLValueFunction').map(({ tree }) => `${tree.op} is not seen`),
    ...nodes.filter(isPlainCall).flatMap(({ tree }) => {
      const name = namesOf(tree.funcname).at(-1)!;
      return isUnstable(name) ? [`the call of ${name}() is not refused`] : [];
    }),
    ...(clocks.length > evaluation.clocked.length ? ['a word for which the clock is read is not seen'] : []),
    ...(nodes.some(({ type }) => type === 'RangeTableSample') ? ['TABLESAMPLE is not seen'] : []),
  ];
}

/** The keyword by which what PostgreSQL calls under another name is written. */
const WRITTEN: Readonly<Record<string, string | null>> = {
  btrim: 'trim',
  ltrim: 'trim',
  rtrim: 'trim',
  timezone: null,
  like_escape: null,
  similar_to_escape: null,
  is_normalized: null,
  pg_collation_for: 'for',
};

/** Names that PostgreSQL gives the types of {@link CAST_TARGETS}. */
const INTERNAL_TYPES = ['timetz', 'bpchar', ...CAST_TARGETS];
const TEMPORAL = /^(?:date|time|timetz|timestamp|timestamptz|(?:date|ts|tstz)(?:multi)?range)$/;

function problemsOfSelect(select: Select, [truth]: readonly PostgresStatement[]): string[] {
  if (truth?.type !== 'SelectStmt') {
    return [];
  }
  const nodes = nodesIn(truth);
  const { evaluation } = select;
  return [
    ...problemsOfTables(select, truth),
    ...nodes.flatMap(node => problemsOfNode(node, evaluation)),
    ...problemsOfColumns(select, truth, nodes),
    ...problemsOfClauses(select, truth, nodes),
  ];
}

function problemsOfTables({ tables }: Select, truth: PostgresStatement): string[] {
  const left = [...tables];
  return tablesIn(truth).flatMap(reference => {
    const at = left.findIndex(
      each =>
        each.name === reference.name &&
        each.schema === reference.schema &&
        (each.alias === reference.alias || each.reads === undefined),
    );
    if (at < 0 || reference.catalog !== undefined) {
      return [`table ${reference.name} ${reference.alias} is not found`];
    }
    left.splice(at, 1);
    return [];
  });
}

function problemsOfNode(node: Found, evaluation: Evaluation): string[] {
  const { type, tree } = node;
  const knows = (name: string) => evaluation.calls.has(name) || evaluation.keywords.has(name);
  switch (type) {
    case 'FuncCall': {
      const own = namesOf(tree.funcname).at(-1)!;
      const name = isPlainCall(node) ? own : own in WRITTEN ? WRITTEN[own] : own;
      return name && !knows(name) ? [`the call of ${name}() is not seen`] : [];
    }
    case 'TypeCast':
      return problemsOfCast(tree, evaluation);
    case 'A_Expr':
    case 'SubLink': {
      const operator = namesOf(tree.name ?? tree.operName).at(-1) ?? '';
      const isWritten = type === 'SubLink' || /^AEXPR_OP/.test(tree.kind as string);
      return isWritten &&
        operator &&
        !evaluation.operators.has(operator) &&
        !OPERATORS_OF_KEYWORDS.has(operator)
        ? [`the operator ${operator} is not seen`]
        : [];
    }
    case 'SortBy':
      return namesOf(tree.useOp).some(name => !evaluation.operators.has(name))
        ? ['an operator of ORDER BY is not seen']
        : [];
    case 'A_Indirection':
      return namesOf(tree.indirection).some(name => name !== '')
        ? ['a field of an expression is not refused']
        : [];
    case 'RangeSubselect':
    case 'JoinExpr': {
      const alias = (tree.alias as Tree | undefined)?.aliasname as string | undefined;
      return alias === undefined || evaluation.derived.has(alias)
        ? []
        : [`${alias} is not known to be derived`];
    }
    case 'withClause':
      return evaluation.hasWith ? [] : ['WITH is not seen'];
    case 'RangeFunction':
    case 'RangeTableFunc':
    case 'RangeTableSample':
    case 'JsonTable':
    case 'LockingClause':
    case 'CurrentOfExpr':
    case 'MergeSupportFunc':
      return [`${type} is not refused`];
    default:
      return tree.op !== 'IS_DOCUMENT' && /^(?:Xml|Json\w*(?:Constructor|Expr)$)/.test(type)
        ? [`${type} is not refused`]
        : [];
  }
}

function problemsOfCast(tree: Tree, evaluation: Evaluation): string[] {
  const name = namesOf((tree.typeName as Tree).names).at(-1)!;
  if (NAMES_NO_TYPE_BEFORE_CONSTANT.has(name)) {
    return []; // `escape escape 'x'`: it takes a type of that name
  }
  const arg = (tree.arg ?? {}) as Tree;
  if (isTree(arg.ParamRef) && Number((tree.typeName as Tree).location) < Number(arg.ParamRef.location)) {
    return []; // `date $1`, which PostgreSQL itself refuses
  }
  const fields = isTree(arg.ColumnRef) ? namesOf(arg.ColumnRef.fields) : [];
  const call = isTree(arg.FuncCall) ? namesOf(arg.FuncCall.funcname).at(-1)! : '';
  const isTimed =
    evaluation.types.has(name) || // in quotes it is no keyword, and looked up
    'A_Const' in arg ||
    isTypedConstant(arg) ||
    ['date_trunc', 'timezone'].includes(call) ||
    evaluation.timed.some(({ alias, column }) => alias === fields.at(-2) && column === fields.at(-1));
  return [
    ...(evaluation.casts ? [] : [`the cast to ${name} is not seen`]),
    ...(INTERNAL_TYPES.includes(name) || evaluation.types.has(name) ? [] : [`the type ${name} is not seen`]),
    ...(TEMPORAL.test(name) && !isTimed ? [`the cast of an expression to ${name} is not refused`] : []),
    ...(name === 'timetz' ? ['the cast to timetz is not refused'] : []),
  ];
}

/** `int4 '1'`, whose text is in plain sight. */
function isTypedConstant({ TypeCast: cast }: Tree): boolean {
  return isTree(cast) && isTree(cast.arg) && 'A_Const' in cast.arg;
}

/** What PostgreSQL's tree says of columns; where the select reader says that it may be any, all is well. */
function problemsOfColumns(
  { tables, qualified }: Select,
  truth: PostgresStatement,
  nodes: readonly Found[],
): string[] {
  const problems: string[] = [];
  const whereCounts = new Map<string, number>();
  const isPlain = truth.tree.op === 'SETOP_NONE';
  for (const { type, tree, path } of nodes) {
    if (type === 'JoinExpr' && (tree.isNatural || tree.usingClause)) {
      problems.push(
        ...tables.filter(each => each.reads).map(each => `a column that joins ${each.name} is not seen`),
      );
    }
    if (type !== 'ColumnRef') {
      continue;
    }
    const fields = namesOf(tree.fields);
    const column = fields.at(-1)!;
    const alias = fields.at(-2);
    const clause = path.includes('SelectStmt', 1) ? undefined : path[1];
    if (alias === undefined || fields.length > 2) {
      problems.push(
        ...tables.filter(each => each.reads).map(each => `${column} may be a column of ${each.name}`),
      );
      continue;
    }
    if (column !== STAR && !qualified.get(alias)?.has(column)) {
      problems.push(`${alias}.${column} is not looked up`);
    }
    for (const table of tables.filter(each => each.alias === alias)) {
      const inWhere = isPlain && clause === 'whereClause';
      problems.push(
        ...problemsOfMention(table, column, inWhere ? 'where' : clause === 'targetList' ? 'list' : 'besides'),
      );
      if (inWhere) {
        const key = `${alias}.${column}`;
        whereCounts.set(key, (whereCounts.get(key) ?? 0) + 1);
      }
    }
  }
  for (const { name, renamesColumns } of tablesIn(truth)) {
    const known = tables.filter(each => each.name === name && each.reads);
    problems.push(...(renamesColumns ? known.map(() => `the columns of ${name} have other names`) : []));
  }
  for (const { alias, where, reads } of tables) {
    for (const [column, count] of where) {
      const mentions = whereCounts.get(`${alias}.${column}`) ?? 0;
      const repeats = tables.filter(each => each.alias === alias).length;
      if (reads && !reads.has(column) && count * repeats < mentions) {
        problems.push(`${alias}.${column} is mentioned more often`);
      }
    }
  }
  return problems;
}

function problemsOfMention(
  table: Occurrence,
  column: string,
  clause: 'where' | 'list' | 'besides',
): string[] {
  const { reads, besides, where, alias } = table;
  const isIn = (columns: ReadonlySet<string> | undefined) => columns === undefined || columns.has(column);
  if (column === STAR) {
    return reads === undefined && (clause === 'list' || besides === undefined)
      ? []
      : [`${alias}.* is not seen`];
  }
  const isSeen = clause === 'where' ? isIn(reads) || where.has(column) : isIn(reads);
  const isBeside = clause !== 'besides' || isIn(besides);
  return isSeen && isBeside ? [] : [`${alias}.${column} (${clause}) is not seen`];
}

const LIMITING = ['limitCount', 'limitOffset'];

function problemsOfClauses(select: Select, { tree }: PostgresStatement, nodes: readonly Found[]): string[] {
  const problems: string[] = [];
  const unless = (claim: boolean, problem: string) => {
    if (!claim) {
      problems.push(problem);
    }
  };
  const collapses = ['distinctClause', 'groupClause', 'havingClause', 'windowClause', 'withClause'];
  const inner = nodes.filter(({ type, path }) => type === 'SelectStmt' && path.length > 0);
  unless(
    !select.plain || (tree.op === 'SETOP_NONE' && !collapses.some(each => each in tree)),
    'it is not plain',
  );
  if (!select.plain) {
    return problemsOfPlaces(select, tree, nodes);
  }
  unless(select.limited || !LIMITING.some(each => each in tree), 'LIMIT is not seen');
  unless(select.nested || tree.op !== 'SETOP_NONE' || inner.length === 0, 'a subquery is not seen');
  unless(
    select.ordinal ||
      !inner.some(each => LIMITING.some(limit => limit in each.tree)) ||
      tree.op !== 'SETOP_NONE',
    'an inner LIMIT is not seen',
  );
  unless(
    select.windowed || !nodes.some(({ type, tree: { over } }) => type === 'FuncCall' && over),
    'OVER is not seen',
  );
  if (select.orderKnown) {
    const terms = ((tree.sortClause ?? []) as Tree[]).map(each => each.SortBy as Tree);
    const theirs = terms.map(({ node, sortby_dir, sortby_nulls }) => {
      const desc = sortby_dir === 'SORTBY_DESC';
      const fields = isTree((node as Tree).ColumnRef)
        ? namesOf(((node as Tree).ColumnRef as Tree).fields)
        : [];
      return [
        ...fields,
        desc,
        sortby_nulls === 'SORTBY_NULLS_DEFAULT' ? desc : sortby_nulls === 'SORTBY_NULLS_FIRST',
      ];
    });
    const ours = select.order.map(({ alias, column, desc, nullsFirst }) => [alias, column, desc, nullsFirst]);
    unless(JSON.stringify(ours) === JSON.stringify(theirs), 'its order is another');
  }
  return [...problems, ...problemsOfPlaces(select, tree, nodes)];
}

/** A join is told only where it stands at the left side of all that is around it, so that nothing else joins it. */
function problemsOfPlaces({ tables }: Select, tree: Tree, nodes: readonly Found[]): string[] {
  const joins = new Map<string, Tree>();
  const firsts = new Set<string>();
  const selects = partsOf(tree);
  selects
    .flatMap(select => ((select.fromClause ?? []) as Tree[]).map((item, i) => ({ item, i })))
    .forEach(({ item, i }) => {
      let at = item;
      for (; isTree(at.JoinExpr) && !at.JoinExpr.alias; at = at.JoinExpr.larg as Tree) {
        const right = (at.JoinExpr.rarg as Tree).RangeVar;
        if (isTree(right)) {
          joins.set(aliasOf(right), at.JoinExpr);
        }
      }
      if (i === 0 && isTree(at.RangeVar)) {
        firsts.add(aliasOf(at.RangeVar));
      }
    });
  const sought = nodes.filter(isSoughtAgain).map(({ tree: { testexpr } }) => columnIn(testexpr));
  const again = tables.filter(each => each.again !== undefined);
  const problems = again.flatMap(({ alias, again: column }) => {
    const isOf = (name: string) => name === `${alias}.${column}`;
    return again.filter(each => isOf(`${each.alias}.${each.again}`)).length > sought.filter(isOf).length
      ? [`the row of ${alias} is not the one outside`]
      : [];
  });
  return problems.concat(
    tables.flatMap(({ place, alias }) => {
      if (place === undefined) {
        return [];
      }
      if (place === 'first') {
        return firsts.has(alias) ? [] : [`${alias} is not the first`];
      }
      const join = joins.get(alias);
      const pairs = join && equalitiesIn(join.quals as Tree, alias);
      return join?.jointype === `JOIN_${place.kind.toUpperCase()}` &&
        JSON.stringify(pairs) === JSON.stringify(place.on)
        ? []
        : [`${alias} is joined in another way`];
    }),
  );
}

/** `a.id in (select a.id from …)`; of a UNION, the first SELECT is that. */
function isSoughtAgain({ type, tree: { subLinkType, operName, testexpr, subselect } }: Found): boolean {
  if (type !== 'SubLink' || subLinkType !== 'ANY_SUBLINK' || operName) {
    return false;
  }
  const [target] = (partsOf((subselect as Tree).SelectStmt as Tree)[0]!.targetList ?? []) as Tree[];
  return target !== undefined && columnIn((target.ResTarget as Tree).val) === columnIn(testexpr);
}

function columnIn(tree: unknown): string {
  return isTree(tree) && isTree(tree.ColumnRef) ? namesOf(tree.ColumnRef.fields).join('.') : '';
}

/** The SELECTs that UNION and the like put together. */
function partsOf(tree: Tree): Tree[] {
  return tree.op === 'SETOP_NONE' ? [tree] : [tree.larg, tree.rarg].flatMap(each => partsOf(each as Tree));
}

function aliasOf(table: Tree): string {
  return ((table.alias as Tree | undefined)?.aliasname ?? table.relname) as string;
}

function equalitiesIn(quals: Tree, own: string): unknown[] {
  const and = quals?.BoolExpr as Tree | undefined;
  if (and) {
    return (and.args as Tree[]).flatMap(each => equalitiesIn(each, own));
  }
  const equality = (quals?.A_Expr ?? {}) as Tree;
  const sides = [equality.lexpr, equality.rexpr].map(side =>
    isTree(side) && isTree(side.ColumnRef) ? namesOf(side.ColumnRef.fields) : [],
  );
  const [left, right] = sides[0]![0] === own ? sides : sides.toReversed();
  return [{ own: left![1], alias: right![0], column: right![1] }];
}
