import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { startRedis } from '../support/redis.js';
import { type Page, readPage } from './page.js';
import { makePagesProject, type PagesProject } from './project.js';
import { complaintsAboutShell } from './shell.js';

const ROOT = join(import.meta.dirname, '..', '..', '..');
const DOCS = join(ROOT, 'docs');
const read = (name: string) => readFileSync(join(DOCS, `${name}.md`), 'utf8');
const FRONT = '../README'; // of the project
/** Its programs need packages that this project lacks: `spec/packaging/recipes.spec.ts` runs them. */
const RECIPES = 'recipes';
const names = globSync('*.md', { cwd: DOCS })
  .map(file => file.replace('.md', ''))
  .filter(name => name !== 'README')
  .sort();
const pages = new Map([
  ...names.filter(name => name !== RECIPES).map(name => [name, readPage(read(name))] as const),
  ['readme', readPage(read(FRONT))] as const,
]);
const shared = pages.get('getting-started')!.programs.filter(({ name }) => name === 'orm.ts');

describe('the documentation', function () {
  this.timeout(300_000);
  let project: PagesProject;

  before(async () => {
    project = await makePagesProject(pages, shared);
  });

  after(() => project.remove());

  for (const [name, { programs, files, shell }] of pages) {
    it(`has only blocks on ${name}.md that compile, run by themselves, and do what the page says`, async () => {
      expect(project.complaints(name)).to.deep.equal([]);
      const problems: string[] = [];
      for (const program of programs) {
        // one at a time: transactions of another one on the same server would keep results from being stored
        problems.push(...(await project.run(name, program)));
      }
      expect(problems).to.deep.equal([]);
    });

    it(`names only packages and scripts on ${name}.md that exist`, () => {
      expect(complaintsAboutShell(shell)).to.deep.equal([]);
    });

    for (const { text } of files.filter(file => file.name === 'redis.conf')) {
      it(`has settings on ${name}.md that Redis accepts`, async () => {
        await using redis = await startRedis(
          text.match(/\S+/g)!.map((word, i) => (i % 2 ? word : `--${word}`)),
        );
        expect(redis.port).to.be.above(0);
      });
    }
  }

  it('begins with a page of at most 9 KB, whose links lead somewhere', () => {
    const page = read(FRONT);
    expect(Buffer.byteLength(page)).to.be.at.most(9 * 1024);
    const links = [...page.matchAll(/\]\(([\w./-]+\.md)/g)].map(([, link]) => link!);
    expect(links.filter(link => !existsSync(join(ROOT, link)))).to.deep.equal([]);
  });

  it('has a list of all pages in README.md', () => {
    const links = [...read('README').matchAll(/^- \[.*?\]\(\.?\/?([\w-]+)\.md\)/gm)].map(([, name]) => name);
    expect(links).to.have.members(names);
  });
});

describe('an error on a page', function () {
  this.timeout(300_000);
  let project: PagesProject;

  const cache = `
import { defineEntity, MikroORM, p } from '@mikro-orm/postgresql';
import { cacheops } from 'mikro-orm-cacheops';
const Tag = defineEntity({ name: 'Tag', properties: { id: p.integer().primary() } });
const orm = await MikroORM.init({
  entities: [Tag],
  clientUrl: process.env.DATABASE_URL,
  extensions: [cacheops({ defaults: { timeout: 60 }, profiles: { Tag: { ops: 'all' } } })],
});
await orm.schema.create();`;
  const pages: Record<string, { body: string; complaint: RegExp }> = {
    'that does not compile': {
      body: "```ts\nconst x: number = 'five';\n```",
      complaint: /^page-\d\/line-3\.ts\(4,7\): error TS2322/,
    },
    'that uses a name of another block': {
      body: '```ts shared.ts\nexport const x = 1;\n```\n```ts\nconsole.log(x); // 1\n```',
      complaint: /line-6\.ts\(7,\d+\): error TS2304: Cannot find name 'x'/,
    },
    'that throws': {
      body: "```ts\nthrow new Error('on purpose');\n```",
      complaint: /Error: on purpose[\s\S]*line-3\.js:/,
    },
    'whose answer comes from another source': {
      body: `\`\`\`ts${cache}\nawait orm.em.fork().find(Tag, {}); // from the database\nawait orm.em.fork().find(Tag, {}); // from the database\n\`\`\``,
      complaint: /line-3\.ts:14: it was answered from the cache/,
    },
    'that prints something else': {
      body: '```ts\nconsole.log([1, 2]); // [ 1, 3 ]\n```',
      complaint: /line-3\.ts:4: it prints \[ 1, 2 \]/,
    },
    'with a line that is never reached': {
      body: '```ts\nif (Date.now() === 0) {\n  console.log(1); // 1\n}\n```',
      complaint: /Nothing came to: line-3\.ts:5/,
    },
    'with a command that prints something else': {
      body: '```ts\nexport {};\n```\n```console\n$ npx mikro-orm-cacheops --help\nno help\n```',
      complaint: /^line 7: npx mikro-orm-cacheops --help prints\n[\s\S]*invalidate/,
    },
  };
  const made = Object.values(pages).map(({ body }, i): [string, Page] => [
    `page-${i}`,
    readPage(`# A page\n\n${body}\n`),
  ]);

  before(async () => {
    project = await makePagesProject(new Map(made));
  });

  after(() => project.remove());

  for (const [i, [what, { complaint }]] of Object.entries(pages).entries()) {
    it(`is noticed: a page ${what}`, async () => {
      const [name, { programs }] = made[i]!;
      const complaints = project.complaints(name);
      const problems = complaints.length > 0 ? complaints : await project.run(name, programs.at(-1)!);
      expect(problems).to.have.length(1);
      expect(problems[0]).to.match(complaint);
    });
  }

  const unchecked = [
    '```js\nx\n```',
    '```\nx\n```',
    '```ts\nx',
    '- a list\n  ```ts\n  x\n  ```',
    '```console\n$ x\n```',
  ];
  for (const body of unchecked) {
    it(`is noticed: a block that would not be checked (${JSON.stringify(body)})`, () => {
      expect(() => readPage(body)).to.throw('line ');
    });
  }

  for (const line of [
    'npm install mikro-orm-cacheop',
    'npm install @mikro-orm/pglite@6',
    'npm run tests',
    'npx cacheops',
  ]) {
    it(`is noticed: the command ${line}`, () => {
      expect(complaintsAboutShell([line])).to.have.length(1);
    });
  }
});
