import fc from 'fast-check';
import { record, someOf } from './arbitrary.js';
import { isCompared } from './conditions.js';
import { type Kind, modelOf } from './model.js';
import { SHAPE_TOPICS } from './shapes.js';

/** The subject of a history, so that its writes matter to its queries. */
export interface Topic {
  /** entities with related rows */
  readonly kinds: readonly Kind[];
  /** the entity used most */
  readonly focus: Kind;
  /** the properties that most conditions compare and most writes set */
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
  ['Measure'],
  ['Wording'],
  ['Bundle'],
  ['Bundle', 'Measure', 'Wording'],
  ...SHAPE_TOPICS,
];

/** ORACLE_ABOUT=Measure,Bundle: only topics with one of these entities. */
const ABOUT = process.env.ORACLE_ABOUT?.split(',');
const chosen = KINDS.filter(kinds => !ABOUT || kinds.some(kind => ABOUT.includes(kind)));

export const topics: fc.Arbitrary<Topic> = fc.constantFrom(...chosen).chain(kinds =>
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
    ...Object.keys(fields).filter(name => isCompared(fields[name]!) || name === 'home'),
    ...Object.keys(toOne),
  ];
}

/** Any of them, the one in focus most often. */
export function kindsOf({ kinds, focus }: Topic): fc.Arbitrary<Kind> {
  return fc.constantFrom(...kinds, focus, focus);
}

/** Any of them that can be written, the one in focus most often. */
export function writableKindsOf({ kinds, focus }: Topic): fc.Arbitrary<Kind> {
  return fc.constantFrom(...[...kinds, focus, focus].filter(kind => !modelOf(kind).isReadOnly));
}
