import { expect } from 'chai';
import fc from 'fast-check';
import type { Canonical } from '../../lib/values/comparable.js';
import { dependencyOf, encodeValues, schemeOf } from '../../lib/values/encode.js';

/** The punctuation of the encodings, and text that looks like it. */
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
  it('the same columns in any order have the same scheme object', () => {
    fc.assert(
      fc.property(fc.uniqueArray(column, { maxLength: 4 }), columns => {
        expect(schemeOf([...columns].reverse())).to.equal(schemeOf(columns));
      }),
    );
  });

  it('different columns have different scheme ids', () => {
    const columns = fc.uniqueArray(column, { maxLength: 3 });
    fc.assert(
      fc.property(columns, columns, (a, b) => {
        const same = a.length === b.length && a.every(name => b.includes(name));
        expect(schemeOf(a).id === schemeOf(b).id).to.equal(same);
      }),
    );
  });

  it('schemes that read or test different columns have different ids', () => {
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

  it('the number of remembered schemes is bounded, because queries may name any number of paths within a column', () => {
    const first = schemeOf(['["meta","first"]']);
    for (let i = 0; i < 20_000; i++) {
      schemeOf([`["meta","${i}"]`]);
    }
    const again = schemeOf(['["meta","first"]']);
    expect(again).to.deep.equal(first);
    expect(again).to.not.equal(first);
  });

  it('a scheme contains the columns of its id', () => {
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
  it('different values have different encodings', () => {
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

  it('NULL has another encoding than every text', () => {
    fc.assert(
      fc.property(part, text => {
        expect(encodeValues([text])).not.to.equal(encodeValues([null]));
      }),
    );
  });

  it('an encoding contains no punctuation of store keys', () => {
    fc.assert(
      fc.property(part, text => {
        expect(encodeValues([text])).not.to.match(/[{}:*?[\]\\!,\n\0]/);
      }),
    );
  });
});

describe('dependencyOf', () => {
  it('the same columns and values in any order have the same dependency', () => {
    fc.assert(
      fc.property(conjunction, values => {
        expect(dependencyOf(new Map([...values].reverse()))).to.deep.equal(dependencyOf(values));
      }),
    );
  });

  it('different columns or values have different dependencies', () => {
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
