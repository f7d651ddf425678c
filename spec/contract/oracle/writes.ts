import fc from 'fast-check';
import { record, someOf } from './arbitrary.js';
import { conditions, keyOf, type Where } from './conditions.js';
import { KINDS, type Kind, modelOf } from './model.js';
import { STATEMENTS, type Statement } from './statements.js';

/** A write, as it can be made through any EntityManager. */
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
  | Statement;

type Data = Readonly<Record<string, unknown>>;

/** What the unit of work does, at once or whenever it is flushed. */
export interface Create {
  readonly kind: 'create';
  readonly entity: Kind;
  readonly data: Data;
  readonly flush: boolean;
}

/** Of some entity that the EntityManager knows, however long ago it was loaded, or of one that is loaded first. */
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
  /** a number picks one that is known; a key makes a reference */
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

/** Who sends it. */
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
}

const COMMON: readonly Kind[] = ['Article', 'Article', 'Article', 'Author', 'Comment', 'Task', 'Project'];
const kinds = fc.constantFrom<Kind>(...KINDS, ...COMMON);
const concrete = fc.constantFrom<Kind>(...KINDS.filter(kind => kind !== 'Content'), ...COMMON);
const withLists = fc.constantFrom<Kind>(
  ...KINDS.filter(kind => Object.keys(modelOf(kind).toMany).length > 0),
);
const pick = fc.nat({ max: 11 });
const flush = fc.oneof(
  { weight: 3, arbitrary: fc.constant(true) },
  { weight: 1, arbitrary: fc.constant(false) },
);

/** What properties may be set to, relations by key. */
function settable(kind: Kind): Record<string, fc.Arbitrary<unknown>> {
  const { fields, toOne } = modelOf(kind);
  const orNull = (arbitrary: fc.Arbitrary<unknown>, nullable: boolean | undefined) =>
    nullable ? fc.oneof({ weight: 4, arbitrary }, { weight: 1, arbitrary: fc.constant(null) }) : arbitrary;
  return Object.fromEntries([
    ...Object.entries(fields).map(([name, field]) => [name, orNull(field.values.stored, field.nullable)]),
    ...Object.entries(toOne).map(([name, { target, nullable }]) => [
      name,
      orNull(modelOf(target()).key.id!.stored, nullable),
    ]),
  ]);
}

/** A row with all that it must have, and some of what it may have. */
function rowOf(kind: Kind, withKey: boolean): fc.Arbitrary<Data> {
  const { fields, toOne, key } = modelOf(kind);
  const keyed = withKey
    ? Object.fromEntries(Object.entries(key).map(([name, { stored }]) => [name, stored]))
    : {};
  const must = [
    ...Object.keys(keyed),
    ...Object.keys(fields).filter(name => fields[name]!.required),
    ...Object.keys(toOne).filter(name => !toOne[name]!.nullable),
  ];
  return record({ ...settable(kind), ...keyed }, must);
}

function changesOf(kind: Kind): fc.Arbitrary<Data> {
  const properties = settable(kind);
  return someOf(Object.keys(properties), 1, 2).chain(names =>
    record(Object.fromEntries(names.map(name => [name, properties[name]!]))),
  );
}

/** Without embedded and JSON properties, which only the unit of work writes well. */
function plain(kind: Kind, data: fc.Arbitrary<Data>): fc.Arbitrary<Data> {
  const { fields } = modelOf(kind);
  return data.map(all => Object.fromEntries(Object.entries(all).filter(([name]) => !fields[name]?.silent)));
}

const create = concrete.chain(entity =>
  record({
    kind: fc.constant('create' as const),
    entity: fc.constant(entity),
    data: rowOf(entity, modelOf(entity).natural ?? false),
    flush,
  }),
);

const edit = kinds.chain(entity =>
  record({
    kind: fc.constant('edit' as const),
    entity: fc.constant(entity),
    pick: fc.oneof(pick, keyOf(entity)),
    data: changesOf(entity),
    flush,
  }),
);

const remove = kinds.chain(entity =>
  record({
    kind: fc.constant('remove' as const),
    entity: fc.constant(entity),
    pick: fc.oneof<[fc.Arbitrary<number>, fc.Arbitrary<Where>]>(
      pick,
      entity === 'Content' ? (pick as never) : keyOf(entity),
    ),
    flush,
  }),
);

const listEdit = withLists.chain(entity => {
  const { toMany } = modelOf(entity);
  return fc.constantFrom(...Object.keys(toMany)).chain(collection =>
    record({
      kind: fc.constant('list' as const),
      entity: fc.constant(entity),
      pick: fc.oneof(pick, keyOf(entity)),
      collection: fc.constant(collection),
      how: fc.constantFrom('add', 'remove', 'set', 'removeAll'),
      items: fc.array(keyOf(toMany[collection]!.target()), { minLength: 1, maxLength: 3 }),
      initialised: fc.boolean(),
      flush,
    }),
  );
}) as fc.Arbitrary<ListEdit>;

const via = fc.constantFrom<Via>('em', 'em', 'builder', 'kysely');

const insert = concrete.chain(entity =>
  record({
    kind: fc.constant('insert' as const),
    via: fc.constantFrom('em', 'builder'),
    entity: fc.constant(entity),
    rows: fc.array(plain(entity, rowOf(entity, modelOf(entity).natural ?? false)), {
      minLength: 1,
      maxLength: 3,
    }),
  }),
) as fc.Arbitrary<Insert>;

/** Some change keys, which the database passes on to other tables. */
function updateData(entity: Kind, via: Via): fc.Arbitrary<Data> {
  const { key } = modelOf(entity);
  const data = via === 'em' ? changesOf(entity) : plain(entity, changesOf(entity));
  return fc.oneof(
    { weight: 12, arbitrary: data },
    {
      weight: 1,
      arbitrary: record(Object.fromEntries(Object.entries(key).map(([name, { stored }]) => [name, stored]))),
    },
  );
}

/** kysely knows columns only. */
function target(entity: Kind, via: Via): fc.Arbitrary<Where> {
  return via === 'kysely'
    ? fc.oneof(
        keyOf(entity),
        ...Object.entries(settable(entity))
          .filter(([name]) => !modelOf(entity).fields[name]?.silent)
          .map(([name, value]) => value.map(v => ({ [name]: v }))),
      )
    : fc.oneof({ weight: 1, arbitrary: keyOf(entity) }, { weight: 1, arbitrary: conditions(entity) });
}

const update = fc.tuple(kinds, via).chain(([entity, via]) =>
  record({
    kind: fc.constant('update' as const),
    via: fc.constant(via),
    entity: fc.constant(entity),
    where: target(entity, via),
    data: updateData(entity, via),
  }),
);

const remover = fc.tuple(kinds, via).chain(([entity, via]) =>
  record({
    kind: fc.constant('delete' as const),
    via: fc.constant(via),
    entity: fc.constant(entity),
    where: fc.oneof({ weight: 3, arbitrary: keyOf(entity) }, { weight: 1, arbitrary: target(entity, via) }),
  }),
);

const upsert = concrete.chain(entity =>
  record({
    kind: fc.constant('upsert' as const),
    via: fc.constantFrom('em', 'em', 'builder'),
    entity: fc.constant(entity),
    rows: fc.array(plain(entity, rowOf(entity, true)), { minLength: 1, maxLength: 3 }),
    ignore: fc.oneof(
      { weight: 3, arbitrary: fc.constant(false) },
      { weight: 1, arbitrary: fc.constant(true) },
    ),
  }),
) as fc.Arbitrary<Upsert>;

export const writes: fc.Arbitrary<Write> = fc.oneof(
  { weight: 4, arbitrary: create },
  { weight: 10, arbitrary: edit },
  { weight: 2, arbitrary: remove },
  { weight: 5, arbitrary: listEdit },
  { weight: 2, arbitrary: fc.constant({ kind: 'flush' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'clear' as const }) },
  { weight: 3, arbitrary: insert },
  { weight: 8, arbitrary: update },
  { weight: 2, arbitrary: remover },
  { weight: 4, arbitrary: upsert },
  { weight: 4, arbitrary: STATEMENTS },
);
