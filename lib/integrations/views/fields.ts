/** Names in lower case. Only `set-cookie` and its like have several values. */
export type HeaderFields = Readonly<Record<string, string | readonly string[]>>;

type AnyFields = Readonly<Record<string, number | string | readonly string[] | undefined>>;

/** Fields by name in lower case, their values as text. */
export function normaliseFields(fields: AnyFields): HeaderFields {
  const normal: Record<string, string | readonly string[]> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (value !== undefined) {
      normal[name.toLowerCase()] = Array.isArray(value) ? value.map(String) : String(value);
    }
  }
  return normal;
}

/** A field as one text. */
export function fieldOf(fields: HeaderFields, name: string): string | undefined {
  const value = fields[name];
  return typeof value === 'object' ? value.join(', ') : value;
}

/** The items of a list such as `Vary` or `Cache-Control`, in lower case. */
export function itemsOf(list: string | undefined): string[] {
  return (list ?? '')
    .split(',')
    .map(item => item.trim().toLowerCase())
    .filter(item => item !== '');
}

/** Fields about the connection and not the response (RFC 9110, 7.6.1), or set for each response. */
const OF_THE_CONNECTION = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'transfer-encoding',
  'upgrade',
  'content-length',
]);

/** The changes of a handler to the fields of a response. */
export interface FieldChanges {
  /** set by the handler, replacing earlier values */
  readonly set: HeaderFields;
  /** added by the handler to earlier values */
  readonly appended: HeaderFields;
  readonly removed: readonly string[];
}

/**
 * The changes that a handler made. Fields that it has not changed may concern one request (its id, its rights); the
 * middleware that sets them does so for each request.
 */
export function changesOf(before: HeaderFields, after: HeaderFields): FieldChanges {
  const hidden = new Set([...OF_THE_CONNECTION, ...itemsOf(fieldOf(after, 'connection'))]);
  const set: Record<string, string | readonly string[]> = {};
  const appended: Record<string, string | readonly string[]> = {};
  for (const [name, value] of Object.entries(after)) {
    if (hidden.has(name) || isSame(before[name], value)) {
      continue;
    }
    const rest = name === 'vary' ? newItems(before, after) : restOf(before[name], value);
    if (rest === undefined) {
      set[name] = value;
    } else {
      appended[name] = rest;
    }
  }
  const removed = Object.keys(before).filter(name => after[name] === undefined && !hidden.has(name));
  return { set, appended, removed };
}

/** Applies the changes of a handler to the fields of another response. */
export function applyChanges(present: HeaderFields, { set, appended, removed }: FieldChanges): HeaderFields {
  const fields: Record<string, string | readonly string[]> = { ...present, ...set };
  for (const name of removed) {
    delete fields[name];
  }
  for (const [name, rest] of Object.entries(appended)) {
    fields[name] =
      name === 'vary' ? union(fieldOf(present, name), fieldOf(appended, name)) : joined(present[name], rest);
  }
  return fields;
}

/** A list with the items of another that are not in it. */
export function union(...lists: readonly (string | undefined)[]): string {
  return [...new Set(lists.flatMap(itemsOf))].join(', ');
}

function newItems(before: HeaderFields, after: HeaderFields): string {
  const known = itemsOf(fieldOf(before, 'vary'));
  return itemsOf(fieldOf(after, 'vary'))
    .filter(item => !known.includes(item))
    .join(', ');
}

/** What follows the old value in the new one; `undefined` if the new one does not begin with the old one. */
function restOf(
  before: string | readonly string[] | undefined,
  after: string | readonly string[],
): string | readonly string[] | undefined {
  if (before === undefined) {
    return undefined;
  }
  if (typeof after === 'string') {
    return typeof before === 'string' && after.startsWith(`${before}, `)
      ? after.slice(before.length + 2)
      : undefined;
  }
  const old = [before].flat();
  return old.every((value, i) => after[i] === value) ? after.slice(old.length) : undefined;
}

function joined(
  present: string | readonly string[] | undefined,
  rest: string | readonly string[],
): string | readonly string[] {
  if (present === undefined) {
    return rest;
  }
  return typeof present === 'string' && typeof rest === 'string'
    ? `${present}, ${rest}`
    : [present, rest].flat();
}

function isSame(a: string | readonly string[] | undefined, b: string | readonly string[]): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** Fields about the bytes of a body. */
const OF_THE_REPRESENTATION = [
  'content-type',
  'content-length',
  'content-encoding',
  'content-language',
  'content-location',
  'etag',
  'last-modified',
  'transfer-encoding',
];

/** The fields of a response, with the fields about the body from the stored response. */
export function ofThisBody(fields: HeaderFields, kept: HeaderFields): HeaderFields {
  const isOfTheBody = ([name]: readonly [string, unknown]) => OF_THE_REPRESENTATION.includes(name);
  return Object.fromEntries([
    ...Object.entries(fields).filter(field => !isOfTheBody(field)),
    ...Object.entries(kept).filter(isOfTheBody),
  ]);
}
