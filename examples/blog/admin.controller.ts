import { EntityManager } from '@mikro-orm/core';
import { Body, Controller, Param, ParseIntPipe, Post, Redirect } from '@nestjs/common';
import { Article, Comment } from './entities.js';

/** Changes articles and comments. It has no code for the cache. */
@Controller()
export class AdminController {
  constructor(private readonly em: EntityManager) {}

  @Post('admin/articles/:id')
  @Redirect(undefined, 303)
  async edit(@Param('id', ParseIntPipe) id: number, @Body('title') title: string) {
    const article = await this.em.findOneOrFail(Article, id);
    article.title = title;
    await this.em.flush();
    return { url: `/articles/${id}` };
  }

  @Post('articles/:id/comments')
  @Redirect(undefined, 303)
  async comment(@Param('id', ParseIntPipe) id: number, @Body() { author, text }: Record<string, string>) {
    this.em.create(Comment, { article: id, author: author!, text: text! });
    await this.em.flush();
    return { url: `/articles/${id}` };
  }
}
