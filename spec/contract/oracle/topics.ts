import fc from 'fast-check';
import { record, someOf } from './arbitrary.js';
import { type Kind, modelOf } from './model.js';

/** What a history is about, so that its writes matter to its queries. */
export interface Topic {
  /** their rows have to do with each other */
  readonly kinds: readonly Kind[];
  /** the one that most is about */
  readonly focus: Kind;
  /** of that one: what most conditions compare, and most writes set */
  readonly properties: readonly string[];
}

const KINDS: readonly (readonly Kind[])[] = [
  ['Article', 'Category'],
  ['Article', 'Author'],
  ['Article', 'Tag'],
  ['Article', 'Comment'],
  ['Article', 'ArticleTranslation'],
  ['Article', 'Author', 'Category', 'Comment', 'Tag'],
  ['Author', 'Comment'],
  ['Category'],
  ['Content', 'Page', 'Post', 'Video'],
  ['Project', 'Task'],
  ['Project', 'Budget', 'Author'],
  ['Task', 'Author'],
];

export const topics: fc.Arbitrary<Topic> = fc.constantFrom(...KINDS).chain(kinds =>
  fc.constantFrom(...kinds).chain(focus =>
    record<Topic>({
      kinds: fc.constant(kinds),
      focus: fc.constant(focus),
      properties: someOf(comparedProperties(focus), 1, 2),
    }),
  ),
);

function comparedProperties(kind: Kind): string[] {
  const { fields, toOne } = modelOf(kind);
  return [
    ...Object.keys(fields).filter(name => !fields[name]!.silent || name === 'home'),
    ...Object.keys(toOne),
  ];
}

/** Any of them, the one in focus most often. */
export function kindsOf({ kinds, focus }: Topic): fc.Arbitrary<Kind> {
  return fc.constantFrom(...kinds, focus, focus);
}
