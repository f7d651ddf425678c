import { hash } from 'node:crypto';

/** The private member of a context with the blocks of a page's templates, compiled, and the youngest first. */
interface Context {
  readonly blocks?: Readonly<Record<string, readonly unknown[]>>;
}

/** Does the body of a tag contain `{% block %}` or `super()`, which another template fills in? */
export function containsBlock(node: unknown, nodes: any): boolean {
  if (Array.isArray(node)) {
    return node.some(item => containsBlock(item, nodes));
  }
  if (!(node instanceof nodes.Node)) {
    return false;
  }
  const { fields, name } = node as { fields: readonly string[]; name?: { value?: unknown } };
  const isBlock = node instanceof nodes.Block || (node instanceof nodes.FunCall && name?.value === 'super');
  return isBlock || fields.some(field => containsBlock((node as Record<string, unknown>)[field], nodes));
}

/** A digest of the blocks of a page: of the template that is rendered, and of those that it extends. */
export function blocksKey({ blocks = {} }: Context): string {
  const texts = Object.entries(blocks).map(([name, all]) => [name, all.map(String)]);
  return hash('sha256', JSON.stringify(texts.sort()), 'base64url');
}
