import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, use } from 'chai';
import chaiAsPromised from 'chai-as-promised';
import nunjucks from 'nunjucks';
import sinon from 'sinon';
import { Article, Author } from '../../fixtures/legacy/index.js';
import { CacheopsError } from '../../lib/index.js';
import {
  addCachedTags,
  type CachedTags,
  type CachedTagsOptions,
} from '../../lib/integrations/nunjucks/index.js';
import { restoreBlog, startBlog } from '../orm/support/blog.js';
import type { Started } from '../orm/support/start.js';
import { gate } from '../support/gate.js';
import { type TemporaryDirectory, temporaryDirectory } from '../support/temporary_directory.js';

use(chaiAsPromised);

describe('cached tags of Nunjucks', () => {
  let started: Started;
  let tags: CachedTags;

  before(async () => {
    started = await startBlog();
  });

  beforeEach(() => restoreBlog(started));
  afterEach(() => sinon.restore());
  after(() => started.orm.close(true));

  /** Templates by name, and a function that renders one of them. */
  function templates(files: Record<string, string>, options: CachedTagsOptions = {}) {
    class Files extends nunjucks.Loader {
      getSource(name: string) {
        return { src: files[name]!, path: name, noCache: true };
      }
    }
    const env = new nunjucks.Environment(new Files() as never, { autoescape: true });
    tags = addCachedTags(env, { orm: started.orm, ...options });
    // data that is loaded when a fragment is rendered
    env.addFilter(
      'load',
      (load: () => Promise<unknown>, done) => load().then(data => done(null, data), done),
      true,
    );
    return async (name: string, context: object = {}): Promise<string> => {
      const html = await new Promise<string>((resolve, reject) => {
        env.render(name, context, (error, text) => (error ? reject(error) : resolve(text!)));
      });
      await started.cache.idle();
      return html.trim();
    };
  }

  /** One template. */
  function template(text: string, options?: CachedTagsOptions) {
    const render = templates({ 'page.njk': text }, options);
    return (context?: object) => render('page.njk', context);
  }

  const titles = () =>
    started.orm.em.fork().find(Article, { author: 1 }, { orderBy: { id: 1 }, cacheops: false });
  const rename = (id: number, title: string) =>
    started.orm.em.fork().nativeUpdate(Article, { id }, { title });

  it('cache their body until a row changes', async () => {
    const load = sinon.spy(titles);
    const render = template(
      '{% cachedAs Article %}{% for a in load | load %}<b>{{ a.title }}</b>{% endfor %}{% endcachedAs %}!',
    );
    const context = { Article, load };
    expect(await render(context)).to.equal('<b>First</b><b>Second</b>!');
    expect(await render(context)).to.equal('<b>First</b><b>Second</b>!');
    expect(load.callCount).to.equal(1);
    await rename(1, 'Changed');
    expect(await render(context)).to.equal('<b>Changed</b><b>Second</b>!');
    expect(load.callCount).to.equal(2);
  });

  it('store nothing that changes while it is rendered', async () => {
    const { reached, pass, open } = gate();
    const render = template(
      '{% cachedAs Article %}{% for a in load | load %}{{ a.title }}{% endfor %}{% endcachedAs %}',
    );
    const slow = render({
      Article,
      load: async () => {
        const rows = await titles();
        await pass();
        return rows;
      },
    });
    await reached;
    await rename(1, 'Changed');
    open();
    expect(await slow).to.equal('FirstSecond');
    expect(await render({ Article, load: titles })).to.equal('ChangedSecond');
  });

  it('cache a body without samples for some time', async () => {
    const render = template('{% cached timeout=60 %}{{ value }}{% endcached %}');
    expect([await render({ value: 1 }), await render({ value: 2 })]).to.deep.equal(['1', '1']);
  });

  it('separate fragments by `extra`', async () => {
    const render = template(
      '{% cached timeout=60, extra=[lang, user] %}{{ lang }} {{ user }} {{ run }}{% endcached %}',
    );
    const contexts = [
      { lang: 'de', user: 1 },
      { lang: 'fr', user: 1 },
      { lang: 'fr', user: '1' },
      { lang: 'de', user: 1 },
    ];
    const found: string[] = [];
    for (const [run, context] of contexts.entries()) {
      found.push(await render({ ...context, run }));
    }
    expect(found).to.deep.equal(['de 1 0', 'fr 1 1', 'fr 1 2', 'de 1 0']);
  });

  it('separate fragments by template, text and position', async () => {
    const fragment = '{% cached timeout=60 %}{{ run() }}{% endcached %}';
    const files: Record<string, string> = { one: `${fragment} ${fragment}`, two: `${fragment} ${fragment}` };
    const render = templates(files);
    let runs = 0;
    const context = { run: () => ++runs };
    expect(await render('one', context)).to.equal('1 2');
    expect(await render('two', context)).to.equal('3 4');
    expect(await render('one', context)).to.equal('1 2');
    files.one += '.'; // as a deploy does
    expect(await render('one', context)).to.equal('5 6.');
  });

  describe('in several environments', () => {
    const PAGE = "{% cached timeout=60, name='piece' %}{{ value }} {{ 'x' | own }}{{ site }}{% endcached %}";

    function environment(
      options: nunjucks.ConfigureOptions,
      prepare: (env: nunjucks.Environment) => void = () => {},
    ) {
      const env = new nunjucks.Environment(new nunjucks.FileSystemLoader(folder.path), options);
      addCachedTags(env, { orm: started.orm });
      env.addFilter('own', ownFilter);
      prepare(env);
      return rendererOf(env);
    }

    function rendererOf(env: nunjucks.Environment) {
      return async (value: string): Promise<string> => {
        const html = await new Promise<string>((resolve, reject) => {
          env.render('page.njk', { value }, (error, text) => (error ? reject(error) : resolve(text!)));
        });
        await started.cache.idle();
        return html;
      };
    }

    let folder: TemporaryDirectory;

    before(() => {
      folder = temporaryDirectory('templates');
      writeFileSync(join(folder.path, 'page.njk'), PAGE);
    });

    after(() => folder.remove());

    const INCLUDING = "{% cached timeout=60, name='including' %}{% include 'part.njk' %}{% endcached %}";

    class Parts extends nunjucks.Loader {
      readonly #part: string;

      constructor(part: string) {
        super();
        this.#part = part;
      }

      getSource(path: string) {
        return { src: path === 'part.njk' ? this.#part : INCLUDING, path, noCache: true };
      }
    }

    it('are separated if they have a custom loader', async () => {
      const renderers = ['a', 'b'].map(part => {
        const env = new nunjucks.Environment(new Parts(part) as never);
        addCachedTags(env, { orm: started.orm });
        return [part, rendererOf(env)] as const;
      });
      for (const [part, render] of [...renderers, ...renderers]) {
        expect(await render('')).to.equal(part);
      }
    });

    it('are separated by their template folders', async () => {
      const folders = ['a', 'b'].map(part => {
        const { path } = temporaryDirectory('parts');
        writeFileSync(join(path, 'part.njk'), part);
        writeFileSync(join(path, 'page.njk'), INCLUDING);
        return path;
      });
      const render = (folder: string) => {
        const env = new nunjucks.Environment(new nunjucks.FileSystemLoader([folder]));
        addCachedTags(env, { orm: started.orm });
        return rendererOf(env)('');
      };
      for (const _ of [1, 2]) {
        expect([await render(folders[0]!), await render(folders[1]!)]).to.deep.equal(['a', 'b']);
      }
      // fragments of the first are shared with another environment of the same folder
      writeFileSync(join(folders[0]!, 'part.njk'), 'changed');
      expect(await render(folders[0]!)).to.equal('a');
    });

    it('are separated if a loader or an environment is modified', async () => {
      const folderOf = (part: string) => {
        const loader = new nunjucks.FileSystemLoader(folder.path);
        return Object.assign(loader, { getSource: new Parts(part).getSource.bind(new Parts(part)) });
      };
      class Shop extends nunjucks.Environment {}
      const renderers = [
        ...['c', 'd'].map(part => [part, new nunjucks.Environment(folderOf(part) as never)] as const),
        ...['e', 'f'].map(part => [part, new Shop(new Parts(part) as never)] as const),
      ].map(([part, env]) => {
        addCachedTags(env, { orm: started.orm });
        return [part, rendererOf(env)] as const;
      });
      for (const [part, render] of [...renderers, ...renderers]) {
        expect(await render('')).to.equal(part);
      }
    });

    const ownFilter = (text: string) => text;
    const makeFilter = (word: string) => () => word;

    it('share fragments if they render alike', async () => {
      const [one, two] = [
        environment({ autoescape: true }),
        environment({ autoescape: true, noCache: true }),
      ];
      expect([await one('1'), await two('2')]).to.deep.equal(['1 x', '1 x']);
    });

    for (const [what, one, two] of [
      [
        'autoescape',
        environment.bind(null, { autoescape: false }),
        environment.bind(null, { autoescape: true }),
      ],
      [
        'trimBlocks',
        environment.bind(null, { trimBlocks: false }),
        environment.bind(null, { trimBlocks: true }),
      ],
      [
        'throwOnUndefined',
        environment.bind(null, { throwOnUndefined: false }, env => env.addGlobal('site', '!')),
        environment.bind(null, { throwOnUndefined: true }, env => env.addGlobal('site', '!')),
      ],
      [
        'a filter',
        environment.bind(null, {}, env => env.addFilter('own', () => 'a')),
        environment.bind(null, {}, env => env.addFilter('own', () => 'b')),
      ],
      [
        'what a filter has captured',
        environment.bind(null, {}, env => env.addFilter('own', makeFilter('a'))),
        environment.bind(null, {}, env => env.addFilter('own', makeFilter('b'))),
      ],
      [
        'a global',
        environment.bind(null, {}, env => env.addGlobal('site', 'a')),
        environment.bind(null, {}, env => env.addGlobal('site', 'b')),
      ],
      [
        'a global object',
        environment.bind(null, {}, env => env.addGlobal('site', { toString: () => 'a' })),
        environment.bind(null, {}, env => env.addGlobal('site', { toString: () => 'b' })),
      ],
    ] as const) {
      it(`are separated by ${what}`, async () => {
        const renderers = [one(), two()];
        for (const _ of [1, 2]) {
          for (const [i, render] of renderers.entries()) {
            expect(await render(`<${i}>`)).to.match(new RegExp(`^(<|&lt;)${i}(>|&gt;) `));
          }
        }
        // and each of them keeps its own
        for (const [i, render] of renderers.entries()) {
          expect(await render('other')).to.match(new RegExp(`^(<|&lt;)${i}`));
        }
      });
    }

    it('never put raw markup into a page that escapes', async () => {
      const [raw, escaping] = [environment({ autoescape: false }), environment({ autoescape: true })];
      expect(await raw('<evil>')).to.equal('<evil> x');
      expect(await escaping('<evil>')).to.equal('&lt;evil&gt; x');
      expect(await raw('<evil>')).to.equal('<evil> x');
    });

    it('notice a global that changes later', async () => {
      let changing!: nunjucks.Environment;
      const render = environment({}, env => {
        changing = env;
        env.addGlobal('site', 'a');
      });
      expect(await render('1')).to.equal('1 xa');
      changing.addGlobal('site', 'b');
      expect(await render('2')).to.equal('2 xb');
    });
  });

  it('escape exactly once, and only what is to be escaped', async () => {
    const render = template(
      '{% cached timeout=60 %}{{ text }}|{{ text | safe }}|<i>{% endcached %}{{ text }}',
    );
    const expected = '&lt;b&gt; &amp; "|<b> & "|<i>&lt;b&gt; &amp; "'
      .replaceAll('"', '&quot;')
      .replace('<b> & &quot;', '<b> & "');
    for (const _ of [1, 2]) {
      expect(await render({ text: '<b> & "' })).to.equal(expected);
    }
  });

  it('work in loops, includes, inherited blocks and each other', async () => {
    let runs = 0;
    const render = templates({
      base: '[{% block content %}{% endblock %}]',
      part: '{% cached timeout=60, extra=n %}<{{ n }}{{ run() }}>{% endcached %}',
      page:
        '{% extends "base" %}{% block content %}{% cached timeout=60 %}{% asyncEach n in [1, 2] %}' +
        '{% include "part" %}{% endeach %}{{ run() }}{% endcached %}{% endblock %}',
    });
    const run = () => `r${++runs}`;
    for (const _ of [1, 2]) {
      expect(await render('page', { run })).to.equal('[<1r1><2r2>r3]');
    }
    expect(await render('part', { n: 2, run })).to.equal('<2r2>');
    expect(runs).to.equal(3);
  });

  it('separate fragments by the blocks that they contain', async () => {
    let runs = 0;
    const render = templates({
      layout:
        '{% cached timeout=60 %}{{ run() }}{% endcached %}' +
        '{% cached timeout=60 %}[{% block content %}{% endblock %}]{% endcached %}',
      other: '{% cached timeout=60 %}({% block content %}{% endblock %}){% endcached %}',
      one: '{% extends "layout" %}{% block content %}one{% endblock %}',
      two: '{% extends "layout" %}{% block content %}two{% endblock %}',
      three: '{% extends "one" %}{% block content %}{{ super() }} three{% endblock %}',
      chosen:
        '{% extends from %}{% block content %}{% cached timeout=60 %}{{ super() }}{% endcached %}{% endblock %}',
    });
    const run = () => {
      runs++;
      return '';
    };
    for (const _ of [1, 2]) {
      expect(await render('one', { run })).to.equal('[one]');
      expect(await render('two', { run })).to.equal('[two]');
      expect(await render('three', { run })).to.equal('[one three]');
      for (const from of ['one', 'two']) {
        expect(await render('chosen', { run, from })).to.equal(`[${from}]`);
      }
    }
    expect(runs).to.equal(1);
  });

  it('pass on errors of their body, and store nothing then', async () => {
    const render = template('{% cached timeout=60 %}{{ fail() }}{% endcached %}');
    const fail = () => {
      throw new Error('on purpose');
    };
    await expect(render({ fail })).to.be.rejectedWith('on purpose');
    expect(await render({ fail: () => 'well' })).to.equal('well');
  });

  it('can be dropped by name, or by the name of their template', async () => {
    let runs = 0;
    const render = templates({
      page: "{% cached timeout=60, name='menu' %}{{ run() }}{% endcached %} {% cached timeout=60 %}{{ run() }}{% endcached %}",
    });
    const context = { run: () => ++runs };
    await render('page', context);
    await tags.invalidate('menu');
    expect(await render('page', context)).to.equal('3 2');
    await tags.invalidate('page');
    expect(await render('page', context)).to.equal('3 4');
  });

  it('may be defined by the user', async () => {
    const render = template('{% cachedMenu "main", lang=lang %}{{ run() }}{% endcachedMenu %}', {
      tags: {
        cachedMenu: (name: string, { lang }: { lang: string }) => ({ sample: Author, extra: [name, lang] }),
      },
    });
    let runs = 0;
    const context = (lang: string) => ({ lang, run: () => ++runs });
    const found = [await render(context('de')), await render(context('fr')), await render(context('de'))];
    expect(found).to.deep.equal(['1', '2', '1']);
    await started.orm.em.fork().nativeUpdate(Author, { id: 1 }, { name: 'Anna' });
    expect(await render(context('de'))).to.equal('3');
  });

  describe('for random items of a list', () => {
    const TEXT =
      '{% cachedRandom 2, item in items, sample=Article %}({{ item }}{{ run(item) }}){% endcachedRandom %}';

    it('render an item when it is first chosen, and again only after it has changed', async () => {
      const render = template(TEXT);
      const run = sinon.stub().returns('');
      const dice = sinon.stub(Math, 'random');
      const context = { items: ['a', 'b', 'c'], Article, run };
      // of the whole list, then of what is left of it
      dice.onCall(0).returns(0).onCall(1).returns(0.6);
      expect(await render(context)).to.equal('(a)(c)');
      dice.onCall(2).returns(0.9).onCall(3).returns(0);
      expect(await render(context)).to.equal('(c)(b)');
      expect(run.args.flat()).to.deep.equal(['a', 'c', 'b']);
      dice.returns(0);
      await rename(1, 'Changed');
      await render(context);
      expect(run.callCount).to.equal(5);
    });

    it('choose each item at most once, and all of a short list', async () => {
      const render = template(TEXT);
      const context = { Article, run: () => '' };
      expect(await render({ ...context, items: ['a'] })).to.equal('(a)');
      expect(await render({ ...context, items: [] })).to.equal('');
      for (let i = 0; i < 20; i++) {
        const html = await render({ ...context, items: () => Promise.resolve(['a', 'b', 'c']) });
        const items = html.match(/\w/g)!;
        expect(new Set(items).size).to.equal(2);
      }
    });

    it('see the rest of the context, and escape', async () => {
      const render = template(
        '{% cachedRandom 1, item in items, timeout=60 %}{{ other }}{{ item }}{% endcachedRandom %}',
      );
      for (const _ of [1, 2]) {
        expect(await render({ items: ['<'], other: '>' })).to.equal('&gt;&lt;');
      }
    });

    it('need a list and a number only', async () => {
      expect(() => template('{% cachedRandom 3 %}{% endcachedRandom %}')()).to.not.throw();
      await expect(template('{% cachedRandom 3 %}{% endcachedRandom %}')()).to.be.rejectedWith(
        'item in items',
      );
      const render = template(TEXT.replace('2,', 'n,'));
      await expect(render({ n: -1, items: [], Article })).to.be.rejectedWith('Give a non-negative integer');
      await expect(render({ n: 1, items: 5, Article })).to.be.rejectedWith('is not a list');
    });
  });

  it('reject wrong arguments at once', async () => {
    const faults: Record<string, string> = {
      '{% cachedAs nothing %}{% endcachedAs %}': 'the sample is undefined',
      '{% cachedAs %}{% endcachedAs %}': '0 arguments',
      '{% cached %}{% endcached %}': 'Give samples, or a timeout',
      '{% cached 60 %}{% endcached %}': 'timeout=…',
      '{% cached timeuot=60 %}{% endcached %}': "Did you mean 'timeout'",
      '{% cached timeout="60" %}{% endcached %}': 'not a whole number of seconds',
      '{% cached timeout=60, extra=f %}{% endcached %}': 'extra',
    };
    for (const [text, message] of Object.entries(faults)) {
      await expect(template(text)({ f: () => 1 }), text).to.be.rejectedWith(message);
    }
    expect(() => template('', { tags: { cached: () => ({}) } })).to.throw(CacheopsError, 'no other tag');
    expect(() => template('', { tag: {} } as never)).to.throw(CacheopsError, "Did you mean 'tags'");
  });
});
