import type { HeaderFields } from './answer.js';

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

/** About one connection and not about the answer (RFC 9110, 7.6.1), or made anew each time. */
const OF_THE_CONNECTION = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authenticate',
  'proxy-authentication-info',
  'proxy-authorization',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'content-length',
  'date',
  'age',
]);

/**
 * What a view adds to the fields that were there before it ran. Those are about this request (its id, its rights, its
 * cookies), and whoever set them sets them for the next one as well.
 */
export function addedFields(before: HeaderFields, after: HeaderFields): HeaderFields {
  const named = itemsOf(fieldOf(after, 'connection'));
  const added: Record<string, string | readonly string[]> = {};
  for (const [name, value] of Object.entries(after)) {
    if (OF_THE_CONNECTION.has(name) || named.includes(name) || isSame(before[name], value)) {
      continue;
    }
    added[name] = name === 'vary' ? addedItems(before, after) : value;
  }
  return added;
}

/** The fields of an answer, on top of those that are there already. */
export function mergeFields(present: HeaderFields, added: HeaderFields): HeaderFields {
  const vary = [...new Set([...itemsOf(fieldOf(present, 'vary')), ...itemsOf(fieldOf(added, 'vary'))])];
  return { ...present, ...added, ...(vary.length > 0 && { vary: vary.join(', ') }) };
}

function addedItems(before: HeaderFields, after: HeaderFields): string {
  const known = itemsOf(fieldOf(before, 'vary'));
  return itemsOf(fieldOf(after, 'vary'))
    .filter(item => !known.includes(item))
    .join(', ');
}

function isSame(a: string | readonly string[] | undefined, b: string | readonly string[]): boolean {
  return String(a) === String(b) && typeof a === typeof b;
}
