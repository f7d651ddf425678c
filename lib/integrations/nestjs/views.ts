import { applyDecorators, SetMetadata, UseInterceptors } from '@nestjs/common';
import type { Samples } from '../answers.js';
import type { ViewOptions } from '../views/options.js';
import { View } from '../views/view.js';
import { CachedViewInterceptor } from './interceptor.js';
import { VIEW } from './view_of.js';

/** Options of a view in a Nest application, which uses the ORM of the module. */
export type NestViewOptions<R> = Omit<ViewOptions<R>, 'orm'>;

/**
 * Caches the responses of a controller's method, or of all methods of a controller, for some time. It needs
 * {@link CacheopsModule} in the application.
 *
 * ```ts
 * @Get('about')
 * @CachedView({ timeout: 60 })
 * about() { … }
 * ```
 */
export function CachedView<R = any>(options: NestViewOptions<R>): MethodDecorator & ClassDecorator {
  return decorate(new View<R>('@CachedView()', undefined, options));
}

/**
 * Caches the responses of a controller's method, or of all methods of a controller, until a row of the samples changes.
 *
 * ```ts
 * @Get(':category')
 * @CachedViewAs((req: Request) => ({ entity: Article, where: { category: Number(req.params.category) } }))
 * list(@Param('category') category: number) { … }
 * ```
 *
 * @param samples an entity, a class of entities, `{ entity, where }`, a query builder, an array of those, or a
 * function of the request that returns one
 */
export function CachedViewAs<R = any>(
  samples: Samples<[R]>,
  options: NestViewOptions<R> = {},
): MethodDecorator & ClassDecorator {
  return decorate(new View<R>('@CachedViewAs()', samples, options));
}

function decorate(view: View<any>): MethodDecorator & ClassDecorator {
  return applyDecorators(SetMetadata(VIEW, view), UseInterceptors(CachedViewInterceptor));
}
