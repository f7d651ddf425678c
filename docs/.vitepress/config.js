import { readFileSync } from 'node:fs';
import { defineConfig } from 'vitepress';

// the lists of pages in README.md are the side bar
const list = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
const sidebar = list
  .split('\n## ')
  .slice(1)
  .map(section => ({
    text: section.slice(0, section.indexOf('\n')),
    items: [...section.matchAll(/^- \[(.+?)\]\(([\w-]+)\.md\)/gm)].map(([, text, page]) => ({
      text,
      link: `/${page}`,
    })),
  }));

/** The name of a block's file is shown in place of its language. */
function showFileNames(md) {
  const { fence } = md.renderer.rules;
  md.renderer.rules.fence = (tokens, i, ...others) => {
    const [, file] = tokens[i].info.split(' ');
    const html = fence(tokens, i, ...others);
    return file ? html.replace(/<span class="lang">\w+</, `<span class="lang">${file}<`) : html;
  };
}

/** Files of the project that are beside the pages are not on the website. */
function unlinkFilesOfProject(md) {
  md.core.ruler.push('files of the project', ({ tokens }) => {
    for (const { children } of tokens) {
      let isOutside = false;
      for (const token of children ?? []) {
        if (token.type === 'link_open') {
          isOutside = token.attrGet('href').startsWith('../');
        }
        if (isOutside && token.type.startsWith('link_')) {
          token.tag = 'span';
          token.attrs = null;
          token.type = 'text_span';
        }
      }
    }
  });
}

export default defineConfig({
  title: 'mikro-orm-cacheops',
  description: 'A query cache for MikroORM that invalidates itself',
  outDir: '../dist/docs',
  cacheDir: '../dist/docs-cache',
  rewrites: { 'README.md': 'index.md' },
  themeConfig: { sidebar, outline: [2, 3], search: { provider: 'local' } },
  markdown: {
    config(md) {
      showFileNames(md);
      unlinkFilesOfProject(md);
    },
  },
});
