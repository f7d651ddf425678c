import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const LIB = join(import.meta.dirname, '..', '..', '..', 'lib');

/** Where a file decides that a result is not read from the cache, or not stored. */
const DECIDES = /\breason\b|[oO]bstacle|\bwhyNot|\bveto\b|\bunfollowed\b/;

/** Files of these deal with texts for other readers: the command line, names of metrics and patches, tests of users. */
const OTHERS = /^(?:cli|store|integrations\/(?!views)|install\.ts|testing\.ts|orm\/context\/patches\.ts)/;

/** Phrases that are no reason: parts of keys, of SQL and of messages. */
const NO_REASON =
  /^(?:A value is not stored|GET|an object of|entity|em|repository|find one|a connection|read (?:un)?committed|rollback to|select)(?: |$|: )|^[… ,]+$|^… (?:by|… … sql)|^and or |^\w+\.\w+ for /;

/**
 * The reasons in `lib` why a result is not read from the cache or not stored: all literals in the files that decide so
 * which are phrases. Placeholders are `…`.
 */
export function reasonsInLib(): string[] {
  const reasons = new Set<string>();
  for (const file of globSync('**/*.ts', { cwd: LIB }).sort()) {
    const source = readFileSync(join(LIB, file), 'utf8');
    if (DECIDES.test(source) && !OTHERS.test(file.replaceAll('\\', '/'))) {
      for (const phrase of phrasesOf(source)) {
        reasons.add(phrase);
      }
    }
  }
  return [...reasons].filter(reason => !NO_REASON.test(reason));
}

const LITERAL = /(\w*)\(?\s*(?:'((?:[^'\\\n]|\\.)*)'|`((?:[^`\\]|\\.)*)`)/g;
/** Words and placeholders. */
const PHRASE = /^[\w`….-]+,? [\w`….(),: -]+$/;

function phrasesOf(source: string): string[] {
  const code = source.replace(/\/\*[\s\S]*?\*\/|(?<=^|\s)\/\/.*$/gm, '');
  return [...code.matchAll(LITERAL)]
    .filter(([, before]) => !/Error|words|patch|tagged/.test(before!))
    .map(([, , quoted, template]) => (quoted ?? template!).replace(/\$\{[^}]*\}/g, '…'))
    .filter(text => PHRASE.test(text));
}
