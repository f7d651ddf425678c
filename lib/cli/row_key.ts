import type { EntityMetadata, EntityProperty } from '@mikro-orm/core';
import { UsageError } from './usage.js';

/**
 * The condition for a primary key that is given as text: `34`, `34,de`, `[34,"de"]` or `{"article":34,"locale":"de"}`.
 *
 * @throws UsageError if it cannot be a key of the entity
 */
export function rowCondition(meta: EntityMetadata, text: string): Record<string, unknown> {
  const props = meta.getPrimaryProps();
  const parts = partsOf(text, props);
  if (parts.length !== props.length) {
    const names = props.map(({ name }) => name).join(', ');
    throw new UsageError(
      `${meta.className}.${text}: the key is ${names}, in this order, with commas in between; or as JSON.`,
    );
  }
  return Object.fromEntries(
    props.map((prop, i) => [prop.name, keyValue(prop, parts[i], `${meta.className}.${text}`)]),
  );
}

function partsOf(text: string, props: readonly EntityProperty[]): unknown[] {
  if (/^[[{]/.test(text)) {
    const json = parseJson(text, 'the key');
    return Array.isArray(json) ? json : props.map(({ name }) => (json as Record<string, unknown>)[name]);
  }
  return props.length > 1 ? text.split(',') : [text];
}

function keyValue(prop: EntityProperty, part: unknown, where: string): unknown {
  if (part === undefined) {
    throw new UsageError(`${where}: '${prop.name}' is missing.`);
  }
  const [target] = prop.targetMeta?.getPrimaryProps() ?? [];
  if (target) {
    return keyValue(target, part, where);
  }
  if (typeof part !== 'string') {
    return part;
  }
  switch (prop.runtimeType) {
    case 'number': {
      const number = Number(part);
      if (part.trim() === '' || !Number.isFinite(number)) {
        throw new UsageError(`${where}: '${prop.name}' is a number; '${part}' is not.`);
      }
      return number;
    }
    case 'Date': {
      const date = new Date(part);
      if (Number.isNaN(date.getTime())) {
        throw new UsageError(`${where}: '${prop.name}' is a date; '${part}' is not.`);
      }
      return date;
    }
    default:
      return part;
  }
}

/** @throws UsageError */
export function parseJson(text: string, what: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UsageError(`${what}: ${text} is not JSON (${(error as Error).message}).`);
  }
}
