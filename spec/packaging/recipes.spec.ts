import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'chai';
import { type Page, readPage } from '../docs/page.js';
import { type PagesProject, writePages } from '../docs/project.js';
import { type Projects, packProjects, ROOT } from './project.js';

const pageOf = (name: string): Page => readPage(readFileSync(join(ROOT, 'docs', `${name}.md`), 'utf8'));

const PACKAGES = {
  '@mikro-orm/core': '7.2.1',
  '@mikro-orm/postgresql': '7.2.1',
  ioredis: '^6.0.0',
  graphql: '^16.15.0',
  '@apollo/server': '^5.5.0',
  fastify: '^5.12.0',
  mercurius: '^16.10.0',
  '@trpc/server': '^11.25.0',
  bullmq: '^6.7.0',
};

describe('the recipes for GraphQL, tRPC and jobs', function () {
  this.timeout(600_000);
  const page = pageOf('recipes');
  let projects: Projects;
  let pages: Omit<PagesProject, 'remove'>;

  before(async () => {
    projects = await packProjects();
    const project = await projects.install('npm', PACKAGES);
    project.link('@types/node', 'undici-types');
    const shared = pageOf('getting-started').programs.filter(({ name }) => name === 'orm.ts');
    pages = await writePages(project.path, new Map([['recipes', page]]), shared);
  });

  after(() => projects.remove());

  it('compile beside the packed tarball and the packages from the registry', () => {
    expect(pages.complaints('recipes')).to.deep.equal([]);
  });

  for (const [i, name] of ['Apollo Server', 'Mercurius', 'tRPC', 'BullMQ'].entries()) {
    it(`cache reads of ${name}`, async () => {
      expect(await pages.run('recipes', page.programs[i]!)).to.deep.equal([]);
    });
  }
});
