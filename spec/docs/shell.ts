import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const ROOT = join(import.meta.dirname, '..', '..', '..');
const { name, peerDependencies, devDependencies, scripts } = JSON.parse(
  readFileSync(join(ROOT, 'package.json'), 'utf8'),
);
/** What readers run the examples with. */
const TOOLS = { tsx: '*' };
const packages: Readonly<Record<string, string>> = {
  ...devDependencies,
  ...peerDependencies,
  ...TOOLS,
  [name]: '*',
};

/**
 * What is wrong with lines of shell that a page shows. They are `npm install` with packages that the specs use, `npm run`
 * with scripts of this project, and `npx` with its program; everything else is a complaint, because nothing checks it.
 */
export function complaintsAboutShell(lines: readonly string[]): string[] {
  return lines.flatMap(line => {
    const [program, ...args] = line.replace(/ #.*/, '').trim().split(/\s+/);
    const words = args.filter(arg => !arg.startsWith('-'));
    if (program === 'npm' && words[0] === 'install') {
      return words
        .slice(1)
        .filter(word => !isKnown(word))
        .map(word => `${line}: ${word} is no package of the specs`);
    }
    if (line === 'npm pkg set type=module') {
      return [];
    }
    const isRun = program === 'npm' && (words[0] === 'start' || (words[0] === 'run' && words[1]! in scripts));
    return isRun || (program === 'npx' && words[0] === name) ? [] : [`${line}: nothing checks this`];
  });
}

/** A version, if one is named, must be the one that the specs install. */
function isKnown(word: string): boolean {
  const [, of, version] = /^(@?[^@]+)(?:@(.+))?$/.exec(word) ?? [];
  return of! in packages && (version === undefined || devDependencies[of!] === version);
}
