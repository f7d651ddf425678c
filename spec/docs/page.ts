/** A file that a page shows. */
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

/** A block of TypeScript, which runs by itself. */
export interface PageProgram extends PageFile {
  /** what the block says that has to come true, as `file:line` */
  readonly claims: readonly string[];
  /** run after the program, on its database */
  readonly commands: readonly PageCommand[];
}

export interface Page {
  readonly programs: readonly PageProgram[];
  /** other files that programs read */
  readonly files: readonly PageFile[];
  /** lines of blocks of shell commands */
  readonly shell: readonly string[];
}

interface Block {
  readonly language: string;
  /** the file that it is */
  readonly name: string | undefined;
  /** number of its first line; the first of the page is 1 */
  readonly line: number;
  readonly lines: readonly string[];
}

/**
 * The blocks of a page. A reader can take each of them as it stands:
 *
 * - Each block ```` ```ts ```` is a program. It shares no name with other blocks and starts with an empty database. It
 *   imports packages, `./orm.js` of the page "Getting started", or files that the same page shows: ```` ```ts app.ts ````.
 *   Nothing is hidden from the reader. An ORM or a server that is left open does not keep it from ending here.
 * - `find(…); // from the cache` and `// from the database` are claims, and so is `console.log(…); // what it prints`.
 * - In a block ```` ```console ````, `$ npx mikro-orm-cacheops …` is run after the program above it, on its database,
 *   and prints what comes below it; `…` stands for anything.
 * - Blocks of other languages with a name are files which a program of the page reads.
 * - Blocks ```` ```sh ```` are not run: the names of packages and scripts in them are checked. Blocks ```` ```mermaid ````
 *   are for reading.
 *
 * Lines keep their numbers, so that complaints name those of the page.
 *
 * @throws Error if there is a block that would not be checked
 */
export function readPage(markdown: string): Page {
  const programs: (PageProgram & { readonly commands: PageCommand[] })[] = [];
  const files: PageFile[] = [];
  const shell: string[] = [];
  for (const { language, name, line, lines } of blocksOf(markdown)) {
    if (language === 'ts') {
      const file = name ?? `line-${line - 1}.ts`;
      const claims: string[] = [];
      const text = lines.map((each, i) => checked(each, `${file}:${line + i}`, claims));
      const before = '\n'.repeat(line - 2); // the fence's own line is the prologue
      programs.push({
        name: file,
        text: `${before}import * as $page from 'claims';\n${text.join('\n')}\n$page.end('${file}');\n`,
        claims,
        commands: [],
      });
    } else if (language === 'console') {
      const program = programs.at(-1);
      if (!program) {
        throw new Error(`line ${line}: commands without a program above them`);
      }
      program.commands.push(...commandsOf(line, lines));
    } else if (language === 'sh') {
      shell.push(...lines);
    } else if (name !== undefined) {
      files.push({ name, text: `${lines.join('\n')}\n` });
    } else if (language !== 'mermaid') {
      throw new Error(`line ${line}: this block of '${language}' is not checked: give it the name of a file`);
    }
  }
  return { programs, files, shell };
}

function blocksOf(markdown: string): Block[] {
  const blocks: Block[] = [];
  const lines = markdown.split('\n');
  for (let i = 0; i < lines.length; i++) {
    if (!lines[i]!.trimStart().startsWith('```')) {
      continue;
    }
    const [, language, name] = /^```(\w+)(?: (\S+))?$/.exec(lines[i]!) ?? [];
    if (!language) {
      throw new Error(`line ${i + 1}: a block without a language, or within a list: ${lines[i]}`);
    }
    const end = lines.indexOf('```', i + 1);
    if (end < 0) {
      throw new Error(`line ${i + 1}: a block without an end`);
    }
    blocks.push({ language, name, line: i + 2, lines: lines.slice(i + 1, end) });
    i = end;
  }
  return blocks;
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
