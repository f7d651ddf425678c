/** The names that a key of `profiles` is compared with. */
export interface EntityNames {
  /** name of the entity's class */
  readonly className: string;
  readonly tableName: string;
  /** the database schema of its table, also if it is the default schema; `undefined` if there is none */
  readonly schema: string | undefined;
}

/** A key of `profiles`: an entity's name, or a pattern of names. */
export interface ProfileKey {
  readonly text: string;
  /** it has no `*`, and so names one entity */
  readonly exact: boolean;
  /** the number of characters that are not `*`: of two matching keys, the one with more is more specific */
  readonly literal: number;
  matches(names: EntityNames): boolean;
}

export function parseKey(text: string): ProfileKey {
  const literals = text.split('*');
  const wanted = new RegExp(`^${literals.map(escapeRegExp).join('.*')}$`, 's');
  const namesOf = text.includes('.') ? qualifiedNames : plainName;
  return {
    text,
    exact: literals.length === 1,
    literal: text.length - literals.length + 1,
    matches: names => namesOf(names).some(name => wanted.test(name)),
  };
}

/** The names that a key with a dot is compared with. */
export function qualifiedNames({ schema, tableName, className }: EntityNames): string[] {
  return schema === undefined ? [] : [`${schema}.${tableName}`, `${schema}.${className}`];
}

function plainName({ className }: EntityNames): string[] {
  return [className];
}

function escapeRegExp(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}
