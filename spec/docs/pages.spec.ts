import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { type Page, readPage } from './page.js';
import { makePagesProject, type PagesProject } from './project.js';

const DOCS = join(import.meta.dirname, '..', '..', '..', 'docs');
const read = (name: string) => readFileSync(join(DOCS, `${name}.md`), 'utf8');
const FRONT = '../README'; // of the project
const names = globSync('*.md', { cwd: DOCS })
  .map(file => file.replace('.md', ''))
  .filter(name => name !== 'README')
  .sort();
const pages = new Map([
  ...names.map(name => [name, readPage(read(name))] as const),
  ['readme', readPage(watched(read(FRONT)))] as const,
]);

/** The front page is a whole program, without lines that its readers do not see. */
function watched(page: string): string {
  return page.replace('await orm.schema.create();', '$& watch(orm);');
}

describe('the documentation', function () {
  this.timeout(300_000);
  let project: PagesProject;

  before(async () => {
    project = await makePagesProject(pages);
  });

  after(() => project.remove());

  for (const name of pages.keys()) {
    it(`has only examples on ${name}.md that compile, run, and do what the page says`, async () => {
      expect(project.complaints(name)).to.deep.equal([]);
      expect(await project.run(name)).to.deep.equal([]);
    });
  }

  it('begins with a page of at most 9 KB, whose links lead somewhere', () => {
    const page = read(FRONT);
    expect(Buffer.byteLength(page)).to.be.at.most(9 * 1024);
    const links = [...page.matchAll(/\]\(([\w./-]+\.md)/g)].map(([, link]) => link!);
    expect(links.filter(link => !existsSync(join(DOCS, '..', link)))).to.deep.equal([]);
  });

  it('has a list of all pages in README.md', () => {
    const links = [...read('README').matchAll(/\]\(\.?\/?([\w-]+)\.md\)/g)].map(([, name]) => name);
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
await orm.schema.create();
watch(orm);`;
  const pages: Record<string, { body: string; complaint: RegExp }> = {
    'that does not compile': {
      body: "```ts\nconst x: number = 'five';\n```",
      complaint: /^page-\d\/main\.ts\(4,7\): error TS2322/,
    },
    'that throws': {
      body: "```ts\nthrow new Error('on purpose');\n```",
      complaint: /Error: on purpose[\s\S]*main\.js:/,
    },
    'whose answer comes from another source': {
      body: `\`\`\`ts${cache}\nawait orm.em.fork().find(Tag, {}); // from the database\nawait orm.em.fork().find(Tag, {}); // from the database\nawait orm.close();\n\`\`\``,
      complaint: /main\.ts:15: it was answered from the cache/,
    },
    'that prints something else': {
      body: '```ts\nconsole.log([1, 2]); // [ 1, 3 ]\n```',
      complaint: /main\.ts:4: it prints \[ 1, 2 \]/,
    },
    'with a line that is never reached': {
      body: '```ts\nif (Date.now() === 0) {\n  console.log(1); // 1\n}\n```',
      complaint: /Nothing came to: main\.ts:5/,
    },
    'with an unused file': {
      body: '```ts unused.ts\nexport const x = 1;\n```\n```ts\nconsole.log(2); // 2\n```',
      complaint: /Nothing came to: unused\.ts:1/,
    },
    'with a command that prints something else': {
      body: '```console\n$ npx mikro-orm-cacheops --help\nno help\n```',
      complaint: /^line 4: npx mikro-orm-cacheops --help prints\n[\s\S]*invalidate/,
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
      const name = `page-${i}`;
      const complaints = project.complaints(name);
      const problems = complaints.length > 0 ? complaints : await project.run(name);
      expect(problems).to.have.length(1);
      expect(problems[0]).to.match(complaint);
    });
  }

  for (const body of ['```js\nx\n```', '```\nx\n```', '```ts\nx']) {
    it(`is noticed: a block that would not be run (${JSON.stringify(body)})`, () => {
      expect(() => readPage(body)).to.throw('line ');
    });
  }
});
