import { inspect } from 'node:util';
import { Slug } from '../../../fixtures/legacy/slug.js';
import type { History, Step } from './history.js';
import { vary } from './vary.js';

/** A history with one line for each step. */
export function describeHistory({ steps, queries }: History): string {
  return steps.map((step, i) => `${String(i + 1).padStart(4)}. ${describeStep(step, queries)}`).join('\n');
}

export function describeStep(step: Step, queries: History['queries']): string {
  switch (step.kind) {
    case 'read':
      return `${step.session}: read with ${step.em === 'own' ? 'its own' : 'a fresh'} EntityManager ${brief(vary(queries[step.query]!, step.variant))}`;
    case 'slow reader':
      return `${step.session}: a slow reader takes a lease ${brief(queries[step.query])}`;
    case 'write':
      return `${step.session}: ${brief(step.write)}`;
    case 'open':
      return `${step.session}: open ${step.how} ${step.isolation ?? ''}`;
    case 'close':
      return `${step.session}: ${step.outcome}`;
    case 'prepare':
      return `${step.session}: prepare the transaction`;
    case 'decide':
      return `${step.session ?? 'another program'}: ${step.outcome} prepared transaction ${step.pick}`;
    case 'setting':
      return `${step.session}: ${step.how} ${step.setting.name} = ${step.setting.value}`;
    case 'reconnect':
      return `${step.session}: reconnect with ${brief(step.settings)}`;
    case 'zone':
      return `the process's time zone is ${step.zone}`;
    case 'hold':
      return `hold ${step.what}`;
    case 'evict':
      return `evict ${step.keys}`;
    default:
      return step.kind;
  }
}

/** A value on one line. */
export function brief(value: unknown): string {
  const text = inspect(spellOut(value), { depth: 20, breakLength: Number.POSITIVE_INFINITY, compact: true });
  return text.replaceAll('\n', ' ');
}

function spellOut(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.map(spellOut);
  }
  if (value instanceof Slug) {
    return `Slug ${value}`;
  }
  const isPlain =
    typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
  return isPlain
    ? Object.fromEntries(Object.entries(value).map(([key, item]) => [key, spellOut(item)]))
    : value;
}
