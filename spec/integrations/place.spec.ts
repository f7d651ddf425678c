import { expect } from 'chai';
import { claimPlace, nameOfPlace, type Place } from '../../lib/integrations/views/place.js';

describe('names of places', () => {
  const placeOf = (text: string | undefined, ...parts: object[]): Place => ({ parts, describe: () => text });

  it('are derived from the description, so that they are the same in every process', () => {
    const name = nameOfPlace(placeOf('route /a', {}));
    expect(name).to.match(/^[\w-]{43}$/);
    // SHA-256: without anything of this process
    expect(nameOfPlace(placeOf('route /b', {}))).to.equal('S0cIGXO5ZbskxhK5aPofua_hwhABqDoPpSQapaKn6oI');
  });

  it('are stable for the same parts', () => {
    const parts = [{}, {}];
    const name = nameOfPlace(placeOf('route /c', ...parts));
    expect(nameOfPlace(placeOf('route /c', ...parts))).to.equal(name);
    expect(nameOfPlace(placeOf(undefined, ...parts))).to.equal(name); // describe() is called once
  });

  it('are unique to a process and a place if two places have the same description', () => {
    const [one, two] = [placeOf('route /d', {}), placeOf('route /d', {})];
    const before = nameOfPlace(one);
    claimPlace(two);
    const names = [nameOfPlace(one), nameOfPlace(two)];
    expect(new Set([before, ...names]).size).to.equal(3);
    expect([nameOfPlace(one), nameOfPlace(two)]).to.deep.equal(names);
  });

  it('are unique to a process without a description, or with a native function in it', () => {
    for (const text of [undefined, `route ${(() => {}).bind(null)}`]) {
      const [one, two] = [placeOf(text, {}), placeOf(text, {})];
      expect(nameOfPlace(one)).to.not.equal(nameOfPlace(two));
      expect(nameOfPlace(one)).to.match(/^[\da-f-]{36} $/);
    }
  });
});
