#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { didYouMean } from '../config/nearest.js';
import { cleanFiles } from './clean_files.js';
import { explain } from './explain.js';
import { invalidate } from './invalidate.js';
import { Output } from './output.js';
import { openProject, type Project } from './project.js';
import { stats } from './stats.js';
import { USAGE, UsageError } from './usage.js';

const OPTIONS = {
  config: { type: 'string', short: 'c' },
  context: { type: 'string' },
  json: { type: 'boolean' },
  yes: { type: 'boolean', short: 'y' },
  op: { type: 'string' },
  options: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean', short: 'v' },
} as const;

type Values = ReturnType<typeof parse>['values'];
/** @returns false for exit code 1 */
type Command = (
  project: Project,
  words: readonly string[],
  values: Values,
  output: Output,
) => Promise<boolean>;

const COMMANDS: Readonly<Record<string, Command>> = {
  invalidate: (project, words, { yes = false }, output) => invalidate(project, words, yes, output),
  async stats(project, words, _values, output) {
    if (words.length > 0) {
      throw new UsageError(`stats takes no arguments: ${words.join(' ')}.`);
    }
    await stats(project, output);
    return true;
  },
  async explain(project, words, values, output) {
    await explain(project, words, values, output);
    return true;
  },
};

/** Commands that need no project. */
const ALONE: Readonly<Record<string, (words: readonly string[], output: Output) => Promise<boolean>>> = {
  'clean-files': cleanFiles,
};
const NAMES = [...Object.keys(COMMANDS), ...Object.keys(ALONE)];

const output = new Output(process.argv.includes('--json'));
try {
  process.exitCode = (await main()) ? 0 : 1;
} catch (error) {
  const isUsage = error instanceof UsageError;
  output.error(error instanceof Error ? error.message : String(error));
  if (isUsage) {
    output.note('See mikro-orm-cacheops --help.');
  }
  process.exitCode = isUsage ? 2 : 1;
}

async function main(): Promise<boolean> {
  const { values, positionals } = parse();
  const [name, ...words] = positionals;
  if (values.version) {
    const { version } = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'));
    process.stdout.write(`${version}\n`);
    return true;
  }
  if (values.help) {
    process.stdout.write(USAGE);
    return true;
  }
  if (name === undefined) {
    throw new UsageError(`Which command? ${NAMES.join(', ')}.`);
  }
  if (!NAMES.includes(name)) {
    throw new UsageError(`There is no command '${name}'.${didYouMean(name, NAMES)}`);
  }
  if (Object.hasOwn(ALONE, name)) {
    return ALONE[name]!(words, output);
  }
  await using project = await openProject({ config: values.config, context: values.context }, output);
  return await COMMANDS[name]!(project, words, values, output);
}

/** @throws UsageError */
function parse() {
  try {
    return parseArgs({ allowPositionals: true, options: OPTIONS });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}
