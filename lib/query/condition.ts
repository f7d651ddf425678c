import type { EntityMetadata, EntityProperty } from '@mikro-orm/core';
import { pathName } from '../values/path.js';
import { ColumnConditions, type ColumnContext, type ColumnFacts } from './column_condition.js';
import { ANYTHING, and, type Formula, mapped, or, type Source, wider } from './formula.js';
import { readJsonKey } from './json_key.js';
import type { JsonScalar } from './json_scalar.js';
import { isPlain } from './serialise.js';

/** The catalog facts that a condition is read with. */
export interface Columns extends ColumnFacts {
  /** the full name of an entity's table; `undefined` if its rows are not in one plain table */
  tableOf(meta: EntityMetadata): string | undefined;
}

export interface Condition {
  readonly formula: Formula;
  /** all table references of the formula, the root first */
  readonly sources: readonly Source[];
  /**
   * Tables of relations that the condition passes more than once. The ORM may join them only once, so `sources` may
   * have more of them than the SQL.
   */
  readonly repeated: ReadonlySet<string>;
}

/**
 * Reads a WHERE in the form that the driver receives (property names; `$and`, `$or`, `$not`; scalars for equality;
 * custom types already converted). Every part that is not certainly understood becomes `anything`.
 *
 * In SQL's three-valued logic, NULL satisfies neither a condition nor its negation. So negations are pushed down to
 * single columns, as conditions that NULL does not satisfy either.
 *
 * @param maxIn a list with more values than this does not narrow
 */
export function readCondition(
  meta: EntityMetadata,
  where: unknown,
  columns: Columns,
  maxIn: number,
): Condition {
  const table = columns.tableOf(meta);
  if (table === undefined) {
    return { formula: ANYTHING, sources: [], repeated: new Set() };
  }
  const reader = new ConditionReader(columns, maxIn);
  const root = reader.source(table);
  const formula = reader.read(meta, primaryKeyCondition(meta, where), {
    source: root,
    negated: false,
    optional: false,
    path: '',
    mode: 'row',
  });
  return { formula, sources: reader.sources, repeated: reader.repeated };
}

/**
 * - `row`: the source is the row itself, as in the root.
 * - `joined`: the source is joined to one row by its key, and may be missing (an outer join), so that NULL fixes
 *   nothing.
 * - `joined to many`: in addition, conditions in different groups may refer to different rows.
 */
type Mode = 'row' | 'joined' | 'joined to many';

interface Context extends ColumnContext {
  readonly mode: Mode;
  /** the relations that lead to it from the root */
  readonly path: string;
}

class ConditionReader {
  readonly sources: Source[] = [];
  readonly repeated = new Set<string>();
  readonly #paths = new Set<string>();
  readonly #columns: Columns;
  readonly #conditions: ColumnConditions;

  constructor(columns: Columns, maxIn: number) {
    this.#columns = columns;
    this.#conditions = new ColumnConditions(columns, maxIn);
  }

  source(table: string, apart?: true): Source {
    const source = { table, ...(apart && { apart }) };
    this.sources.push(source);
    return source;
  }

  /** The keys of an object are joined by AND; under a negation by OR (De Morgan). */
  read(meta: EntityMetadata, where: unknown, context: Context): Formula {
    if (!isPlain(where)) {
      return ANYTHING;
    }
    const parts = Reflect.ownKeys(where).map(key =>
      typeof key === 'string'
        ? this.#entry(meta, key, where[key], context)
        : this.#json(key, where[key], context),
    );
    return joined(parts, context);
  }

  #entry(meta: EntityMetadata, key: string, value: unknown, context: Context): Formula {
    if (key.startsWith('$')) {
      return this.#group(meta, key, value, context);
    }
    const prop = meta.properties[key as never] as EntityProperty | undefined;
    if (prop) {
      return this.#property(meta, prop, value, context);
    }
    const keys = key.split('~~~').map(name => meta.properties[name as never] as EntityProperty | undefined);
    return keys.length > 1 && keys.every(isKeyColumn)
      ? this.#fields(
          keys.flatMap(keyProp => keyProp!.fieldNames),
          value,
          context,
        )
      : isForeignKeyColumn(meta, key)
        ? this.#fields([key], value, context)
        : ANYTHING;
  }

  #group(meta: EntityMetadata, operator: string, value: unknown, context: Context): Formula {
    if (context.mode === 'joined to many') {
      return ANYTHING;
    }
    if (operator === '$not') {
      // the ORM takes a key for that of the root
      const isOfRoot = context.path !== '' && hasKey(meta, value);
      return isOfRoot ? ANYTHING : this.read(meta, value, { ...context, negated: !context.negated });
    }
    if ((operator !== '$and' && operator !== '$or') || !Array.isArray(value) || value.length === 0) {
      return ANYTHING;
    }
    const parts = value.map(part => this.read(meta, part, context));
    return (operator === '$and') !== context.negated ? and(parts) : or(parts);
  }

  #property(meta: EntityMetadata, prop: EntityProperty, value: unknown, context: Context): Formula {
    switch (prop.kind) {
      case 'scalar':
        return isNarrowing(prop)
          ? this.#fields(prop.fieldNames, value, context)
          : isInObject(prop)
            ? this.#json(prop.fieldNameRaw!, value, context)
            : ANYTHING;
      case 'embedded':
        return prop.array || !isPlain(value) ? ANYTHING : this.#embedded(meta, prop, value, context);
      case 'm:1':
      case '1:1':
      case '1:m':
      case 'm:n':
        return isPlainRelation(prop) ? this.#relation(meta, prop, value, context) : ANYTHING;
      default:
        return ANYTHING;
    }
  }

  /** @param key SQL that leads to a text within a column */
  #json(key: symbol | string, value: unknown, context: Context): Formula {
    const found = readJsonKey(key);
    if (!found) {
      return ANYTHING;
    }
    const { path, as } = found;
    const name = pathName(path);
    return as === 'text' ? this.#fields([name], value, context) : this.#scalar(name, as, value, context);
  }

  /** A condition on a text that the database casts. Texts that may not be castable satisfy it. */
  #scalar(name: string, as: JsonScalar, value: unknown, context: Context): Formula {
    if (this.#columns.kindOf(context.source.table, name) === undefined) {
      return ANYTHING;
    }
    const facts = { kindOf: () => as, orderable: () => true, matchable: () => false };
    const formula = this.#fields([name], value, context, new ColumnConditions(facts, 0));
    return wider(
      mapped(formula, leaf =>
        leaf.type === 'test' ? { ...leaf, test: { type: 'as', kind: as, test: leaf.test } } : ANYTHING,
      ),
    );
  }

  #embedded(
    meta: EntityMetadata,
    prop: EntityProperty,
    value: Record<PropertyKey, unknown>,
    context: Context,
  ): Formula {
    const parts = Reflect.ownKeys(value).map(key => {
      const child = typeof key === 'string' ? prop.embeddedProps[key] : undefined;
      // in the root of a single table, two children may have an embedded property with the same name
      const isCertain = child !== undefined && meta.properties[child.name as never] === child;
      return isCertain ? this.#property(meta, child, value[key as string], context) : ANYTHING;
    });
    return joined(parts, context);
  }

  #relation(meta: EntityMetadata, prop: EntityProperty, value: unknown, context: Context): Formula {
    const owning = prop.kind === 'm:1' || (prop.kind === '1:1' && prop.owner);
    if (!isPlain(value) || isOperators(value)) {
      return owning
        ? this.#fields(prop.joinColumns, value, context)
        : and([this.#pivot(meta, prop, value, context), this.#collection(meta, prop, value, context)]);
    }
    const target = prop.targetMeta!;
    const keys = Reflect.ownKeys(value);
    if (owning && keys.length > 0 && keys.every(key => target.primaryKeys.includes(key as never))) {
      const parts = keys.map(key => this.#foreignKey(prop, target, key as string, value[key], context));
      return joined(parts, context);
    }
    const table = this.#columns.tableOf(target);
    if (table === undefined || context.negated) {
      return ANYTHING;
    }
    const path = `${context.path}.${prop.name}`;
    const many = prop.kind === '1:m' || prop.kind === 'm:n' || context.mode === 'joined to many';
    return this.read(target, value, {
      source: this.#related(path, table, context),
      negated: false,
      optional: true,
      path,
      mode: many ? 'joined to many' : 'joined',
    });
  }

  /** `{ tags: 7 }` and `{ tags: [7, 8] }` are conditions on rows of the pivot table. */
  #pivot(meta: EntityMetadata, prop: EntityProperty, value: unknown, context: Context): Formula {
    const table = context.mode === 'row' && !context.negated ? this.#pivotTable(meta, prop) : undefined;
    if (table === undefined || !isByKey(value)) {
      return ANYTHING;
    }
    const source = this.#related(`${context.path}.${prop.name}`, table, context);
    return wider(this.#fields(prop.inverseJoinColumns, value, { ...context, source, optional: true }));
  }

  /** If its foreign keys are compared as they are given. */
  #pivotTable(meta: EntityMetadata, prop: EntityProperty): string | undefined {
    const target = prop.targetMeta!;
    const isCompared = target.primaryKeys.every(key => isKeyColumn(target.properties[key as never]));
    return prop.kind === 'm:n' && isCompared && !prop.pivotTable.includes('.')
      ? this.#columns.tableOf({ schema: meta.schema, tableName: prop.pivotTable } as EntityMetadata)
      : undefined;
  }

  #related(path: string, table: string, context: Context): Source {
    if (this.#paths.has(path)) {
      this.repeated.add(table);
    }
    this.#paths.add(path);
    return this.source(table, context.source.apart);
  }

  /**
   * A related row that fails the subquery's condition cannot change the result of `$some`, `$none` or `$every`. The
   * condition of `$none` and `$every` says nothing about the row that has the collection.
   */
  #collection(meta: EntityMetadata, prop: EntityProperty, value: unknown, context: Context): Formula {
    const target = prop.targetMeta!;
    const table = this.#columns.tableOf(target);
    if (table === undefined || !isPlain(value) || context.mode === 'joined to many') {
      return ANYTHING;
    }
    const parts = Reflect.ownKeys(value).map(operator => {
      if (operator !== '$some' && operator !== '$none' && operator !== '$every') {
        return ANYTHING;
      }
      const apart = operator === '$some' && !context.negated ? context.source.apart : true;
      const inner =
        target.primaryKeys.length === 1 ? primaryKeyCondition(target, value[operator]) : value[operator];
      const ofTarget = this.read(target, inner, {
        source: this.source(table, apart),
        negated: operator === '$every',
        optional: true,
        path: `${context.path}.${prop.name} ${this.sources.length}`,
        mode: 'joined',
      });
      return wider(
        operator === '$every' ? ofTarget : and([ofTarget, this.#ofPivot(meta, prop, inner, apart)]),
      );
    });
    return joined(parts, context);
  }

  /** `$some: { id: 7 }` is also a condition on the rows of the pivot table, which the related row is joined to. */
  #ofPivot(meta: EntityMetadata, prop: EntityProperty, where: unknown, apart: true | undefined): Formula {
    const table = this.#pivotTable(meta, prop);
    const [key, ...others] = prop.targetMeta!.primaryKeys;
    const value = isPlain(where) && others.length === 0 ? where[key!] : undefined;
    return table !== undefined && value !== undefined && isByKey(value)
      ? this.#fields(prop.inverseJoinColumns, value, {
          source: this.source(table, apart),
          negated: false,
          optional: true,
          path: '',
          mode: 'joined',
        })
      : ANYTHING;
  }

  /**
   * `{ author: { id: 7 } }` refers to the foreign key, or, if the author is joined anyway, to the author's own key.
   * The latter is NULL if the author is missing.
   */
  #foreignKey(
    prop: EntityProperty,
    target: EntityMetadata,
    key: string,
    value: unknown,
    context: Context,
  ): Formula {
    const keyProp = target.properties[key as never] as EntityProperty;
    const names = keyProp.fieldNames.map(name => prop.joinColumns[prop.referencedColumnNames.indexOf(name)]);
    return isKeyColumn(keyProp) && names.every(name => name !== undefined)
      ? wider(this.#fields(names as string[], value, { ...context, optional: true }))
      : ANYTHING;
  }

  /** A value to equal, or operators; for several columns, values are tuples. */
  #fields(
    fields: readonly string[],
    value: unknown,
    context: Context,
    conditions = this.#conditions,
  ): Formula {
    if (isPlain(value)) {
      const parts = Reflect.ownKeys(value).map(operator =>
        // with flags it is another operator
        operator === '$re' && '$flags' in value
          ? ANYTHING
          : conditions.read(fields, operator, value[operator], context),
      );
      return joined(parts, context);
    }
    if (Array.isArray(value) && fields.length === 1) {
      return ANYTHING; // the value of an array column, or an unknown form
    }
    return conditions.read(fields, '$eq', value, context);
  }
}

/** An empty object has no certain meaning: the ORM omits it in some places, and negates it in others. */
function joined(parts: readonly Formula[], context: Context): Formula {
  return parts.length === 0 ? ANYTHING : context.negated ? or(parts) : and(parts);
}

/** A bare key, as in `em.find(Article, 34)`. */
function primaryKeyCondition(meta: EntityMetadata, where: unknown): unknown {
  const bare = where !== null && (typeof where !== 'object' || Array.isArray(where));
  return bare ? { [meta.primaryKeys.join('~~~')]: where } : where;
}

/** False if the ORM adds SQL between the value and the column. */
export function isNarrowing(prop: EntityProperty): boolean {
  return (
    prop.persist !== false &&
    !prop.formula &&
    prop.fieldNames?.length === 1 &&
    !prop.stiFieldNames &&
    !prop.customType?.convertToDatabaseValueSQL &&
    !prop.customType?.convertToJSValueSQL
  );
}

/** A property of an embedded object that is stored as JSON. */
function isInObject({ fieldNameRaw, customType, runtimeType }: EntityProperty): boolean {
  return fieldNameRaw !== undefined && !customType && PLAIN_TYPES.has(runtimeType);
}

const PLAIN_TYPES: ReadonlySet<string> = new Set(['string', 'number', 'boolean']);

/**
 * The ORM's `joinColumns` of a relation in an embedded object are not reliable: they omit prefixes, and may be JSON
 * keys that look like columns.
 */
export function isPlainRelation(prop: EntityProperty): boolean {
  if (prop.embedded && !prop.joinColumns?.every((column, i) => column === prop.fieldNames[i])) {
    return false;
  }
  return !prop.polymorphic && !prop.formula && prop.fieldNameRaw === undefined;
}

/** Query builders name one column of a composite foreign key in place of a property. */
function isForeignKeyColumn(meta: EntityMetadata, name: string): boolean {
  return meta.relations.some(
    prop => isKeyColumn(prop) && isPlainRelation(prop) && prop.fieldNames.includes(name),
  );
}

function isKeyColumn(prop: EntityProperty | undefined): boolean {
  return (
    prop !== undefined &&
    (prop.kind === 'scalar' ? isNarrowing(prop) : prop.kind === 'm:1' || prop.kind === '1:1')
  );
}

/** Has it a condition on a property of the primary key? */
function hasKey({ primaryKeys }: EntityMetadata, where: unknown): boolean {
  return isPlain(where) && Reflect.ownKeys(where).some(name => primaryKeys.includes(name as never));
}

/** A key, or a list of keys. */
function isByKey(value: unknown): boolean {
  return (
    !isPlain(value) || Reflect.ownKeys(value).every(operator => operator === '$eq' || operator === '$in')
  );
}

function isOperators(value: Record<PropertyKey, unknown>): boolean {
  return Reflect.ownKeys(value).some(key => typeof key === 'string' && key.startsWith('$'));
}
