import { MikroORM } from '@mikro-orm/postgresql';
import { expect } from 'chai';
import fc from 'fast-check';
import { ImageFormat } from '../../lib/changes/row_image.js';
import { loadCatalog } from '../../lib/orm/catalog/catalog.js';
import type { Table } from '../../lib/orm/catalog/table.js';
import { IMAGE_COLUMN } from '../../lib/sql/rewrite.js';
import { compareCanonical } from '../../lib/values/order.js';
import { canonicalOfResult } from '../../lib/values/result.js';
import { COLUMNS, CREATE_SAMPLE, Sample, sampleRow } from '../query/samples.js';
import { freshDatabase } from '../support/servers.js';

describe('canonicalOfResult', () => {
  let orm: MikroORM;
  let table: Table;
  let given: Record<string, unknown>[] = [];

  before(async () => {
    orm = await MikroORM.init({
      entities: [Sample],
      clientUrl: await freshDatabase('result'),
      pool: { min: 1, max: 1 },
    });
    await execute(CREATE_SAMPLE);
    const catalog = await loadCatalog(execute, 'here');
    table = catalog.resolve({ schema: undefined, name: 'sample' })!;
    const { find } = orm.driver;
    orm.driver.find = async function (name: any, where: any, options: any) {
      given = (await find.call(this, name, where, options)) as never;
      return structuredClone(given) as never;
    };
  });

  after(() => orm.close());

  it('the bounds of a value in a result include the stored value, under any session settings', async () => {
    const counts = new Map<string, number>();
    await fc.assert(
      fc.asyncProperty(
        fc.array(sampleRow, { minLength: 10, maxLength: 10 }),
        fc.constantFrom(
          'reset all',
          `set timezone = 'America/St_Johns'; set datestyle = 'SQL, DMY'; set extra_float_digits = -15`,
          `set timezone = 'Asia/Kathmandu'; set datestyle = 'German'`,
        ),
        async (rows, session) => {
          await execute('truncate sample');
          for (const [id, row] of rows.entries()) {
            await execute(
              `insert into sample (id, ${Object.keys(row)}) values (${[id, ...Object.values(row)]})`,
            );
          }
          await execute(session);
          const isAsked = await orm.em
            .fork()
            .find(Sample, {}, { orderBy: { id: 'asc' } })
            .then(
              () => true,
              () => false,
            );
          const format = new ImageFormat(table.columns);
          const images = await execute(
            `select ${format.expression('t')} as "${IMAGE_COLUMN}" from sample as t order by id`,
          );
          await execute('reset all');
          for (const [i, image] of isAsked ? images.entries() : []) {
            const { row } = format.read(image[IMAGE_COLUMN]);
            for (const column of Object.keys(COLUMNS).filter(name => table.orderable.has(name))) {
              const kind = table.kinds.get(column)!;
              const stored = row.values[row.positions.get(column)!]!;
              const bounds = canonicalOfResult(kind, given[i]![column]);
              if (bounds === undefined) {
                continue;
              }
              counts.set(column, (counts.get(column) ?? 0) + 1);
              const message = `${column} ${stored} as ${String(given[i]![column])}`;
              if (bounds === null || stored === null) {
                expect(bounds, message).to.equal(stored);
              } else {
                expect(compareCanonical(kind, bounds[0], stored), message).to.be.at.most(0);
                expect(compareCanonical(kind, bounds[1], stored), message).to.be.at.least(0);
              }
            }
          }
        },
      ),
      { numRuns: 40 },
    );
    const columns = [...counts].filter(([, count]) => count > 20).map(([column]) => column);
    expect(columns).to.include.members([
      'int',
      'big',
      'decimal',
      'price',
      'flag',
      'text',
      'char',
      'uuid',
      'date',
      'instant',
    ]);
  });

  function execute(sql: string): Promise<any[]> {
    return orm.em.getConnection().execute(sql);
  }
});
