import { join } from 'node:path';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { addCachedTags } from 'mikro-orm-cacheops/nunjucks';
import nunjucks from 'nunjucks';

/** Has Nunjucks render the pages, with tags that keep pieces of them. */
export function useTemplates(app: NestExpressApplication): void {
  const templates = nunjucks.configure(join(import.meta.dirname, 'views'), {
    autoescape: true,
    express: app.getHttpAdapter().getInstance(),
  });
  addCachedTags(templates);
  // {{ articles | load }}: what a piece shows is loaded when it is rendered, not before
  templates.addFilter(
    'load',
    (load: () => Promise<unknown>, done: (error: unknown, result?: unknown) => void) => {
      load().then(result => done(null, result), done);
    },
    true,
  );
}
