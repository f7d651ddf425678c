import fc from 'fast-check';
import { record, someOf } from './arbitrary.js';
import { keyOf, type Where, wheres } from './conditions.js';
import { type Kind, modelOf } from './model.js';
import { changes, type Data, plain, rowOf, settable, simple } from './rows.js';
import { type Statement, statements } from './statements.js';
import { type Topic, writableKindsOf } from './topics.js';

/** A write that any EntityManager can make. */
export type Write =
  | Create
  | Edit
  | Remove
  | ListEdit
  | { readonly kind: 'flush' }
  | { readonly kind: 'clear' }
  | Insert
  | Update
  | Delete
  | Upsert
  | Clone
  | Copy
  | { readonly kind: 'truncate'; readonly entity: Kind }
  | Statement;

/** A write of the unit of work, at once or at a later flush. */
export interface Create {
  readonly kind: 'create';
  readonly entity: Kind;
  readonly data: Data;
  readonly flush: boolean;
}

/** Changes a known entity, loaded at any time before, or one that is loaded first. */
export interface Edit {
  readonly kind: 'edit';
  readonly entity: Kind;
  readonly pick: number | Where;
  readonly data: Data;
  readonly flush: boolean;
}

export interface Remove {
  readonly kind: 'remove';
  readonly entity: Kind;
  /** a number picks a known entity; a key makes a reference */
  readonly pick: number | Where;
  readonly flush: boolean;
}

export interface ListEdit {
  readonly kind: 'list';
  readonly entity: Kind;
  readonly pick: number | Where;
  readonly collection: string;
  readonly how: 'add' | 'remove' | 'set' | 'removeAll';
  readonly items: readonly Where[];
  readonly initialised: boolean;
  readonly flush: boolean;
}

/** The interface that sends a write. */
export type Via = 'em' | 'builder' | 'kysely';

export interface Insert {
  readonly kind: 'insert';
  readonly via: 'em' | 'builder';
  readonly entity: Kind;
  readonly rows: readonly Data[];
}

export interface Update {
  readonly kind: 'update';
  readonly via: Via;
  readonly entity: Kind;
  readonly where: Where;
  readonly data: Data;
}

export interface Delete {
  readonly kind: 'delete';
  readonly via: Via;
  readonly entity: Kind;
  readonly where: Where;
}

export interface Upsert {
  readonly kind: 'upsert';
  readonly via: 'em' | 'builder';
  readonly entity: Kind;
  readonly rows: readonly Data[];
  readonly ignore: boolean;
  /** of the EntityManager: how to handle an existing row */
  readonly options: Readonly<Record<string, unknown>>;
}

/** Clones a row, with some properties changed. */
export interface Clone {
  readonly kind: 'clone';
  readonly entity: Kind;
  readonly where: Where;
  readonly data: Data;
}

/** Copies rows by one statement of the query builder. */
export interface Copy {
  readonly kind: 'copy';
  readonly entity: Kind;
  readonly where: Where;
  readonly columns: readonly string[];
}

const pick = fc.nat({ max: 11 });
const flush = fc.oneof(
  { weight: 3, arbitrary: fc.constant(true) },
  { weight: 1, arbitrary: fc.constant(false) },
);
/** A query builder knows only one table. */
const via = (kind: Kind) =>
  modelOf(kind).isSplit ? fc.constant<Via>('em') : fc.constantFrom<Via>('em', 'em', 'builder', 'kysely');

export function writes(topic: Topic): fc.Arbitrary<Write> {
  const kinds = writableKindsOf(topic);
  const concrete = fc.constantFrom(
    ...topic.kinds.filter(kind => !modelOf(kind).isAbstract && !modelOf(kind).isReadOnly),
  );
  const copied = topic.kinds.filter(isCopied);
  const withLists = topic.kinds.filter(kind => Object.keys(modelOf(kind).toMany).length > 0);
  return fc.oneof<fc.MaybeWeightedArbitrary<Write>[]>(
    { weight: 4, arbitrary: concrete.chain(create) },
    { weight: 10, arbitrary: kinds.chain(kind => edit(kind, topic)) },
    { weight: 2, arbitrary: kinds.chain(remove) },
    ...(withLists.length > 0
      ? [{ weight: 5, arbitrary: fc.constantFrom(...withLists).chain(editList) }]
      : []),
    { weight: 2, arbitrary: fc.constant({ kind: 'flush' as const }) },
    { weight: 1, arbitrary: fc.constant({ kind: 'clear' as const }) },
    { weight: 3, arbitrary: concrete.chain(insert) },
    { weight: 8, arbitrary: kinds.chain(kind => via(kind).chain(via => update(kind, via, topic))) },
    { weight: 2, arbitrary: kinds.chain(kind => via(kind).chain(via => remover(kind, via, topic))) },
    { weight: 5, arbitrary: concrete.chain(upsert) },
    { weight: 2, arbitrary: concrete.chain(kind => clone(kind, topic)) },
    ...(copied.length > 0
      ? [{ weight: 2, arbitrary: fc.constantFrom(...copied).chain(kind => copy(kind, topic)) }]
      : []),
    {
      weight: 1,
      arbitrary: record({ kind: fc.constant('truncate' as const), entity: concrete }),
    },
    // only SQL writes boundary values
    { weight: hasBorders(topic) ? 16 : 4, arbitrary: statements(topic) },
  );
}

function hasBorders({ focus }: Topic): boolean {
  return Object.values(modelOf(focus).fields).some(({ literals }) => literals);
}

function create(entity: Kind): fc.Arbitrary<Create> {
  return record<Create>({
    kind: fc.constant('create'),
    entity: fc.constant(entity),
    data: rowOf(entity, modelOf(entity).natural ?? false),
    flush,
  });
}

function edit(entity: Kind, topic: Topic): fc.Arbitrary<Edit> {
  return record<Edit>({
    kind: fc.constant('edit'),
    entity: fc.constant(entity),
    pick: fc.oneof(pick, keyOf(entity)),
    data: changes(entity, topic),
    flush,
  });
}

function remove(entity: Kind): fc.Arbitrary<Remove> {
  return record<Remove>({
    kind: fc.constant('remove'),
    entity: fc.constant(entity),
    // a reference does not know the table of its row
    pick: modelOf(entity).isRoot ? pick : fc.oneof(pick, keyOf(entity)),
    flush,
  });
}

function editList(entity: Kind): fc.Arbitrary<ListEdit> {
  const { toMany } = modelOf(entity);
  return fc.constantFrom(...Object.keys(toMany)).chain(collection =>
    record<ListEdit>({
      kind: fc.constant('list'),
      entity: fc.constant(entity),
      pick: fc.oneof(pick, keyOf(entity)),
      collection: fc.constant(collection),
      how: fc.constantFrom('add', 'remove', 'set', 'removeAll'),
      items: fc.array(keyOf(toMany[collection]!.target()), { minLength: 1, maxLength: 3 }),
      initialised: fc.boolean(),
      flush,
    }),
  );
}

function insert(entity: Kind): fc.Arbitrary<Insert> {
  const row = plain(entity, rowOf(entity, modelOf(entity).natural ?? false));
  return record<Insert>({
    kind: fc.constant('insert'),
    via: modelOf(entity).isSplit ? fc.constant('em') : fc.constantFrom('em', 'builder'),
    entity: fc.constant(entity),
    rows: fc.array(row, { minLength: 1, maxLength: 3 }),
  });
}

function update(entity: Kind, via: Via, topic: Topic): fc.Arbitrary<Update> {
  const { key } = modelOf(entity);
  const keyData = record(Object.fromEntries(Object.entries(key).map(([name, { stored }]) => [name, stored])));
  return record<Update>({
    kind: fc.constant('update'),
    via: fc.constant(via),
    entity: fc.constant(entity),
    where: target(entity, via, topic),
    data: fc.oneof(
      {
        weight: 5,
        arbitrary:
          via === 'em' ? simple(entity, changes(entity, topic)) : plain(entity, changes(entity, topic)),
      },
      // the database cascades keys to other tables
      { weight: 1, arbitrary: keyData },
    ),
  });
}

function remover(entity: Kind, via: Via, topic: Topic): fc.Arbitrary<Delete> {
  return record<Delete>({
    kind: fc.constant('delete'),
    via: fc.constant(via),
    entity: fc.constant(entity),
    where: fc.oneof(
      { weight: 3, arbitrary: keyOf(entity) },
      { weight: 1, arbitrary: target(entity, via, topic) },
    ),
  });
}

function upsert(entity: Kind): fc.Arbitrary<Upsert> {
  return record<Upsert>({
    kind: fc.constant('upsert'),
    via: modelOf(entity).isSplit ? fc.constant('em') : fc.constantFrom('em', 'em', 'builder'),
    entity: fc.constant(entity),
    rows: fc.array(plain(entity, rowOf(entity, true)), { minLength: 1, maxLength: 2 }),
    ignore: fc.oneof(
      { weight: 3, arbitrary: fc.constant(false) },
      { weight: 1, arbitrary: fc.constant(true) },
    ),
    options: upsertOptions(entity),
  });
}

function upsertOptions(entity: Kind): fc.Arbitrary<Readonly<Record<string, unknown>>> {
  const { fields, key } = modelOf(entity);
  const names = Object.keys(settable(entity)).filter(name => !fields[name]?.silent);
  const some = someOf(names, 1, 2);
  const onConflictFields = Object.keys(key);
  return fc.oneof(
    { weight: 4, arbitrary: fc.constant({}) },
    {
      weight: 1,
      arbitrary: some.map(onConflictMergeFields => ({ onConflictFields, onConflictMergeFields })),
    },
    {
      weight: 1,
      arbitrary: some.map(onConflictExcludeFields => ({ onConflictFields, onConflictExcludeFields })),
    },
    { weight: 1, arbitrary: keyOf(entity).map(onConflictWhere => ({ onConflictFields, onConflictWhere })) },
  );
}

function clone(entity: Kind, topic: Topic): fc.Arbitrary<Clone> {
  const { natural } = modelOf(entity);
  const data = simple(entity, changes(entity, topic));
  return record<Clone>({
    kind: fc.constant('clone'),
    entity: fc.constant(entity),
    where: keyOf(entity),
    // a clone with a natural key needs another key
    data: natural ? fc.tuple(keyOf(entity), data).map(([key, rest]) => ({ ...key, ...rest })) : data,
  });
}

/** Rows can be copied if the database generates their keys. */
function isCopied(kind: Kind): boolean {
  const { natural, isSplit, isReadOnly, isAbstract, table } = modelOf(kind);
  return !natural && !isSplit && !isReadOnly && !isAbstract && table !== 'being' && table !== 'content';
}

function copy(entity: Kind, topic: Topic): fc.Arbitrary<Copy> {
  const { fields } = modelOf(entity);
  const all = Object.keys(settable(entity));
  return record<Copy>({
    kind: fc.constant('copy'),
    entity: fc.constant(entity),
    where: target(entity, 'builder', topic),
    columns: fc.constant(all.filter(name => !fields[name]?.silent)),
  });
}

/** kysely knows columns only. */
function target(entity: Kind, via: Via, topic: Topic): fc.Arbitrary<Where> {
  if (via !== 'kysely') {
    return fc.oneof(keyOf(entity), wheres(entity, topic));
  }
  const { fields } = modelOf(entity);
  const comparisons = Object.entries(settable(entity))
    .filter(([name]) => !fields[name]?.silent)
    .map(([name, values]) => values.map(value => ({ [name]: value })));
  return fc.oneof(keyOf(entity), ...comparisons);
}
