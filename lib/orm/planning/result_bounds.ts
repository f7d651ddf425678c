import type { EntityMetadata, EntityProperty } from '@mikro-orm/core';
import { keySetBound } from '../../query/key_set_bound.js';
import { pageBound } from '../../query/page_bound.js';
import type { OrderTerm, PageBound, ResultBound } from '../../query/result_bound.js';
import type { ResultBounds } from '../../query/row_deltas.js';
import type { BoundPlan } from './bound_plans.js';
import type { PlacedBound } from './occurrences.js';

type Row = Readonly<Record<string, unknown>>;

/** A result as the driver gave it, and its statements. */
export interface SelectResult {
  readonly meta: EntityMetadata;
  readonly result: unknown;
  /** the statements that were sent */
  readonly statements: readonly string[];
  /** the rows are in the opposite order of the database's (`last` of a cursor) */
  readonly reversed: boolean;
}

/** The bounds of a result; `undefined` if it has none. */
export function boundsOf(plans: readonly PlacedBound[], selected: SelectResult): ResultBounds | undefined {
  if (!Array.isArray(selected.result)) {
    return undefined;
  }
  const bounds: (ResultBound | null)[] = [];
  for (const { occurrence, plan } of plans) {
    bounds[occurrence] = boundOf(plan, selected);
  }
  return bounds.some(bound => bound) ? Array.from(bounds, bound => bound ?? null) : undefined;
}

function boundOf(plan: BoundPlan, selected: SelectResult): ResultBound | null {
  switch (plan.type) {
    case 'window':
      return windowOf(plan.order, selected);
    case 'rows':
      return rowsOf(plan, selected);
    default:
      return containedOf(plan, selected);
  }
}

/**
 * Taken from the SQL, because a cursor asks for one row more than its option says. With to-many joins it is in a
 * subquery: see `unwrapPage`.
 */
const LIMIT = /\blimit (\d+)(?: offset \d+)?(?:\) as "[^"]*"\) order by [^()]*)?$/;

const OFFSET = /\boffset\b/i;

function windowOf(order: readonly OrderTerm[], selected: SelectResult): PageBound | null {
  const rows = selected.result as readonly Row[];
  const limit = Number(LIMIT.exec(selected.statements[0] ?? '')?.[1]);
  if (selected.statements.length !== 1 || !(limit > 0) || rows.length !== limit) {
    return null; // another row may be added
  }
  const last = rows.at(selected.reversed ? 0 : -1)!;
  const props = order.map(({ column }) => scalarOf(selected.meta, column));
  return pageBound(
    order,
    props.map(prop => prop && last[prop.name]),
  );
}

function rowsOf(
  { table, filterColumns, order }: BoundPlan & { type: 'rows' },
  selected: SelectResult,
): ResultBound | null {
  const window = order.length > 0 ? windowOf(order, selected) : null;
  if (selected.statements.length !== 1 || selected.statements.some(sql => OFFSET.test(sql))) {
    return window; // skipped rows matter, too
  }
  const columns = table.key!.map(name => ({ name, kind: table.kinds.get(name)! }));
  const props = columns.map(({ name }) => scalarOf(selected.meta, name));
  const keys = (selected.result as readonly Row[]).map(row => props.map(prop => prop && row[prop.name]));
  const contained = keySetBound(columns, keys, true, filterColumns);
  return contained && window ? { ...contained, window } : (contained ?? window);
}

function containedOf(
  { on, table, filters, filterColumns }: BoundPlan & { type: 'contained' },
  selected: SelectResult,
): ResultBound | null {
  const { meta } = selected;
  const rows = selected.result as readonly Row[];
  const columns = on.map(({ own }) => ({ name: own, kind: table.kinds.get(own)! }));
  if (columns.some(({ kind }) => kind === undefined)) {
    return null;
  }
  if (filters && selected.statements.some(sql => OFFSET.test(sql))) {
    return null; // skipped rows decide about the positions of others, and rows that they refer to are not contained
  }
  const relation = relationOf(meta, on);
  const keyOf = relation ? (row: Row) => referredKey(row[relation.name], relation, on) : ownKey;
  const keys: (readonly unknown[])[] = [];
  for (const row of rows) {
    const key = keyOf(row);
    if (!key || key.includes(undefined)) {
      return null;
    }
    keys.push(key);
  }
  return keySetBound(columns, keys, filters, filterColumns);

  /** the key of a row that others refer to */
  function ownKey(row: Row): unknown[] {
    return on.map(({ column }) => {
      const prop = scalarOf(meta, column);
      return prop && row[prop.name];
    });
  }
}

/**
 * The row's foreign key: the key of an existing row, because the database enforces it; or NULL, which the ORM also
 * gives if the join is filtered and the row does not pass.
 */
function referredKey(
  value: unknown,
  relation: EntityProperty,
  on: (BoundPlan & { type: 'contained' })['on'],
): unknown[] | undefined {
  if (value === null) {
    return on.map(() => null);
  }
  if (typeof value !== 'object') {
    return value !== undefined && on.length === 1 ? [value] : undefined;
  }
  return on.map(({ own }) => {
    const prop = scalarOf(relation.targetMeta!, own);
    return prop && (value as Row)[prop.name];
  });
}

/** The relation that these columns are the foreign key of. */
function relationOf(
  meta: EntityMetadata,
  on: (BoundPlan & { type: 'contained' })['on'],
): EntityProperty | undefined {
  return Object.values<EntityProperty>(meta.properties as never).find(
    prop =>
      (prop.kind === 'm:1' || (prop.kind === '1:1' && prop.owner)) &&
      !prop.polymorphic &&
      // the ORM gives the referred key in this form, not as it is stored
      ![prop.customType, ...(prop.customTypes ?? [])].some(type => type?.convertToJSValueSQL) &&
      prop.joinColumns.length === on.length &&
      on.every(({ own, column }) => prop.referencedColumnNames[prop.joinColumns.indexOf(column)] === own),
  );
}

/** The property that holds the values of a column unchanged. */
export function scalarOf(meta: EntityMetadata, column: string): EntityProperty | undefined {
  return Object.values<EntityProperty>(meta.properties as never).find(
    prop =>
      prop.kind === 'scalar' &&
      prop.fieldNames?.length === 1 &&
      prop.fieldNames[0] === column &&
      prop.persist !== false &&
      !prop.formula &&
      !prop.customType?.convertToJSValueSQL,
  );
}
