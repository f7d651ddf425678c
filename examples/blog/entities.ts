import { Collection, type Opt, type Rel } from '@mikro-orm/core';
import { Entity, ManyToOne, OneToMany, PrimaryKey, Property } from '@mikro-orm/decorators/legacy';
import { Cached } from 'mikro-orm-cacheops';

@Entity()
@Cached()
export class Article {
  @PrimaryKey()
  id!: number;

  @Property()
  title!: string;

  @Property({ type: 'text' })
  text!: string;

  @OneToMany(
    () => Comment,
    comment => comment.article,
  )
  comments = new Collection<Comment>(this);
}

@Entity()
@Cached()
export class Comment {
  @PrimaryKey()
  id!: number;

  @ManyToOne(() => Article)
  article!: Rel<Article>;

  @Property()
  author!: string;

  @Property({ type: 'text' })
  text!: string;

  @Property()
  createdAt: Opt<Date> = new Date();
}
