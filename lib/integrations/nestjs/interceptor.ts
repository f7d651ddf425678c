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
 * Serves the answers of the methods that are decorated with `@CachedView()` and `@CachedViewAs()`, which put it there.
 *
 * Nest writes the answer after the interceptors have returned: so it is caught where it is written.
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
    const visit = exchange.visit(placeOf(context, this.#modules));
    const version = versionOf(request, this.#modules);
    const entered = exchange.headersSent ? undefined : view.enter({ ...visit, ...version });
    if (!entered) {
      return next.handle();
    }
    const em = await this.#entityManager(request);
    return new Observable(subscriber => {
      const run = () => {
        const kept = visit.method === 'HEAD' ? Promise.resolve(undefined) : exchange.capture(entered);
        next.handle().subscribe(subscriber);
        return kept;
      };
      entered.serve(run, em).then(
        stored => {
          if (stored) {
            exchange.answerInstead(entered, stored);
            subscriber.next(undefined);
            subscriber.complete();
          }
        },
        error => subscriber.error(error),
      );
    });
  }

  /** That of the request, be it Nest's or MikroORM's way to have one. */
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

// what the decorators @Injectable() and @Inject() do
Injectable()(CachedViewInterceptor);
Inject(MikroORM)(CachedViewInterceptor, undefined, 0);
Inject(ModuleRef)(CachedViewInterceptor, undefined, 1);
