import { expect } from 'chai';
import fc from 'fast-check';
import { parseStatement } from '../../lib/sql/parse_statement.js';
import { anyConstant, anyGap } from '../changes/generated.js';
import { parts } from './statements/parts.js';

const name = anyConstant.filter(constant => constant.kind === 'name');
const string = anyConstant.filter(constant => constant.kind === 'string');
const options = { numRuns: 2000 };

describe('parsed statements', () => {
  it('an UPDATE is parsed independently of its names, strings and comments', () => {
    fc.assert(
      fc.property(
        fc.tuple(name, name, name, name, name),
        string,
        string,
        anyGap,
        (names, value, other, gap) => {
          const [schema, table, alias, column, key] = names;
          const where = `${alias.sql}.${key.sql} = ${other.sql}`;
          const sql = `${gap}update${gap}${schema.sql}.${table.sql} as ${alias.sql}${gap}set${gap}${column.sql} = ${value.sql}${gap}where${gap}${where}${gap}returning ${key.sql}${gap};${gap}`;
          expect(parts(sql)).to.deep.equal({
            kind: 'update',
            table: { schema: schema.text, name: table.text },
            alias: alias.text,
            target: `${schema.sql}.${table.sql} as ${alias.sql}`,
            set: [column.text],
            where,
            returning: key.sql,
            end: `${gap};${gap}`,
          });
        },
      ),
      options,
    );
  });

  it('an INSERT is parsed independently of its names, strings and comments', () => {
    fc.assert(
      fc.property(name, fc.array(fc.tuple(name, string), { minLength: 1 }), anyGap, (table, values, gap) => {
        const columns = values.map(([column]) => column.sql).join(`${gap},`);
        const row = values.map(([, value]) => value.sql).join(`${gap},`);
        const set = values.map(([column]) => `${column.sql} =${gap}1`).join();
        const key = values[0]![0];
        const sql = `insert into ${table.sql}${gap}(${columns})${gap}values (${row})${gap},${gap}(${row}${gap})${gap}on conflict (${key.sql}) do update${gap}set ${set}${gap}`;
        expect(parts(sql)).to.deep.equal({
          kind: 'insert',
          table: { name: table.text },
          target: table.sql,
          columns: values.map(([column]) => column.text),
          source: { kind: 'values', rows: [0, 1].map(() => values.map(([, value]) => value.sql)) },
          conflict: { kind: 'update', columns: [key.text], set: values.map(([column]) => column.text) },
          end: gap,
        });
      }),
      options,
    );
  });

  it('a text with parameters is parsed once, unless its meaning depends on their values', () => {
    const update = 'update article set title = $1 where id = $2';
    expect(parseStatement(update, ['a', 1])).to.equal(parseStatement(update, ['b', 2]));
    const settingsOf = (sql: string, name: string) => {
      const statement = parseStatement(sql, [name, 'x']);
      return 'effects' in statement && statement.effects?.settings;
    };
    for (const sql of [
      'select set_config($1, $2, true)',
      'select set_config(/* name */ $1, $2, false), $2',
    ]) {
      expect(settingsOf(sql, 'timezone'), sql).to.deep.equal(['timezone']);
      expect(settingsOf(sql, 'datestyle'), sql).to.deep.equal(['datestyle']);
    }
  });

  it('a SELECT is parsed independently of its names, strings and comments', () => {
    fc.assert(
      fc.property(fc.array(anyConstant), anyGap, (constants, gap) => {
        const sql = `select${gap}${constants.map(constant => `${constant.sql}${gap},`).join('')}1 from x for update`;
        expect(parts(sql)).to.deep.equal({ kind: 'read' });
      }),
      options,
    );
  });
});
