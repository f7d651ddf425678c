import { Tag } from '../../../fixtures/legacy/index.js';
import { startBlog } from '../support/blog.js';
import type { Started } from '../support/start.js';
import { expectNoticed, type Step, type WritePath } from '../support/write_path.js';

const tag =
  (name: string): Step =>
  em =>
    em.find(Tag, { name });

const PATHS: Record<string, WritePath> = {
  'in a block of code': {
    write: em => em.execute(`do $$ begin update tag set name = 'crimson' where id = 1; end $$`),
    changes: tag('red'),
  },
  'that executes what it prepared': {
    write: async em => {
      await em.execute(`prepare p as update tag set name = 'crimson' where id = 1`);
      await em.execute('execute p');
      await em.execute('deallocate p');
    },
    changes: tag('red'),
  },
  'a procedure': {
    write: async em => {
      await em.execute(
        `create procedure redden() language sql as $$ update tag set name = 'crimson' where id = 1 $$`,
      );
      await tag('red')(em.fork());
      await em.execute('call redden()');
    },
    changes: tag('red'),
  },
};

describe('a statement that cannot be seen through is noticed:', () => {
  let blog: Started;

  beforeEach(async () => {
    blog = await startBlog();
  });

  afterEach(() => blog.orm.close());

  for (const [what, path] of Object.entries(PATHS)) {
    it(what, () => expectNoticed(blog, path));
  }
});
