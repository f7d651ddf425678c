import { expect } from 'chai';
import { assert, property, string } from 'fast-check';
import { didYouMean, nearest } from '../../lib/config/nearest.js';

const OPS = ['get', 'fetch', 'count', 'aggregate', 'exists'];

describe('nearest', () => {
  it('finds the word that a typo meant', () => {
    expect(nearest('fecth', OPS)).to.equal('fetch');
    expect(nearest('feth', OPS)).to.equal('fetch');
    expect(nearest('cuont', OPS)).to.equal('count');
    expect(nearest('exist', OPS)).to.equal('exists');
    expect(nearest('agregates', OPS)).to.equal('aggregate');
    expect(nearest('egt', OPS)).to.equal('get');
  });

  it('ignores the case of letters', () => {
    expect(nearest('FETCH', OPS)).to.equal('fetch');
  });

  it('prefers the candidate with the fewest differences', () => {
    expect(nearest('users', ['User', 'Users', 'Usher'])).to.equal('Users');
  });

  it('gives nothing for a different word', () => {
    expect(nearest('delete', OPS)).to.equal(undefined);
    expect(nearest('cat', ['get'])).to.equal(undefined);
    expect(nearest('anything', [])).to.equal(undefined);
  });

  it('finds a word with one letter missing, added or swapped', async () => {
    const word = string({ minLength: 4, maxLength: 12, unit: 'grapheme-ascii' });
    await assert(
      property(word, word => {
        expect(nearest(word.slice(1), [word])).to.equal(word);
        expect(nearest(`${word}x`, [word])).to.equal(word);
        expect(nearest(word[1]! + word[0]! + word.slice(2), [word])).to.equal(word);
      }),
    );
  });
});

describe('didYouMean', () => {
  it('gives a sentence to append to a message', () => {
    expect(didYouMean('fetchh', OPS)).to.equal(" Did you mean 'fetch'?");
    expect(didYouMean('zzz', OPS)).to.equal('');
  });
});
