import { MikroOrmModule } from '@mikro-orm/nestjs';
import { PostgreSqlDriver } from '@mikro-orm/postgresql';
import { Module } from '@nestjs/common';
import type { Extension } from 'mikro-orm-cacheops';
import { CACHEOPS_EXTENSION, CacheopsModule } from 'mikro-orm-cacheops/nestjs';
import { AdminController } from './admin.controller.js';
import { BlogController } from './blog.controller.js';
import { configuration } from './database.js';
import { StatisticsService } from './statistics.service.js';

@Module({
  imports: [
    CacheopsModule.forRootAsync({
      useFactory: () => ({
        ...(process.env.REDIS_URL && { redis: process.env.REDIS_URL }),
        storeTimeout: Number(process.env.STORE_TIMEOUT ?? 250),
        defaults: { timeout: 3600 },
      }),
    }),
    // gives every request an EntityManager of its own
    MikroOrmModule.forRootAsync({
      driver: PostgreSqlDriver,
      inject: [CACHEOPS_EXTENSION],
      useFactory: (extension: Extension) => configuration(process.env.DATABASE_URL!, extension),
    }),
  ],
  controllers: [BlogController, AdminController],
  providers: [StatisticsService],
})
export class AppModule {}
