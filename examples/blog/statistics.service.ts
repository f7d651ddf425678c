import { EntityManager } from '@mikro-orm/core';
import { Injectable } from '@nestjs/common';
import { CachedAs } from 'mikro-orm-cacheops';
import { Article, Comment } from './entities.js';

@Injectable()
export class StatisticsService {
  constructor(private readonly em: EntityManager) {}

  /** Computed again only after an article or a comment has changed. */
  @CachedAs([Article, Comment])
  async mostDiscussed(count: number): Promise<{ title: string; comments: number }[]> {
    const articles = await this.em.find(Article, {}, { populate: ['comments'], orderBy: { id: 'asc' } });
    return articles
      .map(({ title, comments }) => ({ title, comments: comments.length }))
      .sort((a, b) => b.comments - a.comments)
      .slice(0, count);
  }
}
