import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { PATCHES } from '../lib/orm/context/patches.js';

const ROOT = join(import.meta.dirname, '..', '..');
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');
const sources = globSync('lib/**/*.ts', { cwd: ROOT }).map(read).join('\n');
const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };

/** What a page sets in backticks. */
const quotedIn = (page: string) => [...read(page).matchAll(/`([^`\n]+)`/g)].map(([, text]) => text!);

const PATH = /^(lib|spec|docs|bench)\/[\w/.*-]+$/;
const SYMBOL = /^(?=.*[a-z])[A-Za-z]+[A-Z][A-Za-z]*$/;

for (const page of ['ARCHITECTURE.md', 'CONTRIBUTING.md']) {
  describe(page, () => {
    it('names only files and folders that exist', () => {
      const paths = quotedIn(page).filter(text => PATH.test(text));
      expect(paths).to.have.length.above(10);
      expect(paths.filter(path => !existsSync(join(ROOT, path)))).to.deep.equal([]);
    });

    it('names only symbols that lib has', () => {
      const symbols = quotedIn(page).filter(text => SYMBOL.test(text));
      expect(symbols).to.have.length.above(1);
      expect(symbols.filter(name => !new RegExp(`\\b${name}\\b`).test(sources))).to.deep.equal([]);
    });

    it('links only to pages that exist, and names only commands that package.json has', () => {
      const links = [...read(page).matchAll(/\]\(([\w./-]+)\)/g)].map(([, link]) => link!);
      expect(links.filter(link => !existsSync(join(ROOT, link)))).to.deep.equal([]);
      const commands = [...read(page).matchAll(/npm run ([\w:]+)/g)].map(([, name]) => name!);
      expect(commands.filter(name => !(name in scripts))).to.deep.equal([]);
    });
  });
}

describe('the architecture', () => {
  it('fits into 12 KB', () => {
    expect(read('ARCHITECTURE.md')).to.have.length.below(12 * 1024);
  });

  it('lists every method of MikroORM that is replaced', () => {
    const methods = PATCHES.map(({ name }) => /\.(\w+)/.exec(name)![1]!);
    const named = new Set(quotedIn('ARCHITECTURE.md'));
    expect(methods.filter(method => !named.has(method))).to.deep.equal([]);
  });

  it('describes every room', () => {
    const rooms = [...read('biome.json').matchAll(/"includes": \["(lib\/[\w/]+)\/\*\*"\]/g)].map(
      ([, room]) => room!,
    );
    expect(rooms).to.include('lib/orm/reads');
    const named = new Set(quotedIn('ARCHITECTURE.md'));
    expect(rooms.filter(room => !named.has(room))).to.deep.equal([]);
  });
});
