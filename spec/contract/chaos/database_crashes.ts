import { startPostgres } from '../../support/postgres.js';
import { until } from '../../support/until.js';
import { actions } from '../processes/actions.js';
import type { Audit } from '../processes/audit.js';
import { prepare } from '../processes/setting.js';
import { type Fault, Findings } from './fault.js';
import { pick, type Random } from './random.js';

const ROWS = [1, 2, 3, 4];
const PATIENCE = { timeout: 60_000, interval: 50 };

/** PostgreSQL ends while rows are written, and recovers. Writes may be lost, as is all that an unlogged table held. */
export const databaseCrashes: readonly Fault[] = [
  { name: 'PostgreSQL crashes, which empties an unlogged table', tries: { long: 20, short: 1 }, run: crash },
];

async function crash(tries: number, random: Random): Promise<Findings> {
  const findings = new Findings();
  const server = await startPostgres();
  try {
    for (let i = 0; i < tries; i++) {
      const database = server.url.replace(/postgres$/, `try_${i}`);
      await using setting = await prepare(ROWS.length, { database }, { unlogged: 'Article' });
      const [writer, reader] = await Promise.all([setting.child(), setting.child()]);
      await reader.do('audit', ROWS);
      findings.add(await reader.do<Audit>('audit', ROWS));
      const writing = ROWS.map(row =>
        writer.do('alter', pick(random, Object.keys(actions)), row).catch(() => undefined),
      );
      await Promise.race(writing);
      await server.crash();
      await Promise.all(writing);
      await server.restart();
      for (const child of [reader, writer, reader]) {
        // the first queries meet connections that have ended
        const audit = () => child.do<Audit>('audit', ROWS).catch(() => undefined);
        findings.add((await until(audit, PATIENCE))!, true);
      }
      findings.tries++;
    }
  } finally {
    await server.stop();
  }
  return findings;
}
