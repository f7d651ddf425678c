import fc from 'fast-check';
import { record, someOf } from './arbitrary.js';
import { type Kind, modelOf } from './model.js';
import type { Topic } from './topics.js';

export type Data = Readonly<Record<string, unknown>>;

/** Values for properties, with relations by key. */
export function settable(kind: Kind): Record<string, fc.Arbitrary<unknown>> {
  const { fields, toOne } = modelOf(kind);
  const orNull = (arbitrary: fc.Arbitrary<unknown>, nullable: boolean | undefined) =>
    nullable ? fc.oneof({ weight: 4, arbitrary }, { weight: 1, arbitrary: fc.constant(null) }) : arbitrary;
  return Object.fromEntries([
    ...Object.entries(fields)
      .filter(([, { isGenerated }]) => !isGenerated)
      .map(([name, field]) => [name, orNull(field.values.stored, field.nullable)]),
    ...Object.entries(toOne).map(([name, { target, nullable }]) => [
      name,
      orNull(modelOf(target()).key.id!.stored, nullable),
    ]),
  ]);
}

/** A row with all required properties, and some optional ones. */
export function rowOf(kind: Kind, withKey: boolean): fc.Arbitrary<Data> {
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

/** One or two properties, mostly those of the topic. */
export function changes(kind: Kind, { focus, properties }: Topic): fc.Arbitrary<Data> {
  const all = settable(kind);
  const some = (names: readonly string[]) =>
    someOf(
      names.filter(name => name in all),
      1,
      2,
    ).chain(chosen => record(Object.fromEntries(chosen.map(name => [name, all[name]!]))));
  const any = some(Object.keys(all));
  return kind === focus && properties.some(name => name in all)
    ? fc.oneof({ weight: 3, arbitrary: some(properties) }, { weight: 2, arbitrary: any })
    : any;
}

/** Without embedded and JSON properties, which only the unit of work writes correctly. */
export function plain(kind: Kind, data: fc.Arbitrary<Data>): fc.Arbitrary<Data> {
  const { fields } = modelOf(kind);
  return data.map(all => Object.fromEntries(Object.entries(all).filter(([name]) => !fields[name]?.silent)));
}

/** Without properties that only the unit of work can write. */
export function simple(kind: Kind, data: fc.Arbitrary<Data>): fc.Arbitrary<Data> {
  const { fields } = modelOf(kind);
  return data.map(all =>
    Object.fromEntries(Object.entries(all).filter(([name]) => !fields[name]?.isComplex)),
  );
}
