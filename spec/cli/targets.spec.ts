import { expect } from 'chai';
import { entityNamed, parseTarget } from '../../lib/cli/targets.js';
import { UsageError } from '../../lib/cli/usage.js';

describe('Targets of the command line', () => {
  const entities = [
    { className: 'Article', tableName: 'article', schema: 'public' },
    { className: 'Note', tableName: 'notes', schema: 'blog' },
    { className: 'Newsletter', tableName: 'newsletter', schema: 'public' },
    { className: 'blog', tableName: 'weblog', schema: 'public' },
  ];

  for (const [text, target] of Object.entries({
    all: { kind: 'all' },
    Article: { kind: 'entities', names: ['Article'] },
    'blog.Note': { kind: 'entities', names: ['Note'] },
    'blog.notes': { kind: 'entities', names: ['Note'] },
    'blog.*': { kind: 'entities', names: ['Note'] },
    'N*': { kind: 'entities', names: ['Note', 'Newsletter'] },
    '*': { kind: 'entities', names: ['Article', 'Note', 'Newsletter', 'blog'] },
    'Article.34': { kind: 'row', name: 'Article', key: '34' },
    'Article.-1.5': { kind: 'row', name: 'Article', key: '-1.5' },
    'public.Article.34': { kind: 'row', name: 'Article', key: '34' },
    'blog.Note.a.b': { kind: 'row', name: 'Note', key: 'a.b' },
    'blog.34': { kind: 'row', name: 'blog', key: '34' },
  })) {
    it(`include ${text}`, () => {
      expect(parseTarget(text, entities)).to.deep.equal(target);
    });
  }

  for (const [text, message] of Object.entries({
    Artcle: "Did you mean 'Article'?",
    'Artcle.34': "Did you mean 'Article.34'?",
    'Article.': 'no entity has such a name',
    'shop.*': 'no entity has such a name',
    Quux: 'There are Article, Newsletter, Note, blog.',
  })) {
    it(`do not include ${text}, and the error suggests a name`, () => {
      expect(() => parseTarget(text, entities)).to.throw(UsageError, message);
    });
  }

  it('are a single entity where one is required', () => {
    expect(entityNamed('blog.Note', entities)).to.equal('Note');
    for (const text of ['N*', 'all', 'Article.34']) {
      expect(() => entityNamed(text, entities), text).to.throw(UsageError, 'one entity');
    }
  });
});
