import { mayReadClock } from '../../lib/sql/clock.js';
import {
  CAST_TARGETS,
  isUnstable,
  NAMES_NO_TYPE_BEFORE_CONSTANT,
  OPERATORS_OF_KEYWORDS,
} from '../../lib/sql/keywords.js';
import type { Evaluation, Select, SelectTable } from '../../lib/sql/select/select_result.js';
import { ALL_COLUMNS } from '../../lib/values/scheme.js';
import {
  aliasOf,
  type Found,
  isPlainCall,
  isTree,
  namesOf,
  nodesIn,
  type PostgresStatement,
  STAR,
  type Tree,
  tablesIn,
  textOf,
} from './postgres_parser.js';
import { WRITING } from './statement_disagreements.js';

/** Calls and expressions that depend on more than tables and arguments, even with declared tables. */
export function problemsOfDeclared(
  { evaluation }: Select,
  [truth, ...others]: readonly PostgresStatement[],
): string[] {
  if (!truth || others.length > 0 || truth.type !== 'SelectStmt') {
    return ['it is not a query'];
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
    ...(clocks.length > evaluation.clocked.length ? ['a word that reads the clock is not seen'] : []),
    ...(nodes.some(({ type }) => type === 'RangeTableSample') ? ['TABLESAMPLE is not seen'] : []),
  ];
}

/** The keyword for a function that PostgreSQL calls by another name. */
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

/** PostgreSQL's names of the types in {@link CAST_TARGETS}. */
const INTERNAL_TYPES = ['timetz', 'bpchar', ...CAST_TARGETS];
const TEMPORAL = /^(?:date|time|timetz|timestamp|timestamptz|(?:date|ts|tstz)(?:multi)?range)$/;

export function problemsOfSelect(select: Select, [truth]: readonly PostgresStatement[]): string[] {
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
    return []; // `escape escape 'x'`: it is parsed as a type with that name
  }
  const arg = (tree.arg ?? {}) as Tree;
  if (isTree(arg.ParamRef) && Number((tree.typeName as Tree).location) < Number(arg.ParamRef.location)) {
    return []; // `date $1`, which PostgreSQL rejects when it executes it
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

/** `int4 '1'`, whose text is known. */
function isTypedConstant({ TypeCast: cast }: Tree): boolean {
  return isTree(cast) && isTree(cast.arg) && 'A_Const' in cast.arg;
}

/** The columns in PostgreSQL's tree. If readSelect says that any column may be read, both agree. */
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
        ...problemsOfReference(
          table,
          column,
          inWhere ? 'where' : clause === 'targetList' ? 'list' : 'elsewhere',
        ),
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
        problems.push(`${alias}.${column} has more references`);
      }
    }
  }
  return problems;
}

function problemsOfReference(
  table: SelectTable,
  column: string,
  clause: 'where' | 'list' | 'elsewhere',
): string[] {
  const { reads, outsideList, where, alias } = table;
  const isIn = (columns: ReadonlySet<string> | undefined) =>
    columns === undefined || columns.has(ALL_COLUMNS) || columns.has(column);
  if (column === STAR) {
    return isIn(reads) && (clause === 'list' || outsideList === undefined) ? [] : [`${alias}.* is not seen`];
  }
  const isSeen = clause === 'where' ? isIn(reads) || where.has(column) : isIn(reads);
  const isSeenOutside = clause !== 'elsewhere' || isIn(outsideList);
  return isSeen && isSeenOutside ? [] : [`${alias}.${column} (${clause}) is not seen`];
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
    return problemsOfPositions(select, tree, nodes);
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
    unless(JSON.stringify(ours) === JSON.stringify(theirs), 'its order differs');
  }
  return [...problems, ...problemsOfPositions(select, tree, nodes)];
}

/** A join is described only if it is leftmost in all enclosing joins, so that nothing else joins it. */
function problemsOfPositions({ tables }: Select, tree: Tree, nodes: readonly Found[]): string[] {
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
  const reselected = nodes.filter(isReselected).map(({ tree: { testexpr } }) => columnIn(testexpr));
  const again = tables.filter(each => each.again !== undefined);
  const problems = again.flatMap(({ alias, again: column }) => {
    const isOf = (name: string) => name === `${alias}.${column}`;
    return again.filter(each => isOf(`${each.alias}.${each.again}`)).length > reselected.filter(isOf).length
      ? [`the row of ${alias} is not the outer row`]
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
      const pairs = join && equalitiesIn(join.quals as Tree, alias, place.filtered);
      return join?.jointype === `JOIN_${place.kind.toUpperCase()}` &&
        JSON.stringify(pairs) === JSON.stringify(place.on)
        ? []
        : [`${alias} is joined differently`];
    }),
  );
}

/** `a.id in (select a.id from …)`; for a UNION, its first SELECT. */
function isReselected({ type, tree: { subLinkType, operName, testexpr, subselect } }: Found): boolean {
  if (type !== 'SubLink' || subLinkType !== 'ANY_SUBLINK' || operName) {
    return false;
  }
  const [target] = (partsOf((subselect as Tree).SelectStmt as Tree)[0]!.targetList ?? []) as Tree[];
  return target !== undefined && columnIn((target.ResTarget as Tree).val) === columnIn(testexpr);
}

function columnIn(tree: unknown): string {
  return isTree(tree) && isTree(tree.ColumnRef) ? namesOf(tree.ColumnRef.fields).join('.') : '';
}

/** The SELECTs of UNION, INTERSECT and EXCEPT. */
function partsOf(tree: Tree): Tree[] {
  return tree.op === 'SETOP_NONE' ? [tree] : [tree.larg, tree.rarg].flatMap(each => partsOf(each as Tree));
}

/** @param filtered there may be conditions on its own columns besides */
function equalitiesIn(quals: Tree, own: string, filtered: boolean): unknown[] {
  const and = quals?.BoolExpr as Tree | undefined;
  if (and?.boolop === 'AND_EXPR') {
    return (and.args as Tree[]).flatMap(each => equalitiesIn(each, own, filtered));
  }
  if (filtered && columnsBelow(quals).every(([alias]) => alias === own)) {
    return [];
  }
  const equality = (quals?.A_Expr ?? {}) as Tree;
  const sides = [equality.lexpr, equality.rexpr].map(side =>
    isTree(side) && isTree(side.ColumnRef) ? namesOf(side.ColumnRef.fields) : [],
  );
  const [left, right] = sides[0]![0] === own ? sides : sides.toReversed();
  return [{ own: left![1], alias: right![0], column: right![1] }];
}

function columnsBelow(tree: unknown): string[][] {
  if (Array.isArray(tree)) {
    return tree.flatMap(columnsBelow);
  }
  return isTree(tree)
    ? Object.entries(tree).flatMap(([type, below]) =>
        type === 'ColumnRef' ? [namesOf((below as Tree).fields)] : columnsBelow(below),
      )
    : [];
}
