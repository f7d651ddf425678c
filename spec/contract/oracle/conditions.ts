import fc from 'fast-check';
import { memoised, record } from './arbitrary.js';
import { type Field, type Kind, type Model, modelOf, type ToMany, type ToOne } from './model.js';
import type { Topic } from './topics.js';
import * as v from './values.js';

export type Where = Record<string, unknown>;
type Where$ = fc.Arbitrary<Where>;

const conditionsOf = memoised((kind: Kind, depth: number): Where$ => {
  const model = modelOf(kind);
  const simple = [
    { weight: 4, arbitrary: keyCondition(model) },
    ...Object.entries(model.fields)
      .filter(([, field]) => isCompared(field))
      .map(([name, field]) => ({ weight: 2, arbitrary: fieldCondition(name, field) })),
    ...Object.entries(model.toOne).map(([name, relation]) => ({
      weight: 4,
      arbitrary: referenceCondition(name, relation),
    })),
    ...(kind === 'Author' ? [{ weight: 6, arbitrary: addressCondition }] : []),
  ];
  const leaf = fc.oneof(...simple);
  if (depth === 0) {
    return leaf;
  }
  const inner = conditionsOf(kind, depth - 1);
  const relations = [
    ...Object.entries(model.toOne).map(([name, relation]) => throughOne(name, relation, depth)),
    ...Object.entries(model.toMany).map(([name, relation]) => throughMany(name, relation, depth)),
  ];
  return fc.oneof(
    { weight: 14, arbitrary: leaf },
    { weight: 5, arbitrary: fc.tuple(leaf, leaf).map(([a, b]) => ({ ...a, ...b })) },
    { weight: 2, arbitrary: fc.tuple(inner, inner).map(parts => ({ $or: parts })) },
    { weight: 1, arbitrary: fc.tuple(inner, inner).map(parts => ({ $and: parts })) },
    { weight: 1, arbitrary: inner.map(part => ({ $not: part })) },
    ...relations.map(arbitrary => ({ weight: 1.5, arbitrary })).map(rounded),
  );
});

/**
 * Conditions on an entity, as callers of `em.find` write them.
 *
 * @param depth how deeply relations and groups are nested at most
 */
export function conditions(kind: Kind, depth = 2): Where$ {
  return conditionsOf(kind, depth);
}

/** Conditions for queries of the entity on this topic. */
export function wheres(kind: Kind, topic: Topic): Where$ {
  const { focus, properties } = topic;
  const { toOne, toMany } = modelOf(kind);
  const focused = focusedCondition(topic);
  const leadsThere = ({ target }: ToOne | ToMany) => target() === focus;
  const through = [
    ...Object.keys(toOne).filter(name => leadsThere(toOne[name]!)),
    ...Object.keys(toMany).filter(name => leadsThere(toMany[name]!)),
  ].map(name => focused.map(inner => ({ [name]: inner })));
  return fc.oneof(
    { weight: 8, arbitrary: conditions(kind) },
    { weight: 1, arbitrary: fc.constant({}) },
    ...(kind === focus && properties.length > 0 ? [{ weight: 10, arbitrary: focused }] : []),
    ...through.map(arbitrary => ({ weight: 3, arbitrary })),
  );
}

function focusedCondition({ focus, properties }: Topic): Where$ {
  const { fields, toOne } = modelOf(focus);
  const each = properties.map(name =>
    fields[name]
      ? name === 'home'
        ? addressCondition
        : fieldCondition(name, fields[name])
      : referenceCondition(name, toOne[name]!),
  );
  return fc.oneof(
    { weight: 3, arbitrary: fc.oneof(...each) },
    { weight: 1, arbitrary: fc.tuple(...each).map(parts => Object.assign({}, ...parts) as Where) },
    { weight: 1, arbitrary: fc.tuple(fc.oneof(...each), fc.oneof(...each)).map(parts => ({ $or: parts })) },
  );
}

/** One row by its key, in the form that entities have. */
export function keyOf(kind: Kind): Where$ {
  const { key } = modelOf(kind);
  return record(Object.fromEntries(Object.entries(key).map(([name, { stored }]) => [name, stored])));
}

function keyCondition({ key }: Model): Where$ {
  const names = Object.keys(key);
  const several = names.map(name =>
    fc.array(key[name]!.asked, { minLength: 0, maxLength: 4 }).map(list => ({ [name]: { $in: list } })),
  );
  const partial = names.map(name => key[name]!.asked.map(value => ({ [name]: value })));
  const whole = record(Object.fromEntries(names.map(name => [name, key[name]!.asked])));
  return fc.oneof(whole, ...several, ...(names.length > 1 ? partial : []));
}

/** Whether a condition may use it. */
export function isCompared({ silent, conditions }: Field): boolean {
  return !silent || conditions !== undefined;
}

function fieldCondition(name: string, field: Field): Where$ {
  const {
    values: { asked },
    nullable,
    ordered,
    text,
    silent,
    conditions,
  } = field;
  const on = (arbitrary: fc.Arbitrary<unknown>) => arbitrary.map(value => ({ [name]: value }));
  if (silent) {
    return on(conditions!);
  }
  return fc.oneof(
    ...(conditions ? [{ weight: 5, arbitrary: on(conditions) }] : []),
    { weight: 8, arbitrary: on(asked) },
    { weight: 2, arbitrary: on(fc.array(asked, { minLength: 1, maxLength: 3 }).map($in => ({ $in }))) },
    { weight: 2, arbitrary: on(asked.map($ne => ({ $ne }))) },
    { weight: 1, arbitrary: on(fc.array(asked, { minLength: 4, maxLength: 12 }).map($in => ({ $in }))) },
    { weight: 1, arbitrary: on(fc.array(asked, { minLength: 1, maxLength: 2 }).map($nin => ({ $nin }))) },
    ...(nullable
      ? [
          { weight: 2, arbitrary: on(fc.constant(null)) },
          { weight: 1, arbitrary: on(fc.constant({ $ne: null })) },
          { weight: 1, arbitrary: on(asked.map(value => ({ $in: [value, null] }))) },
        ]
      : []),
    ...(ordered
      ? [
          {
            weight: field.literals ? 10 : 4,
            arbitrary: on(
              fc
                .tuple(fc.constantFrom('$gt', '$gte', '$lt', '$lte'), asked)
                .map(([op, value]) => ({ [op]: value })),
            ),
          },
          { weight: 2, arbitrary: on(fc.tuple(asked, asked).map(([$gte, $lt]) => ({ $gte, $lt }))) },
        ]
      : []),
    ...(text
      ? [
          {
            weight: 2,
            arbitrary: on(fc.constantFrom('Al%', '%a', '_eta', 'a%a', '%').map($like => ({ $like }))),
          },
          { weight: 1, arbitrary: on(fc.constantFrom('AL%', 'b%').map($ilike => ({ $ilike }))) },
        ]
      : []),
  );
}

function referenceCondition(name: string, { target, nullable }: ToOne): Where$ {
  const id = modelOf(target()).key.id!.asked;
  return fc.oneof(
    { weight: 6, arbitrary: id.map(value => ({ [name]: value })) },
    { weight: 1, arbitrary: id.map(value => ({ [name]: { id: value } })) },
    { weight: 1, arbitrary: id.map(value => ({ [name]: { $ne: value } })) },
    { weight: 2, arbitrary: fc.array(id, { minLength: 1, maxLength: 3 }).map($in => ({ [name]: { $in } })) },
    ...(nullable ? [{ weight: 2, arbitrary: fc.constant({ [name]: null }) }] : []),
  );
}

function throughOne(name: string, { target }: ToOne, depth: number): Where$ {
  return conditionsOf(target(), depth - 1).map(condition => ({ [name]: condition }));
}

function throughMany(name: string, { target }: ToMany, depth: number): Where$ {
  const condition = conditionsOf(target(), depth - 1);
  return fc.oneof(
    { weight: 3, arbitrary: condition.map(inner => ({ [name]: inner })) },
    {
      weight: 2,
      arbitrary: fc
        .tuple(fc.constantFrom('$some', '$none', '$every'), condition)
        .map(([quantifier, inner]) => ({ [name]: { [quantifier]: inner } })),
    },
    {
      weight: 1,
      arbitrary: fc.constantFrom('$some', '$none').map(quantifier => ({ [name]: { [quantifier]: {} } })),
    },
    {
      weight: 1,
      arbitrary: fc.constantFrom<unknown>(0, 1, 2, { $gt: 1 }).map($size => ({ [name]: { $size } })),
    },
  );
}

const addressCondition: Where$ = fc.oneof(
  v.cities.asked.map(city => ({ home: { city } })),
  v.countries.asked.map(country => ({ home: { country } })),
  fc.constant({ home: { country: null } }),
  fc.tuple(v.cities.asked, v.countries.asked).map(([city, country]) => ({ home: { city, country } })),
  fc
    .tuple(v.cities.asked, v.countries.asked)
    .map(([city, country]) => ({ $or: [{ home: { city } }, { home: { country } }] })),
  v.cities.asked.map(city => ({ office: { city } })),
  fc.constantFrom('dark', 'light').map(theme => ({ settings: { theme } })),
);

/** Weights are whole numbers. */
function rounded<T>({ weight, arbitrary }: { weight: number; arbitrary: fc.Arbitrary<T> }) {
  return { weight: Math.ceil(weight), arbitrary };
}
