import { namesInText } from './identifiers.js';
import { effectsOfCode } from './session_effects_of_code.js';
import type { SessionEffects } from './statement.js';
import { mayRedefineOthers } from './statements/ddl.js';
import { effectsOn, eitherEffects } from './statements/session_effects.js';

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

/**
 * The name of a routine that every statement may call without naming it. Its text lists the functions of operators,
 * casts, types, checks of domains, and operator classes.
 */
export const UNNAMED = '';

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
  readonly #calledOn: (isCalled: (event: string) => boolean) => ReadonlySet<string>;
  /** those that change settings, or call one that does, with what each of them does itself and what it names */
  readonly #configuring = new Map<string, Configuring>();

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
    const writing = withCallers(namesOf(writes), named);
    const effects = new Map(
      [...texts].map(([name, group]) => [name, group.map(effectsOf).reduce(eitherEffects, undefined)]),
    );
    for (const name of withCallers(new Set([...effects.keys()].filter(each => effects.get(each))), named)) {
      const callable = texts.get(name)!.some(routine => routine.callable);
      this.#configuring.set(name, { effects: effects.get(name), names: named.get(name)!, callable });
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
    this.#calledOn = isCalled => namesOf(({ events = [] }) => events.some(isCalled));
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
    return this.#reachedOn(isOfDefinitions);
  }

  /** The same for what event triggers call when a session begins. */
  get namesReachedByLogin(): ReadonlySet<string> {
    return this.#reachedOn(event => !isOfDefinitions(event));
  }

  #reachedOn(isCalled: (event: string) => boolean): ReadonlySet<string> {
    return new Set([...this.#calledOn(isCalled)].flatMap(name => [...this.namesReachedBy(name)]));
  }

  /** What event triggers do to the settings of the session where something is defined. */
  get effectsOnDefinition(): SessionEffects | undefined {
    return this.effectsBy(this.#calledOn(isOfDefinitions));
  }

  /** The same for all routines that a statement may call, with or without brackets (`t.f` is `f(t)`). */
  namesReachedIn(sql: string): ReadonlySet<string> {
    if (this.#callable.size === 0) {
      return NONE;
    }
    const called = [UNNAMED, ...namesInText(sql)].filter(name => this.#callable.has(name));
    return new Set(called.flatMap(name => [...this.namesReachedBy(name)]));
  }

  /** What a statement does to the settings of the session by the routines that it calls. */
  effectsIn(sql: string): SessionEffects | undefined {
    if (this.#configuring.size === 0) {
      return undefined;
    }
    const called = [UNNAMED, ...namesInText(sql)];
    return this.effectsBy(called.filter(name => this.#configuring.get(name)?.callable));
  }

  /** What these routines, and those that they call, do to the settings of the session. */
  effectsBy(routines: Iterable<string>): SessionEffects | undefined {
    let effects: SessionEffects | undefined;
    const called = new Set(routines);
    for (const routine of called) {
      const known = this.#configuring.get(routine);
      effects = eitherEffects(effects, known?.effects);
      for (const name of known?.names ?? []) {
        called.add(name);
      }
    }
    return effects;
  }
}

interface Configuring {
  readonly effects: SessionEffects | undefined;
  readonly names: ReadonlySet<string>;
  readonly callable: boolean;
}

/** These routines, and all those that call one of them, however far. */
function withCallers(
  routines: Set<string>,
  named: ReadonlyMap<string, ReadonlySet<string>>,
): ReadonlySet<string> {
  for (let size = -1; size !== routines.size; ) {
    size = routines.size;
    for (const [name, names] of named) {
      if ([...names].some(other => routines.has(other))) {
        routines.add(name);
      }
    }
  }
  return routines;
}

function effectsOf(routine: Routine): SessionEffects | undefined {
  return hidesNames(routine) ? effectsOn(undefined) : effectsOfCode(routine.source, routine.query ?? false);
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
