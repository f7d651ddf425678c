import { tokenize } from '../../lib/sql/lexer/tokens.js';
import { isPlainSelect, isSingleStatement, parseStatement } from '../../lib/sql/parse_statement.js';
import { mayCallRoutine, Routines } from '../../lib/sql/routines.js';
import { readSelect } from '../../lib/sql/select/select.js';
import type { Statement } from '../../lib/sql/statement.js';
import {
  isPlainCall,
  namesOf,
  nodesIn,
  type PostgresStatement,
  parseWithPostgres,
  scanWithPostgres,
} from './postgres_parser.js';
import { problemsOfDeclared, problemsOfSelect } from './select_disagreements.js';
import { problemsOfPlainSelect, problemsOfStatement } from './statement_disagreements.js';

/** Compares the library's analysis of a SQL text with PostgreSQL's own parse tree. */
export interface Comparison {
  /** what the library misses, or reads as something else; empty if both agree */
  readonly problems: readonly string[];
  readonly kind: Statement['kind'];
  /** whether readSelect accepts it as a query that can be cached */
  readonly isRead: boolean;
}

/** @returns `undefined` if PostgreSQL rejects the text */
export function compare(sql: string): Comparison | undefined {
  const truth = parseWithPostgres(sql);
  if (!truth) {
    return undefined;
  }
  const statement = parseStatement(sql);
  const select = readSelect(sql);
  const declared = readSelect(sql, true);
  return {
    kind: statement.kind,
    isRead: !('reason' in select),
    problems: [
      ...problemsOfTokens(sql),
      ...(isSingleStatement(sql) && truth.length > 1 ? ['several statements'] : []),
      ...problemsOfStatement(sql, statement, truth),
      ...(isPlainSelect(sql) ? problemsOfPlainSelect(truth) : []),
      ...('reason' in select ? [] : problemsOfSelect(select, truth)),
      ...('reason' in declared ? [] : problemsOfDeclared(declared, truth)),
      ...problemsOfCalls(sql, statement, truth),
    ],
  };
}

function problemsOfTokens(sql: string): string[] {
  const tokens = tokenize(sql)?.map(({ start, end }) => `${start}-${end}`);
  return tokens && tokens.join() !== scanWithPostgres(sql).join() ? ['tokens'] : [];
}

/** Each call is among the names that are checked for routines that write. */
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

/** Calls before the catalog is loaded: none of these writes. */
const WELL_KNOWN = 'avg count current_schema lower max min now sum upper'.split(' ');
