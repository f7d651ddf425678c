import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import { expect } from 'chai';
import { until } from '../support/until.js';
import { startBrowser } from './browser.js';

/**
 * Walks all links of the website in `dist/docs` in Chromium, and searches in it. It is a program of CI and not one of the
 * specs, because not everybody has Chromium.
 */
const SITE = join(import.meta.dirname, '..', '..', 'docs');
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
};

const server = createServer(async (request, response) => {
  const { pathname } = new URL(request.url!, 'http://localhost');
  const file = join(SITE, pathname === '/' ? 'index.html' : decodeURIComponent(pathname));
  const content = await readFile(file).catch(() => undefined);
  response
    .writeHead(content ? 200 : 404, { 'content-type': TYPES[extname(file)] ?? 'application/octet-stream' })
    .end(content);
}).listen(0, '127.0.0.1');
await new Promise(resolve => server.once('listening', resolve));
const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

{
  using browser = await startBrowser();
  const ids = new Map<string, readonly string[]>();
  const links = new Map<string, string>(); // to the page on which they are
  const isOnSite = (link: string) => link.startsWith(origin);
  await visit(`${origin}/`);
  for (let size = 0; size < links.size; ) {
    size = links.size;
    for (const link of [...links.keys()]) {
      await visit(link);
    }
  }
  const dead = [...links].filter(([link]) => {
    const { pathname, hash } = new URL(link);
    return !ids.get(pathname)?.includes(decodeURIComponent(hash.slice(1)) || 'app');
  });
  expect(ids.size).to.be.above(20);
  expect(dead).to.deep.equal([]);

  await browser.open(`${origin}/`);
  await browser.evaluate("document.querySelector('.VPNavBarSearch button').click()");
  await until(() => browser.evaluate("!!document.querySelector('.VPLocalSearchBox input')"));
  await browser.evaluate(`(input => {
    input.value = 'quarantine';
    input.dispatchEvent(new Event('input', { bubbles: true }));
  })(document.querySelector('.VPLocalSearchBox input'))`);
  await until(() => browser.evaluate("!!document.querySelector('.VPLocalSearchBox .result')"));
  await browser.evaluate("document.querySelector('.VPLocalSearchBox .result').click()");
  await until(() => browser.evaluate("location.pathname === '/glossary.html'"));
  expect(browser.errors).to.deep.equal([]);
  console.log(`${ids.size} pages, ${links.size} links, no dead one; the search works.`);

  async function visit(link: string): Promise<void> {
    const { pathname } = new URL(link);
    if (ids.has(pathname)) {
      return;
    }
    await browser.open(origin + pathname);
    const isMissing = (await browser.evaluate('document.title')) === '404 | mikro-orm-cacheops';
    ids.set(
      pathname,
      isMissing ? [] : await browser.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)"),
    );
    const found: string[] = await browser.evaluate(
      "[...document.querySelectorAll('a[href]')].map(a => a.href)",
    );
    for (const each of found.filter(isOnSite)) {
      links.set(each, links.get(each) ?? pathname);
    }
  }
}
server.close();
process.exit();
