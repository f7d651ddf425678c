import { readFileSync } from 'node:fs';
import { defineConfig } from 'vitepress';

// the list of pages in README.md is the side bar
const list = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
const items = [...list.matchAll(/^- \[(.+?)\]\(([\w-]+)\.md\)/gm)].map(([, text, page]) => ({
  text,
  link: `/${page}`,
}));

export default defineConfig({
  title: 'mikro-orm-cacheops',
  description: 'A query cache for MikroORM that invalidates itself',
  outDir: '../dist/docs',
  cacheDir: '../dist/docs-cache',
  rewrites: { 'README.md': 'index.md' },
  ignoreDeadLinks: [/^\.\/\.\.\//], // files of the project, beside the pages
  themeConfig: { sidebar: items, search: { provider: 'local' } },
});
