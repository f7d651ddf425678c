import nunjucks from 'nunjucks';

/**
 * Nunjucks passes the template's name to an extension neither when parsing nor when rendering. Only its compiler has
 * it, so this adds a node type that compiles to the name as a literal.
 */
const TYPE = 'CacheopsTemplateName';

interface Compiler {
  _emit(code: string): void;
  _templateName(): string;
}

const { Compiler } = (nunjucks as any).compiler as { Compiler: { prototype: Record<string, unknown> } };

Compiler.prototype[`compile${TYPE}`] = function (this: Compiler) {
  this._emit(this._templateName());
};

/** @param nodes nunjucks' own */
export function templateNameNode(nodes: any, line: number, column: number): unknown {
  // a subclass that is allowed among arguments
  const node = new nodes.Literal(line, column, null);
  Object.defineProperty(node, 'typename', { value: TYPE });
  return node;
}
