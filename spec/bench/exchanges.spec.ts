import { expect } from 'chai';
import { countExchanges } from '../../bench/exchanges/count.js';
import { differences } from '../../bench/exchanges/report.js';

describe('The exchanges with PostgreSQL and Redis', () => {
  it('are as many as expected, for each operation', async () => {
    expect(differences(await countExchanges()).join('\n')).to.equal('');
  });
});
