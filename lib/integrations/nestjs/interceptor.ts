import { EntityManager, MikroORM, RequestContext } from '@mikro-orm/core';
import {
  type CallHandler,
  type ExecutionContext,
  Inject,
  Injectable,
  type NestInterceptor,
} from '@nestjs/common';
import { ContextIdFactory, ModuleRef } from '@nestjs/core';
import { Observable } from 'rxjs';
import { CacheopsError } from '../../config/error.js';
import type { View } from '../views/view.js';
import { placeOf, versionOf } from './place.js';
import { exchangeOf } from './platform.js';
import { VIEW } from './view_of.js';

/**
 * Serves the stored responses of methods with `@CachedView()` or `@CachedViewAs()`, which install it.
 *
 * Nest sends the response after the interceptors have returned, so it is captured at the platform's response.
 */
export class CachedViewInterceptor implements NestInterceptor {
  readonly #orm: MikroORM;
  readonly #modules: ModuleRef;

  constructor(orm: MikroORM, modules: ModuleRef) {
    this.#orm = orm;
    this.#modules = modules;
  }

  async intercept(context: ExecutionContext, next: CallHandler): Promise<Observable<unknown>> {
    const view: View<unknown> =
      Reflect.getMetadata(VIEW, context.getHandler()) ?? Reflect.getMetadata(VIEW, context.getClass());
    const request = context.switchToHttp().getRequest<object>();
    const exchange =
      context.getType() === 'http' && exchangeOf(request, context.switchToHttp().getResponse<object>());
    if (!exchange) {
      throw new CacheopsError('@CachedView() is for controllers of HTTP, on Express or Fastify.');
    }
    const viewRequest = exchange.viewRequest(placeOf(context, this.#modules));
    const version = versionOf(request, this.#modules);
    const viewRun = exchange.headersSent ? undefined : view.begin({ ...viewRequest, ...version });
    if (!viewRun) {
      return next.handle();
    }
    const em = await this.#entityManager(request);
    return new Observable(subscriber => {
      const run = () => {
        const kept = viewRequest.method === 'HEAD' ? Promise.resolve(undefined) : exchange.capture(viewRun);
        next.handle().subscribe(subscriber);
        return kept;
      };
      viewRun.serve(run, em).then(
        stored => {
          if (stored) {
            exchange.answerInstead(viewRun, stored);
            subscriber.next(undefined);
            subscriber.complete();
          }
        },
        error => subscriber.error(error),
      );
    });
  }

  /** The EntityManager of the request, from MikroORM's `RequestContext` or from Nest. */
  async #entityManager(request: object): Promise<EntityManager> {
    const name = this.#orm.config.get('contextName');
    const current = RequestContext.getEntityManager(name);
    if (current) {
      return current;
    }
    const contextId = ContextIdFactory.getByRequest(request as never);
    return this.#modules.resolve(EntityManager, contextId, { strict: false });
  }
}

// like the decorators @Injectable() and @Inject()
Injectable()(CachedViewInterceptor);
Inject(MikroORM)(CachedViewInterceptor, undefined, 0);
Inject(ModuleRef)(CachedViewInterceptor, undefined, 1);
