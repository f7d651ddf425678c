import { helper } from '@mikro-orm/core';
import nunjucks from 'nunjucks';
import { show } from '../../config/check.js';
import { CacheopsError } from '../../config/error.js';
import type { Samples } from '../answers.js';
import type { FragmentOptions, Fragments } from '../templates/fragments.js';
import { checkArguments, splitArguments } from './arguments.js';
import { nameOf, placeNodes } from './block_tag.js';
import { blocksKey } from './blocks.js';

type Callback = (error: unknown, result?: unknown) => void;
type RenderItem = (item: unknown) => unknown;

/**
 * `{% tag 3, item in items %} body {% endtag %}`: some random items of a list.
 *
 * The output of each item is cached. So an item is rendered when it is first chosen, and again only after it has
 * changed.
 */
export class RandomTag {
  readonly tag: string;
  readonly tags: readonly string[];
  readonly #fragments: Fragments;

  readonly #environment: () => string;

  /** @param environment returns a key of the environment in its present state */
  constructor(tag: string, fragments: Fragments, environment: () => string) {
    this.tag = tag;
    this.#environment = environment;
    this.tags = [tag];
    this.#fragments = fragments;
  }

  /** Called by Nunjucks for the tag. */
  parse(parser: any, nodes: any): unknown {
    const token = parser.nextToken();
    const { lineno, colno } = token;
    const given = parser.parseSignature(null, true);
    parser.advanceAfterBlockEnd(token.value);
    const body = parser.parseUntilBlocks(`end${this.tag}`);
    parser.advanceAfterBlockEnd();
    const [count, items, ...rest] = given.children;
    if (!(items instanceof nodes.In) || !(items.left instanceof nodes.Symbol)) {
      parser.fail(
        `{% ${this.tag} %}: give a number and a list: {% ${this.tag} 3, item in items %}`,
        lineno,
        colno,
      );
    }
    // compiles the body to a function of the item, like {% call(item) %}
    const parameters = new nodes.NodeList(lineno, colno, [items.left]);
    const render = new nodes.Caller(
      lineno,
      colno,
      new nodes.Symbol(lineno, colno, 'caller'),
      parameters,
      body,
    );
    const all = [...placeNodes(parser, nodes, token, body), render, count, items.right, ...rest];
    return new nodes.CallExtensionAsync(
      `cacheops.${this.tag}`,
      'run',
      new nodes.NodeList(lineno, colno, all),
    );
  }

  /** Called by the compiled template. */
  run(
    context: object,
    template: string | undefined,
    place: string,
    hasBlocks: boolean,
    render: RenderItem,
    count: unknown,
    items: unknown,
    ...rest: unknown[]
  ): void {
    const callback = rest.pop() as Callback;
    const key = [template ?? null, place, hasBlocks && blocksKey(context)];
    this.#render({ template, key, render, count, items, rest }).then(
      html => callback(null, new nunjucks.runtime.SafeString(html)),
      error => callback(error),
    );
  }

  async #render({ template, key: place, render, count, items, rest }: Rendering): Promise<string> {
    const given = splitArguments(rest);
    checkArguments(this.tag, given, [0, 0], ['sample', 'timeout', 'extra', 'name']);
    const { sample, extra, name = nameOf(template), ...options } = given.named as Named;
    if (!Number.isInteger(count) || (count as number) < 0) {
      throw new CacheopsError(
        `{% ${this.tag} %}: the number of items is ${show(count)}. Give a non-negative integer.`,
      );
    }
    const list = await (typeof items === 'function' ? items() : items);
    if (typeof list?.[Symbol.iterator] !== 'function') {
      throw new CacheopsError(
        `{% ${this.tag} %}: ${show(list)} is not a list. Give an array, or a function that returns one.`,
      );
    }
    const key = JSON.stringify([...place, this.#environment()]);
    const chosen = choose([...list], count as number);
    const html = await Promise.all(
      chosen.map(item =>
        this.#fragments.serve(
          {
            ...options,
            name,
            key,
            extra: [item, extra],
            samples: sample ?? (isEntity(item) ? (item as Samples<[]>) : undefined),
          },
          () => String(render(item)),
        ),
      ),
    );
    return html.join('');
  }
}

interface Rendering {
  readonly template: string | undefined;
  readonly key: readonly unknown[];
  readonly render: RenderItem;
  readonly count: unknown;
  readonly items: any;
  readonly rest: readonly unknown[];
}

type Named = FragmentOptions & { sample?: Samples<[]>; name?: string };

function isEntity(item: unknown): boolean {
  return typeof item === 'object' && item !== null && helper(item)?.__meta !== undefined;
}

/** Some random items, each at most once: the first steps of a Fisher–Yates shuffle. */
function choose<T>(items: T[], count: number): T[] {
  const most = Math.min(count, items.length);
  for (let i = 0; i < most; i++) {
    const j = i + Math.floor(Math.random() * (items.length - i));
    [items[i], items[j]] = [items[j]!, items[i]!];
  }
  return items.slice(0, most);
}
