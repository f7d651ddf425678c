import { namesInText } from './identifiers.js';
import { words } from './keywords.js';
import { effectsOfCode } from './session_effects_of_code.js';
import type { SessionEffects } from './statement.js';
import { mayRedefineOthers } from './statements/ddl.js';
import { effectsOn, eitherEffects } from './statements/session_effects.js';

/** A function, procedure or view that a user defined in this database, as its catalog describes it. */
export interface Routine {
  readonly name: string;
  /** the text of its body, in any language */
  readonly source: string;
  /** whether a statement can call it; trigger functions cannot be called */
  readonly callable: boolean;
  /** it is a query: it writes only by the routines that it calls */
  readonly query?: boolean;
  /** its name in `pg_language`; left out: `plpgsql` */
  readonly language?: string;
  /** the events (`pg_event_trigger.evtevent`) for which the database calls it */
  readonly events?: readonly string[];
}

/**
 * The name of a pseudo routine that every statement may call without naming it. Its text lists the functions of
 * operators, casts, types, domain checks, and operator classes.
 */
export const UNNAMED = '';

/** The language of routines that execute a text which they are given: it may call any routine. */
const EXECUTES_TEXT = 'executes text';

/** Stands for any table among table names. No name in a text is written like this. */
export const ANY_TABLE = '*';

/**
 * The tables that routines may write to, according to their texts: for triggers, and for functions called in a
 * SELECT.
 *
 * A text is searched for names, not parsed. A routine writes if it has a word for writing, or the name of a routine
 * that writes; then it may write to any table that it names. If its text does not contain all names (it executes text
 * built at run time, or its language is unknown), or if it defines something that affects other tables, it may write
 * to any table.
 */
export class Routines {
  /** several routines may share a name */
  readonly #named = new Map<string, Named>();
  readonly #reached: ReadonlyMap<string, ReadonlySet<string>>;
  /** the callable routines that write */
  readonly #callable: ReadonlySet<string>;
  /** the routines that change settings, directly or by a call */
  readonly #configuring: ReadonlySet<string>;

  constructor(routines: readonly Routine[]) {
    // a definition calls the functions of event triggers
    const onDefinition = routines.filter(({ events = [] }) => events.some(isOfDefinitions));
    const namesOnDefinition = onDefinition.map(({ name }) => name);
    const all = new Set(routines.map(({ name }) => name));
    for (const [name, group] of Map.groupBy(routines, routine => routine.name)) {
      const names = group.some(({ language }) => language === EXECUTES_TEXT)
        ? all
        : namesInText(group.map(({ source }) => source).join('\n'));
      this.#named.set(name, {
        names:
          namesOnDefinition.length > 0 && group.some(defines)
            ? new Set([...names, ...namesOnDefinition])
            : names,
        callable: group.some(({ callable }) => callable),
        events: group.flatMap(({ events = [] }) => events),
        areQueries: group.every(({ query }) => query),
        hidesNames: group.some(hidesNames),
        writes: group.some(writes),
        effects: group.map(effectsOf).reduce(eitherEffects, undefined),
      });
    }
    const writing = this.#withCallers(({ writes }) => writes);
    this.#reached = new Map([...writing].map(name => [name, this.#reachedFrom(name, writing)]));
    this.#callable = new Set([...writing].filter(name => this.#named.get(name)!.callable));
    this.#configuring = this.#withCallers(({ effects }) => effects !== undefined);
  }

  /** These routines and all that call one of them, directly or indirectly. */
  #withCallers(is: (named: Named) => boolean): ReadonlySet<string> {
    const found = new Set([...this.#named].filter(([, named]) => is(named)).map(([name]) => name));
    for (let size = -1; size !== found.size; ) {
      size = found.size;
      for (const [name, { names }] of this.#named) {
        if ([...names].some(other => found.has(other))) {
          found.add(name);
        }
      }
    }
    return found;
  }

  #reachedFrom(start: string, writing: ReadonlySet<string>): ReadonlySet<string> {
    const called = new Set([start]);
    const reached = new Set<string>();
    for (const routine of called) {
      const { names, areQueries, hidesNames } = this.#named.get(routine)!;
      if (hidesNames) {
        reached.add(ANY_TABLE);
      }
      for (const name of names) {
        if (writing.has(name)) {
          called.add(name);
        }
        if (!areQueries) {
          reached.add(name);
        }
      }
    }
    return reached;
  }

  #calledOn(isCalled: (event: string) => boolean): readonly string[] {
    return [...this.#named].filter(([, { events }]) => events.some(isCalled)).map(([name]) => name);
  }

  /** All names in the texts of a routine that writes and of the routines that it calls; empty if it writes nothing. */
  namesReachedBy(routine: string): ReadonlySet<string> {
    return this.#reached.get(routine) ?? NONE;
  }

  /** The same for event triggers that a definition calls. */
  get namesReachedByDefinitions(): ReadonlySet<string> {
    return this.#reachedOn(isOfDefinitions);
  }

  /** The same for event triggers that a login calls. */
  get namesReachedByLogin(): ReadonlySet<string> {
    return this.#reachedOn(event => !isOfDefinitions(event));
  }

  #reachedOn(isCalled: (event: string) => boolean): ReadonlySet<string> {
    return new Set(this.#calledOn(isCalled).flatMap(name => [...this.namesReachedBy(name)]));
  }

  /** The effects on the session's settings of event triggers that a definition calls. */
  get effectsOnDefinition(): SessionEffects | undefined {
    return this.effectsBy(this.#calledOn(isOfDefinitions));
  }

  /** The same for all routines that a statement may call, with or without parentheses (`t.f` is `f(t)`). */
  namesReachedIn(sql: string): ReadonlySet<string> {
    if (this.#callable.size === 0) {
      return NONE;
    }
    const called = [UNNAMED, ...namesInText(sql)].filter(name => this.#callable.has(name));
    return new Set(called.flatMap(name => [...this.namesReachedBy(name)]));
  }

  /** The effects of a statement on the session's settings by the routines that it calls. */
  effectsIn(sql: string): SessionEffects | undefined {
    if (this.#configuring.size === 0) {
      return undefined;
    }
    const called = [UNNAMED, ...namesInText(sql)];
    return this.effectsBy(called.filter(name => this.#named.get(name)?.callable));
  }

  /** The effects on the session's settings of these routines and of those that they call. */
  effectsBy(routines: Iterable<string>): SessionEffects | undefined {
    let effects: SessionEffects | undefined;
    const called = new Set(routines);
    for (const routine of called) {
      const known = this.#configuring.has(routine) ? this.#named.get(routine) : undefined;
      effects = eitherEffects(effects, known?.effects);
      for (const name of known?.names ?? []) {
        called.add(name);
      }
    }
    return effects;
  }
}

interface Named {
  /** the names in their texts */
  readonly names: ReadonlySet<string>;
  readonly callable: boolean;
  readonly events: readonly string[];
  readonly areQueries: boolean;
  readonly hidesNames: boolean;
  readonly writes: boolean;
  readonly effects: SessionEffects | undefined;
}

function effectsOf(routine: Routine): SessionEffects | undefined {
  return hidesNames(routine) ? effectsOn(undefined) : effectsOfCode(routine.source, routine.query ?? false);
}

/**
 * Whether a statement may call a routine other than the well-known ones. This is needed before the catalog is loaded.
 */
export function mayCallRoutine(sql: string): boolean {
  if (COMMENT.test(sql)) {
    return true; // a comment may separate a name from its arguments
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

const WELL_KNOWN = words(
  `all and any as else exists from having in not on or select then using values when where with
   avg coalesce count current_schema greatest least lower max min now sum upper`,
);

const NONE: ReadonlySet<string> = new Set();

/** SQL's words for writing, and for running another statement. */
const WRITING = /\b(insert|update|delete|truncate|merge|copy|alter|drop|create|refresh|execute|call)\b/i;

function writes(routine: Routine): boolean {
  return hidesNames(routine) || (!routine.query && WRITING.test(routine.source));
}

/** `execute 'update ' || name`, and a name written with escapes. */
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

/** All events except login, including events of later PostgreSQL versions. */
function isOfDefinitions(event: string): boolean {
  return event !== 'login';
}
