import { namesInText } from './identifiers.js';
import { mayRedefineOthers } from './statements/ddl.js';

/** A function, procedure or view that somebody wrote for this database, as its catalog tells it. */
export interface Routine {
  readonly name: string;
  /** the text of its body, in whatever language */
  readonly source: string;
  /** whether a statement may call it; functions of triggers cannot be called */
  readonly callable: boolean;
  /** it is a query: whatever words stand in it, it writes only by what it calls */
  readonly query?: boolean;
  /** as `pg_language` calls it; left out: `plpgsql` */
  readonly language?: string;
  /** the events (`pg_event_trigger.evtevent`) at which the database calls it by itself */
  readonly events?: readonly string[];
}

/** Among names of tables: it may be any. No name in a text is written like that. */
export const ANY_TABLE = '*';

/**
 * What routines may write to, as far as their texts tell: for what triggers do, and functions that a SELECT calls.
 *
 * A text is searched for names, not understood. It writes if a word for writing stands in it, or the name of a
 * routine that writes; and then anything that it names may be written to. Where a text does not tell all names (it
 * executes what it puts together at run time, or its language is not known here), or defines something that concerns
 * more than tables, it may be any table.
 */
export class Routines {
  readonly #reached = new Map<string, ReadonlySet<string>>();
  readonly #callable: ReadonlySet<string>;
  readonly #called: (isCalled: (event: string) => boolean) => ReadonlySet<string>;

  constructor(routines: readonly Routine[]) {
    // several may share a name
    const texts = Map.groupBy(routines, routine => routine.name);
    const named = new Map<string, ReadonlySet<string>>();
    for (const [name, group] of texts) {
      named.set(name, namesInText(group.map(({ source }) => source).join('\n')));
    }
    const queries = new Set(
      [...texts].filter(([, group]) => group.every(({ query }) => query)).map(([name]) => name),
    );
    const namesOf = (is: (routine: Routine) => boolean) =>
      new Set([...texts].filter(([, group]) => group.some(is)).map(([name]) => name));
    const hiding = namesOf(hidesNames);
    // what defines something calls the functions of event triggers
    const onDefinition = namesOf(({ events = [] }) => events.some(isOfDefinitions));
    const defining = onDefinition.size > 0 ? namesOf(defines) : NONE;
    for (const name of defining) {
      named.set(name, new Set([...named.get(name)!, ...onDefinition]));
    }
    const writing = namesOf(writes);
    for (let size = -1; size !== writing.size; ) {
      size = writing.size;
      for (const [name, names] of named) {
        if ([...names].some(other => writing.has(other))) {
          writing.add(name);
        }
      }
    }
    for (const start of writing) {
      const routes = new Set([start]);
      const reached = new Set<string>();
      for (const routine of routes) {
        if (hiding.has(routine)) {
          reached.add(ANY_TABLE);
        }
        for (const name of named.get(routine)!) {
          if (writing.has(name)) {
            routes.add(name);
          }
          if (!queries.has(routine)) {
            reached.add(name);
          }
        }
      }
      this.#reached.set(start, reached);
    }
    this.#called = isCalled => {
      const called = [...namesOf(({ events = [] }) => events.some(isCalled))];
      return new Set(called.flatMap(name => [...this.namesReachedBy(name)]));
    };
    this.#callable = new Set(
      routines.filter(({ name, callable }) => callable && writing.has(name)).map(({ name }) => name),
    );
  }

  /** All names in the text of a routine that writes, and in those that it calls; none if it writes nothing. */
  namesReachedBy(routine: string): ReadonlySet<string> {
    return this.#reached.get(routine) ?? NONE;
  }

  /** The same for what event triggers call where something is defined. */
  get namesReachedByDefinitions(): ReadonlySet<string> {
    return this.#called(isOfDefinitions);
  }

  /** The same for what event triggers call when a session begins. */
  get namesReachedByLogin(): ReadonlySet<string> {
    return this.#called(event => !isOfDefinitions(event));
  }

  /** The same for all routines that a statement may call, with or without brackets (`t.f` is `f(t)`). */
  namesReachedIn(sql: string): ReadonlySet<string> {
    if (this.#callable.size === 0) {
      return NONE;
    }
    const called = [...namesInText(sql)].filter(name => this.#callable.has(name));
    return new Set(called.flatMap(name => [...this.namesReachedBy(name)]));
  }
}

/**
 * Whether a statement may call a routine that is not one of the best known. Such a question is asked before the
 * catalog is known, which can answer it.
 */
export function mayCallRoutine(sql: string): boolean {
  if (COMMENT.test(sql)) {
    return true; // it may stand between a name and its arguments
  }
  for (const [, dot, name] of sql.matchAll(CALL)) {
    if (dot || !WELL_KNOWN.has(name!.toLowerCase())) {
      return true;
    }
  }
  return false;
}

const COMMENT = /--|\/\*/;
const CALL = /(\.\s*)?([\w$\u0080-\uffff"]+)\s*\(/g;

const WELL_KNOWN: ReadonlySet<string> = new Set([
  ...['all', 'and', 'any', 'as', 'else', 'exists', 'from', 'having', 'in', 'not', 'on', 'or'],
  ...['select', 'then', 'using', 'values', 'when', 'where', 'with'],
  ...[
    'avg',
    'coalesce',
    'count',
    'current_schema',
    'greatest',
    'least',
    'lower',
    'max',
    'min',
    'now',
    'sum',
    'upper',
  ],
]);

const NONE: ReadonlySet<string> = new Set();

/** SQL's words for writing, and those by which a statement is run that stands elsewhere. */
const WRITING = /\b(insert|update|delete|truncate|merge|copy|alter|drop|create|refresh|execute|call)\b/i;

function writes(routine: Routine): boolean {
  return hidesNames(routine) || (!routine.query && WRITING.test(routine.source));
}

/** `execute 'update ' || name`, and a name that is written with escapes. */
const HIDING = /\bexecute\b|\bu&["']/i;

function hidesNames({ source, query, language = 'plpgsql' }: Routine): boolean {
  const isReadable = language === 'sql' || language === 'plpgsql';
  return !query && (!isReadable || HIDING.test(source) || mayRedefineOthers(source));
}

const DEFINING = /\b(alter|comment|create|drop|grant|import|reassign|refresh|reindex|revoke|security)\b/i;

function defines({ source, query, language }: Routine): boolean {
  // in SQL, SELECT INTO creates a table
  return !query && (DEFINING.test(source) || (language === 'sql' && /\binto\b/i.test(source)));
}

/** All events but that of logging in; also those of later versions of PostgreSQL. */
function isOfDefinitions(event: string): boolean {
  return event !== 'login';
}
