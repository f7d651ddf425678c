import type { Cost, Counted } from './count.js';
import { EXPECTED } from './expected.js';
import type { Traffic } from './wire.js';

/** The counts of all operations, in Markdown. */
export function report({ plain, cached }: Counted): string {
  const lines = Array.from(cached, ([operation, cost]) => {
    const { database } = plain.get(operation)!;
    return `| ${operation.name} | ${database.exchanges} | ${describe(cost)} |`;
  });
  return [
    '| operation | PostgreSQL, without the extension | with it: round trips/messages |',
    '| --- | --- | --- |',
    ...lines,
  ].join('\n');
}

/** What differs from the expectation, as lines of `expected.ts` as they would be. */
export function differences({ cached }: Counted): string[] {
  const counted = new Map(Array.from(cached, ([{ name }, cost]) => [name, describe(cost)]));
  const gone = Object.keys(EXPECTED).filter(name => !counted.has(name));
  return [
    ...Array.from(counted)
      .filter(([name, cost]) => EXPECTED[name] !== cost)
      .map(([name, cost]) => `  '${name}': '${cost}', // ${EXPECTED[name] ?? 'new'}`),
    ...gone.map(name => `  // '${name}' is gone`),
  ];
}

function describe({ database, redis, catalogs, varies }: Cost): string {
  return [
    ...(varies === 'both' ? [] : [`PostgreSQL ${countsOf(database)}`]),
    ...(varies ? [] : [`Redis ${countsOf(redis)}`]),
    ...(catalogs > 0 ? [`catalog loads ${catalogs}`] : []),
  ].join(', ');
}

/** Round trips, and messages in them. */
function countsOf({ exchanges, messages }: Traffic): string {
  return `${exchanges}/${messages.length}`;
}
