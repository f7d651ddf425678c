import { expect } from 'chai';
import fc from 'fast-check';
import type { Canonical } from '../../lib/values/comparable.js';
import { dependencyOf, encodeValues, schemeOf } from '../../lib/values/encode.js';

/** What the encodings use as punctuation, and what looks like it. */
const part = fc
  .array(
    fc.constantFrom(
      'a',
      'b',
      '!',
      ',',
      '%',
      '%002c',
      ':',
      '{',
      '}',
      '*',
      '?',
      '[',
      '\\',
      '\0',
      '\n',
      ' ',
      'é',
      '😀',
      '-',
    ),
    { maxLength: 4 },
  )
  .map(parts => parts.join(''));
const column = part.filter(name => name !== '');
const value = fc.oneof(part, fc.constant(null));
const conjunction = fc
  .array(fc.tuple(column, value), { maxLength: 3 })
  .map(columns => new Map<string, Canonical>(columns));

function sorted(columns: readonly string[] | undefined): readonly string[] | null {
  return columns ? [...columns].sort() : null;
}

describe('schemeOf', () => {
  it('gives the same object for the same columns, in whatever order', () => {
    fc.assert(
      fc.property(fc.uniqueArray(column, { maxLength: 4 }), columns => {
        expect(schemeOf([...columns].reverse())).to.equal(schemeOf(columns));
      }),
    );
  });

  it('gives another id for other columns', () => {
    const columns = fc.uniqueArray(column, { maxLength: 3 });
    fc.assert(
      fc.property(columns, columns, (a, b) => {
        const same = a.length === b.length && a.every(name => b.includes(name));
        expect(schemeOf(a).id === schemeOf(b).id).to.equal(same);
      }),
    );
  });

  it('gives another id for other columns read or tested', () => {
    const columns = fc.uniqueArray(column, { maxLength: 2 });
    const shape = fc.tuple(columns, fc.option(columns, { nil: undefined }), columns);
    fc.assert(
      fc.property(shape, shape, (a, b) => {
        const [one, other] = [schemeOf(...a), schemeOf(...b)];
        const same = JSON.stringify(a.map(sorted)) === JSON.stringify(b.map(sorted));
        expect(one.id === other.id).to.equal(same);
        expect(one === other).to.equal(same);
      }),
    );
  });

  it('does not remember all that it was ever asked for: paths into documents are as many as users think of', () => {
    const first = schemeOf(['["meta","first"]']);
    for (let i = 0; i < 20_000; i++) {
      schemeOf([`["meta","${i}"]`]);
    }
    const again = schemeOf(['["meta","first"]']);
    expect(again).to.deep.equal(first);
    expect(again).to.not.equal(first);
  });

  it('says what it is the id of', () => {
    expect(schemeOf(['b', 'a'])).to.deep.equal({ id: 'a,b', columns: ['a', 'b'] });
    expect(schemeOf(['a'], [])).to.deep.equal({ id: 'a!', columns: ['a'], reads: [] });
    expect(schemeOf([], ['y', 'x'], ['z'])).to.deep.equal({
      id: '!x,y?z',
      columns: [],
      reads: ['x', 'y'],
      tests: ['z'],
    });
    expect(schemeOf(['a'], undefined, ['z'])).to.deep.equal({ id: 'a?z', columns: ['a'], tests: ['z'] });
  });
});

describe('encodeValues', () => {
  it('gives other text for other values', () => {
    const pair = fc.nat(3).chain(length => {
      const values = fc.array(value, { minLength: length, maxLength: length });
      return fc.tuple(values, values);
    });
    fc.assert(
      fc.property(pair, ([a, b]) => {
        const same = a.every((item, i) => item === b[i]);
        expect(encodeValues(a) === encodeValues(b)).to.equal(same);
      }),
      { numRuns: 2000 },
    );
  });

  it('tells NULL from every text', () => {
    fc.assert(
      fc.property(part, text => {
        expect(encodeValues([text])).not.to.equal(encodeValues([null]));
      }),
    );
  });

  it('leaves no punctuation of keys in the text', () => {
    fc.assert(
      fc.property(part, text => {
        expect(encodeValues([text])).not.to.match(/[{}:*?[\]\\!,\n\0]/);
      }),
    );
  });
});

describe('dependencyOf', () => {
  it('is the same for the same columns and values, in whatever order', () => {
    fc.assert(
      fc.property(conjunction, values => {
        expect(dependencyOf(new Map([...values].reverse()))).to.deep.equal(dependencyOf(values));
      }),
    );
  });

  it('is another one for other columns or values', () => {
    const id = (values: Map<string, Canonical>) => {
      const { scheme, values: encoded } = dependencyOf(values);
      return `${scheme.id}:${encoded}`;
    };
    const text = (values: Map<string, Canonical>) =>
      JSON.stringify([...values].sort(([a], [b]) => (a < b ? -1 : 1)));
    fc.assert(
      fc.property(conjunction, conjunction, (a, b) => {
        expect(id(a) === id(b)).to.equal(text(a) === text(b));
      }),
      { numRuns: 2000 },
    );
  });
});
