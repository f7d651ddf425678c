import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { stripVTControlCharacters } from 'node:util';
import { MikroORM } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import { Redis } from 'ioredis';
import { postgresUrl, redisUrl } from './support/servers.js';

const DIST = join(import.meta.dirname, '..');
const MAIN = join(DIST, 'demo', 'main.js');

describe('the demo', function () {
  this.timeout(300_000);

  describe('without servers', () => {
    let run: Run;

    before(async () => {
      run = await runDemo();
    });

    it('ends by itself, and all of its checks succeed', () => {
      expect(run.errors).to.equal('');
      expect(run.code).to.equal(0);
      expect(run.lines.at(-1)).to.equal(
        'Each of the 36 results was dropped if its answer had changed, and kept if the write did not affect it.',
      );
    });

    it('prints plain text of a moderate length if the output is no terminal', () => {
      expect(run.output).to.equal(stripVTControlCharacters(run.output));
      expect(run.lines).to.have.length.at.most(80);
    });

    it('shows that the database answers first, and then the cache', () => {
      const questions = run.lines.filter(line => line.includes('then'));
      expect(questions).to.have.length(6);
      for (const line of questions) {
        expect(line).to.match(/ database +[\d.]+ ms, then cache +[\d.]+ ms$/);
      }
    });

    it('shows which results each write invalidates', () => {
      expect(verdicts(run.lines, 'dropped')).to.deep.equal({
        'Lyon grows (1 row of city updated)': [
          '5 largest cities of France: city(country=FR) ← Lyon changed',
          'the city with the key of Lyon: city(id=2996944) ← Lyon changed',
        ],
        'Nice moves to Monaco (1 row of city updated)': [
          '5 largest cities of France: city(country=FR) ← Nice left',
          'number of cities of Monaco: city(country=MC; membership) ← Nice came',
        ],
        'Cities of Japan grow (13 rows of city updated)': [
          '5 largest cities of Japan: city(country=JP) ← Tokyo and 12 more changed',
        ],
        'France is renamed (1 row of country updated)': [
          '5 largest cities of France: country(code=FR) ← France changed',
        ],
        'Camelot is founded (1 row of city inserted)': [
          'cities named Camelot: city(name=Camelot) ← Camelot came',
        ],
        'Paris moves to Monaco, rolled back (nothing changed)': [],
      });
    });

    it('shows which results stay, and their dependencies', () => {
      expect(verdicts(run.lines, 'kept')['Lyon grows (1 row of city updated)']).to.deep.equal([
        '5 largest cities of Japan: city(country=JP), country(code=JP)',
        'number of cities of Monaco: city(country=MC; membership)',
        '3 largest capitals of Oceania: city(capital=true), country(continent=Oceania)',
        'cities named Camelot: city(name=Camelot)',
      ]);
    });
  });

  it('fails if a result is stale', async () => {
    const store = pathToFileURL(join(DIST, 'lib', 'store', 'memory', 'memory_store.js'));
    const deaf = `import { MemoryStore } from '${store}'; MemoryStore.prototype.mark = async () => {};`;
    const { code, errors } = await runDemo({}, [
      '--import',
      `data:text/javascript,${encodeURIComponent(deaf)}`,
    ]);
    expect(code).to.equal(1);
    expect(errors).to.include('5 largest cities of France, from the cache: ');
  });

  it('fails if Redis cannot be reached', async () => {
    const { code, errors } = await runDemo({ REDIS_URL: 'redis://127.0.0.1:1' });
    expect(code).to.equal(1);
    expect(errors).to.include('ECONNREFUSED');
  });

  describe('on servers', () => {
    let run: Run;

    before(async () => {
      run = await runDemo({
        DATABASE_URL: await postgresUrl(),
        REDIS_URL: await redisUrl(),
        FORCE_COLOR: '1',
      });
    });

    it('prints and checks the same', () => {
      expect(run.errors).to.equal('');
      expect(run.code).to.equal(0);
      expect(run.lines[0]).to.match(/ in PostgreSQL, .* cached in Redis\.$/);
      expect(run.lines.at(-1)).to.include('Each of the 36 results was dropped if its answer had changed');
    });

    it('prints in colour on request', () => {
      expect(run.output).not.to.equal(stripVTControlCharacters(run.output));
    });

    it('leaves no database and no keys behind', async () => {
      const orm = await MikroORM.init({
        clientUrl: await postgresUrl(),
        entities: [],
        discovery: { warnWhenNoEntities: false },
      });
      const databases = await orm.em.execute("select from pg_database where datname like 'cacheops_demo_%'");
      await orm.close();
      const redis = new Redis(await redisUrl());
      const keys = await redis.keys('cacheops_demo_*');
      redis.disconnect();
      expect(databases).to.have.length(0);
      expect(keys).to.have.length(0);
    });
  });
});

interface Run {
  readonly code: number;
  readonly output: string;
  readonly lines: readonly string[];
  readonly errors: string;
}

/** @param env besides ours, less what would send it to servers or decide about colours */
function runDemo(env: NodeJS.ProcessEnv = {}, options: readonly string[] = []): Promise<Run> {
  const { DATABASE_URL, REDIS_URL, FORCE_COLOR, NO_COLOR, ...ours } = process.env;
  return new Promise(resolve => {
    execFile(process.execPath, [...options, MAIN], { env: { ...ours, ...env } }, (error, output, errors) =>
      resolve({ code: Number(error?.code ?? 0), output, lines: output.trimEnd().split('\n'), errors }),
    );
  });
}

/** By write, the questions with such a verdict, and why. */
function verdicts(lines: readonly string[], verdict: 'dropped' | 'kept'): Record<string, string[]> {
  const found: Record<string, string[]> = {};
  let write = '';
  for (const line of lines) {
    const [, heading] = /^(\S.* \(.*(?:ed)\)) {2}/.exec(line) ?? [];
    if (heading) {
      write = heading;
      found[write] = [];
    }
    const [, question, why] =
      new RegExp(`^ +${verdict} +(.*?) +(?:cache|database) +\\S+ ms +(.*)$`).exec(line) ?? [];
    if (question) {
      found[write]!.push(`${question}: ${why}`);
    }
  }
  return found;
}
