import { nearest } from '../config/nearest.js';
import { type EntityNames, parseKey, qualifiedNames } from '../config/pattern.js';
import { UsageError } from './usage.js';

/** What to invalidate. */
export type Target =
  | { readonly kind: 'all' }
  /** by class name; at least one */
  | { readonly kind: 'entities'; readonly names: readonly string[] }
  | { readonly kind: 'row'; readonly name: string; readonly key: string };

/**
 * Parses `all`, `Article`, `blog.Article`, `blog.article`, a pattern of these, or one of these with a key:
 * `Article.34`.
 *
 * @throws UsageError if there is no such entity
 */
export function parseTarget(text: string, entities: readonly EntityNames[]): Target {
  if (text === 'all') {
    return { kind: 'all' };
  }
  const pattern = parseKey(text);
  const names = entities.filter(pattern.matches).map(({ className }) => className);
  if (names.length > 0) {
    return { kind: 'entities', names };
  }
  const row = pattern.exact ? rowOf(text, entities) : undefined;
  if (row) {
    return row;
  }
  throw new UsageError(`${text}: no entity has such a name.${hint(text, entities)}`);
}

/** @throws UsageError if there is no such entity */
export function entityNamed(text: string, entities: readonly EntityNames[]): string {
  const target = parseTarget(text, entities);
  if (target.kind !== 'entities' || target.names.length !== 1) {
    throw new UsageError(`${text}: give the name of one entity.`);
  }
  return target.names[0]!;
}

/** Uses the longest name that the text begins with, because a schema may have the name of an entity. */
function rowOf(text: string, entities: readonly EntityNames[]): Target | undefined {
  const candidates = entities.flatMap(entity =>
    [entity.className, ...qualifiedNames(entity)].map(name => ({ name, className: entity.className })),
  );
  const [found] = candidates
    .filter(({ name }) => text.startsWith(`${name}.`) && text.length > name.length + 1)
    .sort((a, b) => b.name.length - a.name.length);
  return found && { kind: 'row', name: found.className, key: text.slice(found.name.length + 1) };
}

function hint(text: string, entities: readonly EntityNames[]): string {
  const names = entities.map(({ className }) => className);
  const [first = ''] = text.split('.');
  const meant = nearest(text, names) ?? nearest(first, names);
  if (meant === undefined) {
    return ` There are ${names.sort().join(', ')}.`;
  }
  const whole =
    text !== first && nearest(text, names) === undefined ? meant + text.slice(first.length) : meant;
  return ` Did you mean '${whole}'?`;
}
