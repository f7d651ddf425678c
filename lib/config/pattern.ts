/** What the key of a profile can be compared with. */
export interface EntityNames {
  /** name of the entity's class */
  readonly className: string;
  readonly tableName: string;
  /** the database schema that its table is in, also where that is the default one; `undefined` if there is none */
  readonly schema: string | undefined;
}

/** A key of `profiles`: an entity's name, or a pattern of names. */
export interface ProfileKey {
  readonly text: string;
  /** has no `*`, so that it can be meant for one entity only */
  readonly exact: boolean;
  /** how many characters are not `*`: of two keys that match, the one with more of them is the more specific */
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

/** What a key with a dot is compared with. */
export function qualifiedNames({ schema, tableName, className }: EntityNames): string[] {
  return schema === undefined ? [] : [`${schema}.${tableName}`, `${schema}.${className}`];
}

function plainName({ className }: EntityNames): string[] {
  return [className];
}

function escapeRegExp(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}
