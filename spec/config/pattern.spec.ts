import { expect } from 'chai';
import { array, assert, constantFrom, property, string } from 'fast-check';
import { type EntityNames, parseKey } from '../../lib/config/pattern.js';

const user: EntityNames = { className: 'User', tableName: 'users', schema: 'auth' };
const newsItem: EntityNames = { className: 'NewsItem', tableName: 'news_item', schema: 'public' };
const homeless: EntityNames = { className: 'User', tableName: 'users', schema: undefined };

function matching(text: string): EntityNames[] {
  const key = parseKey(text);
  return [user, newsItem, homeless].filter(entity => key.matches(entity));
}

describe('keys of profiles', () => {
  it('a name matches the entity of exactly that name', () => {
    expect(matching('User')).to.deep.equal([user, homeless]);
    expect(matching('user')).to.deep.equal([]);
    expect(matching('Use')).to.deep.equal([]);
    expect(matching('users')).to.deep.equal([]);
  });

  it('a pattern matches entities by their whole name', () => {
    expect(matching('News*')).to.deep.equal([newsItem]);
    expect(matching('*Item')).to.deep.equal([newsItem]);
    expect(matching('N*w*m')).to.deep.equal([newsItem]);
    expect(matching('NewsItem*')).to.deep.equal([newsItem]);
    expect(matching('ews*')).to.deep.equal([]);
    expect(matching('*')).to.deep.equal([user, newsItem, homeless]);
  });

  it('a key with a dot matches tables or entities of a database schema', () => {
    expect(matching('auth.*')).to.deep.equal([user]);
    expect(matching('auth.User')).to.deep.equal([user]);
    expect(matching('auth.users')).to.deep.equal([user]);
    expect(matching('*.news_*')).to.deep.equal([newsItem]);
    expect(matching('public.User')).to.deep.equal([]);
    expect(matching('*.*')).to.deep.equal([user, newsItem]);
  });

  it('no character but * is a wildcard', () => {
    expect(matching('a.th.users')).to.deep.equal([]);
    expect(matching('Use?')).to.deep.equal([]);
    expect(matching('U.er')).to.deep.equal([]);
    expect(matching('[U]ser')).to.deep.equal([]);
    expect(matching('User|NewsItem')).to.deep.equal([]);
  });

  it('a parsed key says whether it is exact, and how specific it is', () => {
    expect(parseKey('User')).to.include({ exact: true, literal: 4 });
    expect(parseKey('auth.User')).to.include({ exact: true, literal: 9 });
    expect(parseKey('U*r')).to.include({ exact: false, literal: 2 });
    expect(parseKey('**')).to.include({ exact: false, literal: 0 });
  });

  it('a key matches the same names as a slow and obvious matcher', async () => {
    const letters = constantFrom('a', 'b', '.', '\\', '+', '$', '\n', '*');
    const text = array(letters, { minLength: 1, maxLength: 6 }).map(parts => parts.join(''));
    const name = text.map(t => t.replaceAll('*', 'b'));
    await assert(
      property(text, name, name, (pattern, className, tableName) => {
        const entity = { className, tableName, schema: 'a' };
        const names = pattern.includes('.') ? [`a.${tableName}`, `a.${className}`] : [className];
        expect(parseKey(pattern).matches(entity)).to.equal(names.some(n => obviouslyMatches(pattern, n)));
      }),
      { numRuns: 2000 },
    );
  });

  it('a pattern made by cutting a name matches that name', async () => {
    const piece = string({ maxLength: 5 }).map(t => t.replaceAll('.', '_'));
    await assert(
      property(array(piece, { minLength: 2, maxLength: 4 }), pieces => {
        const entity = { className: pieces.join('infix'), tableName: 't', schema: undefined };
        expect(parseKey(pieces.join('*')).matches(entity)).to.equal(true);
      }),
    );
  });
});

function obviouslyMatches(pattern: string, text: string): boolean {
  if (pattern === '') {
    return text === '';
  }
  const [first, rest] = [pattern[0], pattern.slice(1)];
  if (first === '*') {
    return obviouslyMatches(rest, text) || (text !== '' && obviouslyMatches(pattern, text.slice(1)));
  }
  return text[0] === first && obviouslyMatches(rest, text.slice(1));
}
