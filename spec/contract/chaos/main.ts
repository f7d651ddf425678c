import { parseArgs } from 'node:util';
import { stopServers } from '../../support/servers.js';
import { RULES, type Rule } from './broken.js';
import type { Fault, Findings } from './fault.js';
import { faults } from './faults.js';
import { randomFrom } from './random.js';
import { head, row } from './table.js';

/**
 * Disturbs real processes, networks and servers in every known way, and counts the stale reads.
 *
 * npm run chaos [-- [--seed <number>] [--tries <share>] [--break <rule>] [word…]]
 *
 * Words select the faults with one of them in their name. A rule of `broken.ts` selects the faults that need it: the
 * run then fails unless an invalidation is lost. The seed decides which fault hits which process; the timing of other
 * processes is not reproducible.
 */

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seed: { type: 'string' }, tries: { type: 'string', default: '1' }, break: { type: 'string' } },
});
const seed = Number(values.seed ?? Math.floor(Math.random() * 2 ** 31));
const share = Number(values.tries);
if (!Number.isInteger(seed) || !(share > 0)) {
  console.error('--seed is a whole number, and --tries a factor above 0.');
  process.exit(2);
}
const broken = values.break as Rule | undefined;
if (broken !== undefined && !Object.hasOwn(RULES, broken)) {
  console.error(`--break takes a rule: ${Object.keys(RULES).join(', ')}.`);
  process.exit(2);
}
const chosen = faults.filter(
  ({ name, breakable }) =>
    (positionals.length === 0 || positionals.some(word => name.includes(word))) &&
    (!broken || breakable?.includes(broken)),
);

let wrong = 0;
let lost = 0;
process.on('unhandledRejection', error => {
  wrong++;
  console.error('Unhandled rejection:', error);
});
try {
  console.log(`seed ${seed}\n\n${head()}`);
  for (const fault of chosen) {
    const findings = await inflict(fault);
    console.log(row(fault.name, findings));
    const { bound = Number.POSITIVE_INFINITY } = fault;
    const faults = [...findings.stale, ...findings.lost, ...findings.broken];
    if (findings.slowest > bound) {
      faults.push(`a read took ${Math.ceil(findings.slowest)} ms, more than ${bound}`);
    }
    wrong += faults.length;
    lost += findings.lost.length;
    for (const what of [...faults.slice(0, 20), ...findings.notes]) {
      console.error(`  ${what}`);
    }
  }
} finally {
  await stopServers();
}
process.exitCode = (broken ? lost === 0 : wrong > 0) ? 1 : 0;

async function inflict({ name, tries, run }: Fault): Promise<Findings> {
  try {
    return await run(Math.ceil(tries.long * share), randomFrom(seed), broken);
  } catch (error) {
    throw new Error(`"${name}" with seed ${seed}`, { cause: error });
  }
}
