import { expect, use } from 'chai';
import chaiAsPromised from 'chai-as-promised';
import { entities, Tag } from '../../../fixtures/legacy/index.js';
import { startBlog } from '../support/blog.js';
import type { Started } from '../support/start.js';
import { expectNoticed, type Step, type WritePath } from '../support/write_path.js';

use(chaiAsPromised);

const tag =
  (name: string): Step =>
  em =>
    em.find(Tag, { name });

const PATHS: Record<string, WritePath> = {
  'a DO block': {
    write: em => em.execute(`do $$ begin update tag set name = 'crimson' where id = 1; end $$`),
    changes: tag('red'),
  },
  'PREPARE and EXECUTE': {
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

describe('A statement that cannot be analysed is noticed:', () => {
  let blog: Started;

  beforeEach(async () => {
    blog = await startBlog();
  });

  afterEach(() => blog.orm.close());

  describe("with onUnknownWrite: 'refuse'", () => {
    let strict: Started;

    beforeEach(async () => {
      strict = await startBlog({ entities, cacheops: { onUnknownWrite: 'refuse' } });
    });

    afterEach(() => strict.orm.close());

    for (const statement of [
      `do $$ begin execute 'delete from tag'; end $$`,
      'call anything()',
      'execute p',
      `delete from tag where name = 'it`,
    ]) {
      it(`it is refused before it is sent: ${statement}`, async () => {
        const refused = strict.orm.em.fork().execute(statement);
        await expect(refused).to.be.rejectedWith(`onUnknownWrite is 'refuse': ${statement}`);
        expect(await strict.orm.em.fork().count(Tag)).to.equal(3);
      });
    }

    it('statements that name their tables, DDL and statements in noInvalidation() are not refused', async () => {
      const em = strict.orm.em.fork();
      await em.execute('do $$ begin delete from article_tags; end $$');
      await em.execute('with gone as (delete from comment returning 1) select count(*) from gone');
      await em.execute('create procedure clean() language sql as $$ delete from tag $$');
      await strict.cache.noInvalidation(() => em.execute('call clean()'));
      await strict.cache.invalidateModel(Tag);
      expect(await strict.orm.em.fork().count(Tag)).to.equal(0);
    });
  });

  for (const [what, path] of Object.entries(PATHS)) {
    it(what, () => expectNoticed(blog, path));
  }
});
