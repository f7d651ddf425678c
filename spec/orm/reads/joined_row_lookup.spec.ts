import { MikroORM } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import { loadCatalog } from '../../../lib/orm/catalog/catalog.js';
import { joinedRowLookup } from '../../../lib/orm/reads/joined_row_lookup.js';
import type { JoinedRow } from '../../../lib/query/watch.js';
import { freshDatabase } from '../../support/servers.js';

describe('the lookup of joined rows', () => {
  it('works for columns with question marks in their names', async () => {
    const clientUrl = await freshDatabase('asked');
    const orm = await MikroORM.init({ clientUrl, entities: [], discovery: { warnWhenNoEntities: false } });
    try {
      const connection = orm.em.getConnection();
      await connection.execute('create table odd ("i?d" int primary key, "a??b" text)');
      await connection.execute(`insert into odd values (1, 'x'), (2, 'y'), (3, 'x')`);
      const catalog = await loadCatalog(sql => connection.execute(sql), 'here');
      const ask = joinedRowLookup(catalog, (sql, parameters) => connection.execute(sql, [...parameters]));
      const partner: JoinedRow = {
        occurrence: 0,
        table: catalog.named('odd')[0]!.fullName,
        on: [['odd_id', 'i?d']],
        expression: { type: 'in', column: 'a??b', values: ['x'] },
      };
      const failing = await ask(new Map([[partner, new Set(['1', '2', '4'])]]));
      expect([...failing.get(partner)!]).to.deep.equal(['2']);
    } finally {
      await orm.close(true);
    }
  });
});
