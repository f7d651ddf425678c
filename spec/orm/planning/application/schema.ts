import { defineEntity, p } from '@mikro-orm/core';

const cacheops = { timeout: 86_400 } as const;

export const Tenant = defineEntity({
  name: 'Tenant',
  cacheops,
  properties: { id: p.integer().primary(), name: p.string() },
});

export const User = defineEntity({
  name: 'User',
  cacheops,
  discriminatorColumn: 'kind',
  discriminatorValue: 'user',
  properties: {
    id: p.integer().primary(),
    kind: p.string(),
    name: p.string(),
    seen: p.integer().default(0),
  },
});

export const Staff = defineEntity({
  name: 'Staff',
  cacheops,
  extends: User,
  discriminatorValue: 'staff',
  properties: { room: p.string().nullable() },
});

export const Customer = defineEntity({
  name: 'Customer',
  cacheops,
  extends: User,
  discriminatorValue: 'customer',
  properties: { level: p.integer().nullable() },
});

export const Tag = defineEntity({
  name: 'Tag',
  cacheops,
  properties: { id: p.integer().primary(), name: p.string() },
});

export const Category = defineEntity({
  name: 'Category',
  cacheops,
  properties: {
    id: p.integer().primary(),
    tenant: () => p.manyToOne(Tenant),
    parent: () => p.manyToOne(Category).nullable(),
    children: () => p.oneToMany(Category).mappedBy('parent'),
    name: p.string(),
    position: p.integer().default(0),
  },
});

export const Article = defineEntity({
  name: 'Article',
  cacheops,
  filters: { alive: { name: 'alive', cond: { deletedAt: null }, default: true } },
  properties: {
    id: p.integer().primary(),
    tenant: () => p.manyToOne(Tenant),
    author: () => p.manyToOne(Staff).nullable().deleteRule('set null'),
    category: () => p.manyToOne(Category),
    status: p.string(),
    title: p.string(),
    views: p.integer().default(0),
    createdAt: p.datetime(),
    deletedAt: p.datetime().nullable(),
    meta: p.json<{ lang: string; featured: boolean }>().nullable(),
    tags: () => p.manyToMany(Tag).owner(),
    comments: () => p.oneToMany(Comment).mappedBy('article'),
  },
});

export const Comment = defineEntity({
  name: 'Comment',
  cacheops,
  properties: {
    id: p.integer().primary(),
    article: () => p.manyToOne(Article).deleteRule('cascade').index(),
    author: () => p.manyToOne(Customer).nullable().deleteRule('set null').index(),
    approved: p.boolean(),
    body: p.string(),
  },
});

export const Order = defineEntity({
  name: 'Order',
  cacheops,
  properties: {
    tenant: () => p.manyToOne(Tenant).primary(),
    number: p.integer().primary(),
    status: p.string(),
    customer: () => p.manyToOne(Customer).nullable().deleteRule('set null').index(),
    placedAt: p.datetime().nullable(),
    lines: () => p.oneToMany(OrderLine).mappedBy('ord'),
  },
});

export const Product = defineEntity({
  name: 'Product',
  cacheops,
  properties: {
    id: p.integer().primary(),
    tenant: () => p.manyToOne(Tenant),
    name: p.string(),
    price: p.integer(),
    stock: p.integer(),
  },
});

export const OrderLine = defineEntity({
  name: 'OrderLine',
  cacheops,
  properties: {
    id: p.integer().primary(),
    ord: () => p.manyToOne(Order).index(),
    product: () => p.manyToOne(Product).nullable(),
    quantity: p.integer(),
  },
});

export const entities = [
  ...[Tenant, User, Staff, Customer, Tag, Category, Article, Comment, Order, Product, OrderLine],
];
