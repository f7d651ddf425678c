import type { EntityMetadata, EntityProperty } from '@mikro-orm/core';
import { pathName } from '../values/path.js';
import { ColumnConditions, type ColumnFacts, type ColumnPlace } from './column_condition.js';
import { ANYTHING, and, type Formula, mapped, or, type Source, wider } from './formula.js';
import { readJsonKey } from './json_key.js';
import type { JsonScalar } from './json_scalar.js';

/** What a condition is read against: the database's own view of its tables. */
export interface Columns extends ColumnFacts {
  /** the full name of an entity's table, or `undefined` if its rows are not in one plain table */
  tableOf(meta: EntityMetadata): string | undefined;
}

export interface Condition {
  readonly formula: Formula;
  /** every occurrence of a table that the formula speaks of, the root first */
  readonly sources: readonly Source[];
  /**
   * Tables of relations that it goes through more than once. The ORM may join them only once, so that there may be more
   * sources of them than places in the SQL.
   */
  readonly repeated: ReadonlySet<string>;
}

/**
 * Reads a WHERE in the form in which the driver gets it (property names; `$and`, `$or`, `$not`; scalars for
 * equality; custom types already converted). Everything that is not understood for certain is `anything`.
 *
 * SQL's logic has three values, and NULL passes neither a condition nor its negation. So negations are read down to
 * the single columns, where they become conditions which NULL does not pass either.
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
 * - `joined`: it is joined to one row by its key, and may be missing (an outer join), so that NULL fixes nothing.
 * - `joined to many`: moreover, conditions in different groups may be about different rows.
 */
type Mode = 'row' | 'joined' | 'joined to many';

interface Place extends ColumnPlace {
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

  source(table: string): Source {
    const source = { table };
    this.sources.push(source);
    return source;
  }

  /** An object's keys are joined by AND, under a negation (De Morgan) by OR. */
  read(meta: EntityMetadata, where: unknown, place: Place): Formula {
    if (!isRecord(where)) {
      return ANYTHING;
    }
    const parts = Reflect.ownKeys(where).map(key =>
      typeof key === 'string'
        ? this.#entry(meta, key, where[key], place)
        : this.#json(key, where[key], place),
    );
    return joined(parts, place);
  }

  #entry(meta: EntityMetadata, key: string, value: unknown, place: Place): Formula {
    if (key.startsWith('$')) {
      return this.#group(meta, key, value, place);
    }
    const prop = meta.properties[key as never] as EntityProperty | undefined;
    if (prop) {
      return this.#property(meta, prop, value, place);
    }
    const keys = key.split('~~~').map(name => meta.properties[name as never] as EntityProperty | undefined);
    return keys.length > 1 && keys.every(isKeyColumn)
      ? this.#fields(
          keys.flatMap(keyProp => keyProp!.fieldNames),
          value,
          place,
        )
      : ANYTHING;
  }

  #group(meta: EntityMetadata, operator: string, value: unknown, place: Place): Formula {
    if (place.mode === 'joined to many') {
      return ANYTHING;
    }
    if (operator === '$not') {
      return this.read(meta, value, { ...place, negated: !place.negated });
    }
    if ((operator !== '$and' && operator !== '$or') || !Array.isArray(value) || value.length === 0) {
      return ANYTHING;
    }
    const parts = value.map(part => this.read(meta, part, place));
    return (operator === '$and') !== place.negated ? and(parts) : or(parts);
  }

  #property(meta: EntityMetadata, prop: EntityProperty, value: unknown, place: Place): Formula {
    switch (prop.kind) {
      case 'scalar':
        return isNarrowing(prop)
          ? this.#fields(prop.fieldNames, value, place)
          : isInObject(prop)
            ? this.#json(prop.fieldNameRaw!, value, place)
            : ANYTHING;
      case 'embedded':
        return prop.array || !isRecord(value) ? ANYTHING : this.#embedded(meta, prop, value, place);
      case 'm:1':
      case '1:1':
      case '1:m':
      case 'm:n':
        return isPlainRelation(prop) ? this.#relation(prop, value, place) : ANYTHING;
      default:
        return ANYTHING;
    }
  }

  /** @param key SQL that leads to a text within a column */
  #json(key: symbol | string, value: unknown, place: Place): Formula {
    const found = readJsonKey(key);
    if (!found) {
      return ANYTHING;
    }
    const { path, as } = found;
    const name = pathName(path);
    return as === 'text' ? this.#fields([name], value, place) : this.#scalar(name, as, value, place);
  }

  /** Of a text that the database casts. Texts that it may not be able to cast satisfy everything. */
  #scalar(name: string, as: JsonScalar, value: unknown, place: Place): Formula {
    if (this.#columns.kindOf(place.source.table, name) === undefined) {
      return ANYTHING;
    }
    const facts = { kindOf: () => as, orderable: () => true, matchable: () => false };
    const formula = this.#fields([name], value, place, new ColumnConditions(facts, 0));
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
    place: Place,
  ): Formula {
    const parts = Reflect.ownKeys(value).map(key => {
      const child = typeof key === 'string' ? prop.embeddedProps[key] : undefined;
      // in the root of a single table two heirs may have embedded something under one name
      const isCertain = child !== undefined && meta.properties[child.name as never] === child;
      return isCertain ? this.#property(meta, child, value[key as string], place) : ANYTHING;
    });
    return joined(parts, place);
  }

  #relation(prop: EntityProperty, value: unknown, place: Place): Formula {
    const owning = prop.kind === 'm:1' || (prop.kind === '1:1' && prop.owner);
    if (!isRecord(value) || isOperators(value)) {
      return owning ? this.#fields(prop.joinColumns, value, place) : this.#collection(prop, value, place);
    }
    const target = prop.targetMeta!;
    const keys = Reflect.ownKeys(value);
    if (owning && keys.length > 0 && keys.every(key => target.primaryKeys.includes(key as never))) {
      const parts = keys.map(key => this.#foreignKey(prop, target, key as string, value[key], place));
      return joined(parts, place);
    }
    const table = this.#columns.tableOf(target);
    if (table === undefined || place.negated) {
      return ANYTHING;
    }
    const path = `${place.path}.${prop.name}`;
    if (this.#paths.has(path)) {
      this.repeated.add(table);
    }
    this.#paths.add(path);
    const many = prop.kind === '1:m' || prop.kind === 'm:n' || place.mode === 'joined to many';
    return this.read(target, value, {
      source: this.source(table),
      negated: false,
      optional: true,
      path,
      mode: many ? 'joined to many' : 'joined',
    });
  }

  /**
   * `$some`, `$none` and `$every` look for a row in a subquery: one with which they find nothing changes nothing, whichever
   * of them it is. Nothing is said of the row whose collection it is.
   */
  #collection(prop: EntityProperty, value: unknown, place: Place): Formula {
    const table = this.#columns.tableOf(prop.targetMeta!);
    if (table === undefined || !isRecord(value) || place.mode === 'joined to many') {
      return ANYTHING;
    }
    const parts = Reflect.ownKeys(value).map(operator =>
      operator === '$some' || operator === '$none' || operator === '$every'
        ? wider(
            this.read(prop.targetMeta!, value[operator], {
              source: this.source(table),
              negated: operator === '$every',
              optional: true,
              path: `${place.path}.${prop.name} ${this.sources.length}`,
              mode: 'joined',
            }),
          )
        : ANYTHING,
    );
    return joined(parts, place);
  }

  /**
   * `{ author: { id: 7 } }` is about the column that refers to it, or, if that is joined anyway, about the author's own:
   * which is NULL where the author is missing, whatever refers to it.
   */
  #foreignKey(
    prop: EntityProperty,
    target: EntityMetadata,
    key: string,
    value: unknown,
    place: Place,
  ): Formula {
    const keyProp = target.properties[key as never] as EntityProperty;
    const names = keyProp.fieldNames.map(name => prop.joinColumns[prop.referencedColumnNames.indexOf(name)]);
    return isKeyColumn(keyProp) && names.every(name => name !== undefined)
      ? wider(this.#fields(names as string[], value, { ...place, optional: true }))
      : ANYTHING;
  }

  /** A value to be equal to, or operators; for several columns, values are tuples. */
  #fields(fields: readonly string[], value: unknown, place: Place, conditions = this.#conditions): Formula {
    if (isRecord(value)) {
      const parts = Reflect.ownKeys(value).map(operator =>
        // flags make another operator of it
        operator === '$re' && '$flags' in value
          ? ANYTHING
          : conditions.read(fields, operator, value[operator], place),
      );
      return joined(parts, place);
    }
    if (Array.isArray(value) && fields.length === 1) {
      return ANYTHING; // an array column's value, or a form that this is not meant for
    }
    return conditions.read(fields, '$eq', value, place);
  }
}

/** An empty object is not the condition that it looks like: some places leave it out, and others negate it. */
function joined(parts: readonly Formula[], place: Place): Formula {
  return parts.length === 0 ? ANYTHING : place.negated ? or(parts) : and(parts);
}

/** A bare key, as `em.find(Article, 34)` may arrive. */
function primaryKeyCondition(meta: EntityMetadata, where: unknown): unknown {
  const bare = where !== null && (typeof where !== 'object' || Array.isArray(where));
  return bare ? { [meta.primaryKeys.join('~~~')]: where } : where;
}

/** False where SQL stands between the value and the column. */
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

/** Of an embedded object that is stored as JSON. */
function isInObject({ fieldNameRaw, customType, runtimeType }: EntityProperty): boolean {
  return fieldNameRaw !== undefined && !customType && PLAIN_TYPES.has(runtimeType);
}

const PLAIN_TYPES: ReadonlySet<string> = new Set(['string', 'number', 'boolean']);

/**
 * Of what is embedded the ORM does not tell its columns for certain: `joinColumns` leave out prefixes, and may be keys of
 * JSON that are called like columns.
 */
export function isPlainRelation(prop: EntityProperty): boolean {
  if (prop.embedded && !prop.joinColumns?.every((column, i) => column === prop.fieldNames[i])) {
    return false;
  }
  return !prop.polymorphic && !prop.formula && prop.fieldNameRaw === undefined;
}

function isKeyColumn(prop: EntityProperty | undefined): boolean {
  return (
    prop !== undefined &&
    (prop.kind === 'scalar' ? isNarrowing(prop) : prop.kind === 'm:1' || prop.kind === '1:1')
  );
}

export function isRecord(value: unknown): value is Record<PropertyKey, unknown> {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    return false;
  }
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function isOperators(value: Record<PropertyKey, unknown>): boolean {
  return Reflect.ownKeys(value).some(key => typeof key === 'string' && key.startsWith('$'));
}
