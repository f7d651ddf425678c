import { expect } from 'chai';
import { type ImageColumn, ImageFormat, withoutImage } from '../../lib/changes/row_image.js';
import { IMAGE_COLUMN } from '../../lib/sql/rewrite.js';
import { connect, type Server } from './server.js';

describe('row images', () => {
  let server: Server;
  before(async () => {
    server = await connect();
  });
  after(() => server.close());

  const imagesOf = async (format: ImageFormat, sql: string) =>
    (await server.query(sql)).rows.map(row => format.read(row[IMAGE_COLUMN] as string));

  it('an image has the canonical forms of the stored values under any session settings', async () => {
    const columns: ImageColumn[] = [
      { name: 'id', kind: 'integer' },
      { name: 'a "b"', kind: 'text' },
      { name: 'code', kind: 'padded' },
      { name: 'price', kind: 'decimal' },
      { name: 'flag', kind: 'boolean' },
      { name: 'at', kind: 'instant' },
      { name: 'day', kind: 'date' },
      { name: 'u', kind: 'uuid' },
    ];
    await server.query(
      'create table kinds (id int8, "a ""b""" text, code char(4), price numeric, flag bool, at timestamptz, day date, u uuid)',
    );
    await server.query(`insert into kinds values
      (9007199254740993, E'it''s "\\u00e9" \\\\ \\n [1]', 'a', '01.500', true, '2020-02-03 04:05:06.123456+02', '2020-02-29', '9F1C1C1E-0000-4000-8000-000000000001'),
      (-1, '', '', '-0.00', false, 'infinity', '-infinity', null),
      (null, null, null, 'NaN', null, '0044-03-15 12:00:00+00 BC', '0044-03-15 BC', null)`);
    await server.query(`set timezone = 'Asia/Tokyo'; set datestyle = 'German'; set extra_float_digits = 0`);

    const format = new ImageFormat(columns);
    const images = await imagesOf(
      format,
      `select ${format.expression('"k"')} as "${IMAGE_COLUMN}" from kinds k`,
    );
    expect(images.map(image => image.row.values)).to.deep.equal([
      [
        '9007199254740993',
        'it\'s "é" \\ \n [1]',
        'a',
        '1.5',
        'true',
        '1580695506123456',
        '2020-02-29',
        '9f1c1c1e-0000-4000-8000-000000000001',
      ],
      ['-1', '', '', '0', 'false', 'Infinity', '-infinity', null],
      [null, null, null, 'NaN', null, '-63517780800000000', '0044-03-15 BC', null],
    ]);
    expect([...images[0]!.row.positions.keys()]).to.deep.equal(columns.map(column => column.name));
    await server.query('reset all');
  });

  it('an image has the id of the transaction in the form for pg_xact_status', async () => {
    await server.query('create table xids (id int)');
    const format = new ImageFormat([]);
    await server.query('begin');
    await server.query('savepoint a');
    const [image] = await imagesOf(
      format,
      `insert into xids values (1) returning ${format.expression('"xids"')} as "${IMAGE_COLUMN}"`,
    );
    const { rows } = await server.query('select pg_current_xact_id()::text as xid');
    await server.query('commit');
    expect(image).to.deep.equal({
      xid: rows[0]!.xid,
      inserted: undefined,
      row: { positions: new Map(), values: [], kinds: new Map(), stored: [] },
      old: undefined,
    });
    const status = await server.query('select pg_xact_status($1::xid8) as status', [image!.xid]);
    expect(status.rows).to.deep.equal([{ status: 'committed' }]);
  });

  it('an image can have as many columns as a table', async () => {
    for (const count of [99, 100, 101, 500]) {
      const columns = Array.from(
        { length: count },
        (_, i): ImageColumn => ({ name: `c${i}`, kind: 'integer' }),
      );
      await server.query(`create table wide${count} (${columns.map(column => `${column.name} int`).join()})`);
      const format = new ImageFormat(columns);
      const [image] = await imagesOf(
        format,
        `insert into wide${count} values (${columns.map((_, i) => i).join()})
         returning ${format.expression(`"wide${count}"`, { inserted: `"wide${count}".xmax = 0` })} as "${IMAGE_COLUMN}"`,
      );
      expect(image!.row.values).to.deep.equal(columns.map((_, i) => String(i)));
      expect(image!.inserted).to.equal(true);
    }
  });

  it('an image can have the old row as well', async () => {
    for (const count of [1, 100, 101]) {
      const columns = Array.from(
        { length: count },
        (_, i): ImageColumn => ({ name: `c${i}`, kind: 'integer' }),
      );
      const names = columns.map(({ name }) => name);
      const format = new ImageFormat(columns);
      const [image] = await imagesOf(
        format,
        `select ${format.expression('now', { old: 'before' })} as "${IMAGE_COLUMN}"
         from (select ${names.map((name, i) => `${i} as ${name}`).join()}) as now,
           (select ${names.map((name, i) => `${-i - 1} as ${name}`).join()}) as before`,
      );
      expect(image!.row.values).to.deep.equal(columns.map((_, i) => String(i)));
      expect(image!.old!.values).to.deep.equal(columns.map((_, i) => String(-i - 1)));
    }
  });

  it('an image shows which columns of a row may look different, even if the values are equal', async () => {
    const format = new ImageFormat([
      { name: 'id', kind: 'integer' },
      { name: 'price', kind: 'decimal' },
      { name: 'code', kind: 'padded' },
    ]);
    const [a, b] = await imagesOf(
      format,
      `select ${format.expression('v')} as "${IMAGE_COLUMN}"
       from (values (1, 1.0, 'a'::bpchar), (1, 1.00, 'a '::bpchar)) as v (id, price, code)`,
    );
    expect(a!.row.values).to.deep.equal(b!.row.values);
    const differing = (...columns: string[]) => [...format.differing(a!.row, b!.row, new Set(columns))];
    expect(differing('id', 'price', 'code', 'title')).to.deep.equal(['price', 'code', 'title']);
    expect(differing('id')).to.deep.equal([]);
  });

  describe('INSERT … ON CONFLICT DO UPDATE', () => {
    const format = new ImageFormat([{ name: 'id', kind: 'integer' }]);

    const upsert = async (...ids: number[]) => {
      const images = await imagesOf(
        format,
        `insert into upserts values ${ids.map(id => `(${id}, 'x')`).join()}
         on conflict (id) do update set v = upserts.v || 'y'
         returning ${format.expression('"upserts"', { inserted: '"upserts".xmax = 0' })} as "${IMAGE_COLUMN}"`,
      );
      return Object.fromEntries(images.map(({ row, inserted }) => [row.values[0], inserted]));
    };

    before(async () => {
      await server.query('create table upserts (id int primary key, v text)');
      await server.query(`insert into upserts select i, 'a' from generate_series(1, 9) i`);
    });

    it('an image distinguishes inserted rows from updated ones', async () => {
      expect(await upsert(1, 101)).to.deep.equal({ 1: false, 101: true });
      expect(await upsert(1, 101, 102)).to.deep.equal({ 1: false, 101: false, 102: true });
    });

    it('an image distinguishes them even if the transaction locked, inserted or updated the rows before', async () => {
      await server.query('begin');
      await server.query('select from upserts where id = 2 for no key update');
      await server.query('select from upserts where id = 3 for update');
      await server.query('select from upserts where id = 4 for key share');
      await server.query(`update upserts set v = 'b' where id = 5`);
      await server.query(`insert into upserts values (200, 'n')`);
      await server.query('delete from upserts where id = 6');
      expect(await upsert(2, 3, 4, 5, 6, 200, 201)).to.deep.equal({
        ...{ 2: false, 3: false, 4: false, 5: false, 200: false },
        ...{ 6: true, 201: true },
      });
      await server.query('savepoint a');
      await server.query('select from upserts where id = 7 for no key update');
      expect(await upsert(7, 5, 201, 202)).to.deep.equal({ 7: false, 5: false, 201: false, 202: true });
      await server.query('rollback to a');
      expect(await upsert(7, 5, 201, 202)).to.deep.equal({ 7: false, 5: false, 201: false, 202: true });
      await server.query('commit');
    });

    it('an image distinguishes them even after a rolled back transaction locked or changed the rows', async () => {
      await server.query('begin');
      await server.query('select from upserts where id = 8 for update');
      await server.query(`update upserts set v = 'b' where id = 9`);
      await server.query('rollback');
      expect(await upsert(8, 9)).to.deep.equal({ 8: false, 9: false });
    });
  });

  it('images are removed from the rows of a result', () => {
    const rows = [{ id: 1, [IMAGE_COLUMN]: '[]' }, { id: 2 }];
    expect(withoutImage(rows)).to.equal(rows);
    expect(rows).to.deep.equal([{ id: 1 }, { id: 2 }]);
  });
});
