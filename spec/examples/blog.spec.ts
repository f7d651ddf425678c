import { MikroORM } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import { until } from '../support/until.js';
import { type BlogProcess, blogServers, type Servers, startBlog } from './blog.js';

describe('the example blog', function () {
  this.timeout(300_000);
  let servers: Servers;
  let database: MikroORM;
  let reader: BlogProcess;
  let editor: BlogProcess;

  before(async () => {
    servers = await blogServers();
    database = await MikroORM.init({
      clientUrl: servers.DATABASE_URL,
      entities: [],
      discovery: { warnWhenNoEntities: false },
    });
    [reader, editor] = await Promise.all([startBlog(servers), startBlog(servers)]);
  });

  after(async () => {
    await Promise.all([reader.kill9(), editor.kill9()]);
    await database.close();
  });

  const storedTitle = async () => {
    const [row] = await database.em.execute('select title from article where id = 1');
    return row!.title as string;
  };

  describe('with an editor in another process', () => {
    it('serves an article from the cache, and the edited one at the next request', async () => {
      for (let n = 1; n <= 10; n++) {
        await reader.untilCached('/articles/1');
        const { status } = await editor.post('/admin/articles/1', { title: `Edited <${n}>` });
        expect(status).to.equal(303);
        const page = await reader.get('/articles/1');
        expect(page.isCached).to.equal(false);
        expect(page.body).to.contain(`<h1>Edited &lt;${n}&gt;</h1>`);
        expect((await reader.untilCached('/articles/1')).body).to.equal(page.body);
      }
    });

    it('shows a new comment at the next request', async () => {
      await reader.untilCached('/articles/1');
      await editor.post('/articles/1/comments', { author: 'Bob', text: 'Is it & stays it?' });
      const { isCached, body } = await reader.get('/articles/1');
      expect(isCached).to.equal(false);
      expect(body).to.contain('<li>Bob: Is it &amp; stays it?</li>');
    });

    it('keeps the pages of other articles', async () => {
      await reader.untilCached('/articles/2');
      await editor.post('/admin/articles/1', { title: 'Another' });
      await editor.post('/articles/1/comments', { author: 'Bob', text: 'Again' });
      expect(await reader.get('/articles/2')).to.include({ status: 200, isCached: true });
    });

    it('answers 304 to a client with the page until it changes', async () => {
      const { etag } = await reader.untilCached('/articles/1');
      const headers = { 'if-none-match': etag! };
      expect(await reader.get('/articles/1', headers)).to.include({ status: 304, body: '' });
      await editor.post('/admin/articles/1', { title: 'Not what you have' });
      const page = await reader.get('/articles/1', headers);
      expect(page.status).to.equal(200);
      expect(page.body).to.contain('Not what you have');
    });

    it('caches fragments of a page that differs for each reader', async () => {
      const home = async (name: string) => {
        const before = await reader.stats();
        const { isCached, body } = await reader.get(`/?reader=${name}`);
        const after = await reader.stats();
        expect(isCached, 'as a whole').to.equal(false);
        expect(body).to.contain(`Hello, ${name}!`);
        return { body, hits: after.hits - before.hits, misses: after.misses - before.misses };
      };
      await until(async () => (await home('Ann')).misses === 0);
      // the list, and the statistics
      expect(await home('Bob')).to.include({ hits: 2, misses: 0 });
      await editor.post('/admin/articles/2', { title: 'On top' });
      for (const text of ['Me', 'too', 'and again', 'and on']) {
        await editor.post('/articles/2/comments', { author: 'Bob', text });
      }
      const { body } = await home('Ann');
      expect(body).to.contain('<a href="/articles/2">On top</a>');
      expect(body).to.contain('<li>On top: 4</li>');
    });
  });

  describe('when an editor is killed', () => {
    it('after its response, the page shows what it has written', async () => {
      await using victim = await startBlog(servers);
      await reader.untilCached('/articles/1');
      await victim.post('/admin/articles/1', { title: 'Last words' });
      await victim.kill9();
      expect((await reader.get('/articles/1')).body).to.contain('<h1>Last words</h1>');
    });

    it('after COMMIT, the page shows what it has written', async () => {
      await using victim = await startBlog(servers);
      await victim.get('/articles/1');
      await reader.untilCached('/articles/1');
      const asked = victim.post('/admin/articles/1', { title: 'Just committed' }).catch(() => {});
      await until(async () => (await storedTitle()) === 'Just committed', { interval: 0 });
      await victim.kill9();
      await asked;
      expect((await reader.get('/articles/1')).body).to.contain('<h1>Just committed</h1>');
    });

    it('within its transaction, the page is unchanged, and cached again', async () => {
      await using victim = await startBlog(servers);
      await victim.get('/articles/1');
      await reader.untilCached('/articles/1');
      const before = await storedTitle();
      await database.em.transactional(async em => {
        await em.execute('select 1 from article where id = 1 for update');
        const asked = victim.post('/admin/articles/1', { title: 'Never said' }).catch(() => {});
        await until(async () => {
          const waiting = "select 1 from pg_stat_activity where wait_event_type = 'Lock'";
          return (await database.em.execute(waiting)).length > 0;
        });
        await victim.kill9();
        await asked;
      });
      expect((await reader.get('/articles/1')).body).to.contain(`<h1>${before}</h1>`);
      expect((await reader.untilCached('/articles/1')).body).to.contain(`<h1>${before}</h1>`);
    });
  });
});
