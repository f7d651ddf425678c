import { join } from 'node:path';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { addCachedTags } from 'mikro-orm-cacheops/nunjucks';
import nunjucks from 'nunjucks';

// the compiler leaves them where they are
const VIEWS = join(import.meta.dirname, '..', '..', '..', 'examples', 'blog', 'views');

/** Renders the pages by Nunjucks, with tags that cache fragments. */
export function useTemplates(app: NestExpressApplication): void {
  const templates = nunjucks.configure(VIEWS, {
    autoescape: true,
    express: app.getHttpAdapter().getInstance(),
  });
  addCachedTags(templates);
  // {{ articles | load }}: a fragment loads its rows when it is rendered
  templates.addFilter(
    'load',
    (load: () => Promise<unknown>, done: (error: unknown, result?: unknown) => void) => {
      load().then(result => done(null, result), done);
    },
    true,
  );
}
