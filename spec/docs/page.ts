/** A file that a page shows, or the program that its blocks make. */
export interface PageFile {
  readonly name: string;
  readonly text: string;
}

/** A command that a page shows, with what it is said to print. */
export interface PageCommand {
  readonly line: number;
  readonly command: string;
  readonly output: string;
}

export interface Page {
  readonly files: readonly PageFile[];
  readonly commands: readonly PageCommand[];
  /** what the page says that has to come true, as `file:line` */
  readonly claims: readonly string[];
}

/** What the blocks of a page that name no file are the program of. */
export const MAIN = 'main.ts';

interface Block {
  readonly language: string;
  /** the file that it belongs to */
  readonly name: string | undefined;
  /** number of its first line; the first of the page is 1 */
  readonly line: number;
  readonly lines: readonly string[];
}

/**
 * A page as a program.
 *
 * - All blocks ```` ```ts ```` of a page are one program, in their order; those with a name (```` ```ts article.ts ````)
 *   are a file of their own, which may be in several blocks as well.
 * - What readers need not see is in comments: `<!-- ts … -->`.
 * - `find(…); // from the cache` and `// from the database` are claims, and so is `console.log(…); // what it prints`.
 * - In a block ```` ```console ````, `$ npx mikro-orm-cacheops …` is run after the program has ended, and prints what
 *   comes below it; `…` stands for anything.
 * - Blocks ```` ```sh ```` and ```` ```mermaid ```` are for reading.
 *
 * Lines keep their numbers, so that complaints name those of the page.
 *
 * @throws Error if there is a block that would not be run
 */
export function readPage(markdown: string): Page {
  const texts = new Map<string, string[]>();
  const commands: PageCommand[] = [];
  const claims: string[] = [];
  for (const { language, name, line, lines } of blocksOf(markdown)) {
    if (language === 'console') {
      commands.push(...commandsOf(line, lines));
    } else if (language === 'ts') {
      const file = name ?? MAIN;
      const text = texts.get(file) ?? [loaded(file, claims)];
      texts.set(file, text);
      for (const [i, each] of lines.entries()) {
        text[line - 1 + i] = checked(each, `${file}:${line + i}`, claims);
      }
    } else if (name !== undefined) {
      texts.set(name, [...lines]);
    } else if (language !== 'sh' && language !== 'mermaid') {
      throw new Error(`line ${line}: nobody runs this block of '${language}': give it the name of a file`);
    }
  }
  const files = [...texts].map(([name, lines]) => ({
    name,
    text: `${Array.from(lines, text => text ?? '').join('\n')}\n`,
  }));
  return { files, commands, claims };
}

function blocksOf(markdown: string): Block[] {
  const blocks: Block[] = [];
  const lines = markdown.split('\n');
  for (let i = 0; i < lines.length; i++) {
    const [, fence, language, name] = /^(```|<!-- )(\w+)(?: (\S+))?$/.exec(lines[i]!) ?? [];
    if (!fence || !language) {
      if (lines[i]!.startsWith('```')) {
        throw new Error(`line ${i + 1}: a block without a language: ${lines[i]}`);
      }
      continue;
    }
    const end = lines.indexOf(fence === '```' ? '```' : '-->', i + 1);
    if (end < 0) {
      throw new Error(`line ${i + 1}: a block without an end`);
    }
    blocks.push({ language, name, line: i + 2, lines: lines.slice(i + 1, end) });
    i = end;
  }
  return blocks;
}

/** That a file is used at all is a claim, too. */
function loaded(file: string, claims: string[]): string {
  const claim = `${file}:1`;
  claims.push(claim);
  return `import * as $page from 'claims'; import { watch } from 'claims'; $page.kept('${claim}');`;
}

/** A line that checks what it says. */
function checked(line: string, claim: string, claims: string[]): string {
  const [, printing, text] = /^(\s*console\.log\(.*\)); \/\/ (.*)$/.exec(line) ?? [];
  if (printing && text) {
    claims.push(claim);
    return `${printing.replace('console.log(', `$$page.printed('${claim}', ${JSON.stringify(text)}, `)};`;
  }
  const [, statement, source] = /^(.*;) \/\/ from the (cache|database)\b/.exec(line) ?? [];
  if (statement && source) {
    claims.push(claim);
    return `${statement} await $page.answeredFrom('${claim}', '${source}');`;
  }
  // a machine with much else to do is not to be taken for an outage of the store
  return line.replace('redis: process.env.REDIS_URL', '$&, storeTimeout: 10_000');
}

function commandsOf(line: number, lines: readonly string[]): PageCommand[] {
  const commands: PageCommand[] = [];
  for (const [i, text] of lines.entries()) {
    const last = commands.at(-1);
    if (text.startsWith('$ ')) {
      commands.push({ line: line + i, command: text.slice(2), output: '' });
    } else if (last) {
      commands[commands.length - 1] = { ...last, output: `${last.output}${text}\n` };
    } else {
      throw new Error(`line ${line}: output of no command`);
    }
  }
  return commands;
}
