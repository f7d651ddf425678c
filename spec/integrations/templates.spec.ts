import { RequestContext } from '@mikro-orm/core';
import { expect, use } from 'chai';
import chaiAsPromised from 'chai-as-promised';
import ejs from 'ejs';
import { Eta } from 'eta';
import { Article, Author } from '../../fixtures/legacy/index.js';
import { CacheopsError } from '../../lib/index.js';
import { type Fragment, fragments } from '../../lib/integrations/templates/index.js';
import { restoreBlog, startBlog } from '../orm/support/blog.js';
import type { Started } from '../orm/support/start.js';
import { gate } from '../support/gate.js';

use(chaiAsPromised);

describe('fragments', () => {
  let started: Started;
  let fragment: Fragment;
  let runs: number;

  before(async () => {
    started = await startBlog();
    fragment = fragments(started.orm);
  });

  beforeEach(async () => {
    await restoreBlog(started);
    runs = 0;
  });

  after(() => started.orm.close(true));

  const rename = (title: string) => started.orm.em.fork().nativeUpdate(Article, { id: 1 }, { title });

  async function title(): Promise<string> {
    runs++;
    return (await started.orm.em.fork().findOneOrFail(Article, 1)).title;
  }

  const engines: Record<string, () => Promise<string>> = {
    EJS: () =>
      ejs.render(
        "<%- await fragment('title', Article, () => include('title')) %> <%= '&' %>",
        { fragment, Article, title },
        { async: true, includer: () => ({ template: '<b><%= await title() %></b>' }) },
      ) as Promise<string>,
    Eta: () => {
      const eta = new Eta();
      eta.loadTemplate('@title', '<b><%= await it.title() %></b>', { async: true });
      return eta.renderStringAsync(
        "<%~ await it.fragment('title', it.Article, () => includeAsync('@title', it)) %> <%= '&' %>",
        { fragment, Article, title },
      );
    },
  };
  for (const [name, render] of Object.entries(engines)) {
    it(`are cached in pages of ${name} until a row changes`, async () => {
      for (const expected of ['First', 'Changed']) {
        await rename(expected);
        for (const _ of [1, 2]) {
          expect(await render()).to.equal(`<b>${expected}</b> &amp;`);
          await started.cache.idle();
        }
      }
      expect(runs).to.equal(2);
    });
  }

  it('are not stored if a row changes while they are rendered', async () => {
    const { reached, pass, open } = gate();
    const slow = fragment('title', Article, async () => {
      const text = await title();
      await pass();
      return text;
    });
    await reached;
    await rename('Changed');
    open();
    expect(await slow).to.equal('First');
    await started.cache.idle();
    expect(await fragment('title', Article, title)).to.equal('Changed');
  });

  it('are separated by name, samples and extra', async () => {
    const render = async () => `${++runs}`;
    const all = async () => {
      const made = [
        await fragment('a', Article, render),
        await fragment('b', Article, render),
        await fragment('a', Author, render),
        await fragment('a', Article, render, { extra: 1 }),
        await fragment('a', Article, render, { extra: '1' }),
        await fragment('a', null, render, { timeout: 60 }),
      ];
      await started.cache.idle();
      return made;
    };
    expect(await all()).to.deep.equal(['1', '2', '3', '4', '5', '6']);
    expect(await all()).to.deep.equal(['1', '2', '3', '4', '5', '6']);
  });

  it('are dropped by name, and not stored if that happens while they are rendered', async () => {
    const { reached, pass, open } = gate();
    const render = async () => {
      await pass();
      return `${++runs}`;
    };
    const slow = fragment('menu', null, render, { timeout: 60 });
    await reached;
    await fragment.invalidate('menu');
    open();
    await slow;
    await started.cache.idle();
    expect(await fragment('menu', null, render, { timeout: 60 })).to.equal('2');
    await started.cache.idle();
    expect(await fragment('menu', null, render, { timeout: 60 })).to.equal('2');
    await fragment.invalidate('other');
    expect(await fragment('menu', null, render, { timeout: 60 })).to.equal('2');
  });

  it('are stored in the cache of the request’s ORM', async () => {
    const here = fragments();
    await RequestContext.create(started.orm.em, async () => {
      expect(await here('x', null, () => `${++runs}`, { timeout: 60 })).to.equal('1');
      await started.cache.idle();
      expect(await here('x', null, () => `${++runs}`, { timeout: 60 })).to.equal('1');
    });
  });

  it('are neither stored nor read from the cache in a transaction that has written', async () => {
    const here = fragments();
    const undone = started.orm.em.fork().transactional(async em => {
      await em.nativeUpdate(Article, { id: 1 }, { title: 'Secret' });
      const inside = fragments(em);
      const text = await inside('t', Article, async () => (await em.findOneOrFail(Article, 1)).title);
      expect(text).to.equal('Secret');
      throw new Error('undo');
    });
    await expect(undone).to.be.rejectedWith('undo');
    await started.cache.idle();
    await RequestContext.create(started.orm.em, async () => {
      expect(await here('t', Article, title)).to.equal('First');
    });
  });

  it('reject wrong arguments at once', async () => {
    const render = () => 'x';
    await expect(fragment('', Article, render)).to.be.rejectedWith(CacheopsError, 'Give a non-empty string');
    await expect(fragment('a', null, render)).to.be.rejectedWith(CacheopsError, 'Give samples, or a timeout');
    await expect(fragment('a', null, render, { timeout: 0 })).to.be.rejectedWith(CacheopsError, 'seconds');
    await expect(fragment('a', 'Artikel' as never, render)).to.be.rejectedWith(CacheopsError, 'Artikel');
    await expect(fragment('a', Article, (() => 5) as never)).to.be.rejectedWith(
      CacheopsError,
      'Return a string',
    );
  });
});
