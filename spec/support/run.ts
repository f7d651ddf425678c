import { fork } from 'node:child_process';
import { once } from 'node:events';
import { globSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { dirname, join, matchesGlob, posix, relative, sep } from 'node:path';
import { atExit } from './at_exit.js';
import { describeOutcome, type Outcome } from './reporter.js';
import { SEED } from './seed.js';

/**
 * Runs specs in several processes of Mocha, each with its own servers:
 *
 * node dist/spec/support/run.js [<file, folder or glob below spec>…] [<option of Mocha>…]
 *
 * Each process takes the files of one folder. Its output is printed when it has ended; failures come last.
 */

const SPECS = join(import.meta.dirname, '..');
const MOCHA = join(SPECS, '..', '..', 'node_modules', 'mocha', 'bin', 'mocha.js');

/** Folders of long specs, each with a process of its own. */
const LONG = ['contract'];

/** Files for one process. */
interface Batch {
  readonly folder: string;
  readonly name: string;
  readonly files: string[];
  /** size of the files, as an estimate of their duration */
  bytes: number;
}

interface Result extends Outcome {
  readonly batch: Batch;
  readonly seconds: number;
  readonly failed: boolean;
  readonly output: string;
}

const words = process.argv.slice(2);
const firstOption = words.findIndex(word => word.startsWith('-'));
const [patterns, options] =
  firstOption < 0 ? [words, []] : [words.slice(0, firstOption), words.slice(firstOption)];
const batches = batchesOf(specFiles(patterns));
if (batches.length === 0) {
  console.error(`No specs: ${patterns.join(' ')}`);
  process.exit(2);
}
// processes that share servers would disturb each other
const isShared = Boolean(process.env.DATABASE_URL || process.env.REDIS_URL);
const lanes = isShared ? 1 : Math.min(Math.max(availableParallelism(), 2), 4, batches.length);

const began = performance.now();
const results: Result[] = [];
await Promise.all(Array.from({ length: lanes }, runSome));
report();

async function runSome(): Promise<void> {
  for (let batch = batches.shift(); batch; batch = batches.shift()) {
    const result = await run(batch);
    results.push(result);
    if (result.failed) {
      console.log(`\n${batch.name} has failed: see below.`);
    } else {
      console.log(`\n${batch.name}\n${result.output}`);
    }
  }
}

async function run(batch: Batch): Promise<Result> {
  const start = performance.now();
  const child = fork(MOCHA, [...(process.stdout.isTTY ? ['--color'] : []), ...options, ...batch.files], {
    env: { ...process.env, SEED: String(SEED) },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const forget = atExit(() => child.kill());
  const output: Buffer[] = [];
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.on('data', chunk => output.push(chunk));
  }
  let outcome: Outcome | undefined;
  child.once('message', message => {
    outcome = message as Outcome;
  });
  const [code, signal] = await once(child, 'close');
  forget();
  if (!outcome) {
    output.push(Buffer.from(`The process ended by ${signal ?? code} before its last test.\n`));
  }
  return {
    ...(outcome ?? { passes: 0, failures: 1 }),
    batch,
    seconds: (performance.now() - start) / 1000,
    failed: code !== 0 || !outcome,
    output: Buffer.concat(output).toString(),
  };
}

function report(): void {
  const bad = results.filter(({ failed }) => failed);
  for (const { batch, output } of bad) {
    console.log(`\n${batch.name}\n${output}`);
  }
  console.log('\n  seconds  tests  folder');
  for (const [folder, ran] of Map.groupBy(results, ({ batch }) => batch.folder)) {
    const seconds = sum(ran.map(result => result.seconds)).toFixed(1);
    const tests = sum(ran.map(({ passes, failures }) => passes + failures));
    console.log(`${seconds.padStart(9)}  ${String(tests).padStart(5)}  ${folder}`);
  }
  const all = ((performance.now() - began) / 1000).toFixed(1);
  console.log(`${all.padStart(9)}         in all, in ${lanes} processes at a time, with SEED=${SEED}`);
  if (bad.length > 0) {
    console.log(`\nFailed: ${bad.map(({ batch }) => batch.name).join(', ')}`);
  }
  console.log();
  console.log(
    describeOutcome({
      passes: sum(results.map(({ passes }) => passes)),
      failures: sum(results.map(({ failures }) => failures)),
    }),
  );
  process.exitCode = bad.length > 0 ? 1 : 0;
}

/** The spec files below this folder that match. */
function specFiles(patterns: readonly string[]): string[] {
  const all = globSync('**/*.spec.js', { cwd: SPECS }).map(file => file.split(sep).join('/'));
  const globs = patterns.map(globOf);
  return globs.length === 0 ? all : all.filter(file => globs.some(glob => isIn(glob, file)));
}

function isIn(glob: string, file: string): boolean {
  return [glob, `${glob}.spec.js`, `${glob}/**`].some(each => matchesGlob(file, each));
}

/** spec/orm/pages.spec.ts, dist/spec/orm/pages.spec.js and orm/pages are the same. */
function globOf(pattern: string): string {
  return posix
    .normalize(relative('.', pattern).split(sep).join('/'))
    .replace(/^(dist\/)?spec(\/|$)/, '')
    .replace(/\.ts$/, '.js');
}

/** The longest batches come first. */
function batchesOf(files: readonly string[]): Batch[] {
  const batches = new Map<string, Batch>();
  for (const file of files) {
    const folder = dirname(file);
    const name = LONG.includes(folder) ? file : folder;
    const batch = batches.get(name) ?? {
      folder: join('spec', folder),
      name: join('spec', name),
      files: [],
      bytes: 0,
    };
    batches.set(name, batch);
    batch.files.push(join(SPECS, file));
    batch.bytes += statSync(join(SPECS, file)).size + (LONG.includes(folder) ? 2 ** 30 : 0);
  }
  return [...batches.values()].sort((a, b) => b.bytes - a.bytes);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
