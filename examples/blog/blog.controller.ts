import { EntityManager } from '@mikro-orm/core';
import { Controller, Get, NotFoundException, Param, ParseIntPipe, Query, Render } from '@nestjs/common';
import type { Request } from 'express';
import { CachedViewAs, Cacheops } from 'mikro-orm-cacheops/nestjs';
import { Article, Comment } from './entities.js';
import { StatisticsService } from './statistics.service.js';

@Controller()
export class BlogController {
  constructor(
    private readonly em: EntityManager,
    private readonly statistics: StatisticsService,
    private readonly cache: Cacheops,
  ) {}

  /** Not cached as a whole, because it greets its reader. The template caches fragments, which load their own rows. */
  @Get()
  @Render('home.njk')
  home(@Query('reader') reader = 'stranger') {
    return {
      reader,
      Article,
      articles: () => this.em.find(Article, {}, { orderBy: { id: 'asc' } }),
      mostDiscussed: () => this.statistics.mostDiscussed(3),
    };
  }

  /** The same for all readers: cached until this article or its comments change. */
  @Get('articles/:id')
  @CachedViewAs(({ params }: Request) => [
    { entity: Article, where: { id: Number(params.id) } },
    { entity: Comment, where: { article: Number(params.id) } },
  ])
  @Render('article.njk')
  async article(@Param('id', ParseIntPipe) id: number) {
    const article = await this.em.findOne(Article, id, {
      populate: ['comments'],
      populateOrderBy: { comments: { id: 'asc' } },
    });
    if (!article) {
      throw new NotFoundException();
    }
    return { article };
  }

  @Get('stats')
  stats() {
    return this.cache.stats();
  }
}
