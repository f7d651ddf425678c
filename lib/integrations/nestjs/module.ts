import { MikroORM } from '@mikro-orm/core';
import { type DynamicModule, type FactoryProvider, Module, type ModuleMetadata } from '@nestjs/common';
import type { CacheopsOptions } from '../../config/options.js';
import { cacheops, type Extension } from '../../extension.js';
import { Cacheops, getCacheops } from '../../orm/api/handle.js';

/** Injects the extension, for `extensions` of MikroORM's configuration. */
export const CACHEOPS_EXTENSION = Symbol('cacheops extension');
const OPTIONS = Symbol('cacheops options');

export interface CacheopsModuleAsyncOptions extends Pick<ModuleMetadata, 'imports'> {
  inject?: FactoryProvider['inject'];
  useFactory: (...args: any[]) => CacheopsOptions | Promise<CacheopsOptions>;
}

/**
 * Provides the extension for MikroORM's configuration, the handle `Cacheops`, and the dependencies of `@CachedView()`
 * and `@CachedViewAs()`. It is global.
 *
 * ```ts
 * @Module({
 *   imports: [
 *     CacheopsModule.forRoot({ redis: 'redis://127.0.0.1:6379/1' }),
 *     MikroOrmModule.forRootAsync({
 *       driver: PostgreSqlDriver,
 *       inject: [CACHEOPS_EXTENSION],
 *       useFactory: (extension: Extension) => ({ driver: PostgreSqlDriver, dbName: 'blog', extensions: [extension] }),
 *     }),
 *   ],
 * })
 * class AppModule {}
 * ```
 *
 * If `cacheops(…)` is in that configuration already, `CacheopsModule.forRoot()` is enough.
 */
// biome-ignore lint/complexity/noStaticOnlyClass: a Nest module is a class
export class CacheopsModule {
  /** @throws CacheopsError if an option is wrong */
  static forRoot(options: CacheopsOptions = {}): DynamicModule {
    return dynamic({ provide: CACHEOPS_EXTENSION, useValue: cacheops(options) });
  }

  /** The application does not start if an option is wrong. */
  static forRootAsync({ imports, inject, useFactory }: CacheopsModuleAsyncOptions): DynamicModule {
    const options = { provide: OPTIONS, inject: inject ?? [], useFactory };
    const extension = {
      provide: CACHEOPS_EXTENSION,
      inject: [OPTIONS],
      useFactory: (given: CacheopsOptions): Extension => cacheops(given),
    };
    return { ...dynamic(options, extension), imports: imports ?? [] };
  }
}

function dynamic(...providers: NonNullable<DynamicModule['providers']>): DynamicModule {
  const handle = {
    provide: Cacheops,
    inject: [MikroORM],
    useFactory: (orm: MikroORM): Cacheops => getCacheops(orm),
  };
  return {
    module: CacheopsModule,
    global: true,
    providers: [...providers, handle],
    exports: [CACHEOPS_EXTENSION, Cacheops],
  };
}

Module({})(CacheopsModule);
