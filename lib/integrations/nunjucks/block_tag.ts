import { hash } from 'node:crypto';
import nunjucks from 'nunjucks';
import type { FragmentRequest, Fragments } from '../templates/fragments.js';
import { splitArguments, type TagArguments } from './arguments.js';
import { blocksKey, containsBlock } from './blocks.js';
import { templateNameNode } from './template_name.js';

type Callback = (error: unknown, result?: unknown) => void;
type Body = (callback: Callback) => void;

/** The request of a tag; its default name is that of the template. */
export type Described = Omit<FragmentRequest, 'name' | 'key'> & { name?: string | undefined };

/** `{% tag … %} body {% endtag %}`: caches the body. */
export class BlockTag {
  readonly tag: string;
  readonly tags: readonly string[];
  readonly #fragments: Fragments;
  readonly #environment: () => string;
  readonly #describe: (given: TagArguments) => Described;

  /** @param environment returns a key of the environment in its present state */
  constructor(
    tag: string,
    fragments: Fragments,
    environment: () => string,
    describe: (given: TagArguments) => Described,
  ) {
    this.tag = tag;
    this.#environment = environment;
    this.tags = [tag];
    this.#fragments = fragments;
    this.#describe = describe;
  }

  /** Called by Nunjucks for the tag. */
  parse(parser: any, nodes: any): unknown {
    const token = parser.nextToken();
    const given = parser.parseSignature(null, true);
    parser.advanceAfterBlockEnd(token.value);
    const body = parser.parseUntilBlocks(`end${this.tag}`);
    parser.advanceAfterBlockEnd();
    given.children.unshift(...placeNodes(parser, nodes, token, body));
    return new nodes.CallExtensionAsync(`cacheops.${this.tag}`, 'run', given, [body]);
  }

  /** Called by the compiled template. */
  run(
    context: object,
    template: string | undefined,
    place: string,
    hasBlocks: boolean,
    ...rest: unknown[]
  ): void {
    const [body, callback] = rest.splice(-2) as [Body, Callback];
    const render = () =>
      new Promise<string>((resolve, reject) => {
        body((error, text) => (error ? reject(error) : resolve(String(text))));
      });
    const key = [template ?? null, place, hasBlocks && blocksKey(context)];
    this.#serve(splitArguments(rest), template, key, render).then(
      // escaped when it was rendered
      html => callback(null, new nunjucks.runtime.SafeString(html)),
      error => callback(error),
    );
  }

  async #serve(
    given: TagArguments,
    template: string | undefined,
    key: readonly unknown[],
    render: () => Promise<string>,
  ): Promise<string> {
    const { name = nameOf(template), ...rest } = this.#describe(given);
    return this.#fragments.serve(
      { ...rest, name, key: JSON.stringify([...key, this.#environment()]) },
      render,
    );
  }
}

/**
 * The template's name; the position, and a digest of the text, so that a deploy with another text has other fragments;
 * and whether the body depends on blocks of other templates.
 */
export function placeNodes(
  parser: any,
  nodes: any,
  token: { lineno: number; colno: number },
  body: unknown,
): unknown[] {
  const { lineno, colno } = token;
  const text = hash('sha256', parser.tokens.str, 'base64url').slice(0, 16);
  return [
    templateNameNode(nodes, lineno, colno),
    new nodes.Literal(lineno, colno, `${lineno}:${colno}:${text}`),
    new nodes.Literal(lineno, colno, containsBlock(body, nodes)),
  ];
}

/** Templates from a string have no name. */
export function nameOf(template: string | undefined): string {
  return template ?? 'a template without a name';
}
