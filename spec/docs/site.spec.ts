import { execFile } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'chai';
import { type TemporaryDirectory, temporaryDirectory } from '../support/temporary_directory.js';

const ROOT = join(import.meta.dirname, '..', '..', '..');
const VITEPRESS = join(ROOT, 'node_modules', 'vitepress', 'bin', 'vitepress.js');

describe('the website', function () {
  this.timeout(300_000);
  let site: TemporaryDirectory;
  /** by name */
  const pages = new Map<string, string>();

  before(async () => {
    site = temporaryDirectory('site');
    await promisify(execFile)(process.execPath, [VITEPRESS, 'build', 'docs', '--outDir', site.path], {
      cwd: ROOT,
    });
    for (const name of globSync('**/*.html', { cwd: site.path })) {
      pages.set(name.replaceAll('\\', '/'), readFileSync(join(site.path, name), 'utf8'));
    }
  });

  after(() => site.remove());

  it('has a page for each file of docs', () => {
    const files = globSync('*.md', { cwd: join(ROOT, 'docs') }).map(name => name.replace(/md$/, 'html'));
    expect([...pages.keys()]).to.have.members([
      ...files.map(name => name.replace('README', 'index')),
      '404.html',
    ]);
  });

  it('has no dead link, and no link to a heading that is not there', () => {
    const links = [...pages].flatMap(([page, html]) =>
      Array.from(html.matchAll(/<a\b[^>]*?\shref="([^"]*)"/g), ([, link]) => ({ page, link: link! })),
    );
    const inside = links.filter(({ link }) => !/^[a-z]+:/.test(link));
    expect(inside.length).to.be.above(100);
    const dead = inside.filter(({ page, link }) => {
      const [path, heading] = link.split('#');
      const target = path ? posix.resolve('/', posix.dirname(page), path).slice(1) : page;
      const html = pages.get(target === '' ? 'index.html' : target);
      return !html || (heading && !html.includes(` id="${decodeURIComponent(heading)}"`));
    });
    expect(dead).to.deep.equal([]);
  });

  it('has an index of all pages to search in', () => {
    const [index] = globSync('assets/chunks/@localSearchIndex*.js', { cwd: site.path });
    const text = readFileSync(join(site.path, index!), 'utf8');
    for (const page of [...pages.keys()].filter(name => !/404|index/.test(name))) {
      expect(text).to.contain(`/${page}#`);
    }
  });
});
