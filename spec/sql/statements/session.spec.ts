import { expect } from 'chai';
import { parseStatement } from '../../../lib/sql/parse_statement.js';
import type { SessionEffects } from '../../../lib/sql/statement.js';

/** The settings that may change, in one line. */
function effectsOf(sql: string): string {
  const statement = parseStatement(sql);
  return statement.kind === 'session' ? summary(statement.effects) : statement.kind;
}

function summary(effects: SessionEffects): string {
  const { changesRole, changesIsolation, changesSearchPath, changesSyntax, settings } = effects;
  const flags = {
    role: changesRole,
    isolation: changesIsolation,
    path: changesSearchPath,
    syntax: changesSyntax,
  };
  const names = Object.entries(flags).flatMap(([name, on]) => (on ? [name] : []));
  return `${settings?.join(' ') ?? 'anything'}: ${names.join(' ')}`;
}

const ANYTHING = 'anything: role isolation path syntax';

describe('statements that change the session', () => {
  const understood: [sql: string, effects: string][] = [
    ['set role x', 'role: role'],
    ['set local role "x"', 'role: role'],
    ['set session role none', 'role: role'],
    [`set role = 'x'`, 'role: role'],
    ['reset role', 'role: role'],
    ['set session authorization x', 'session_authorization: role'],
    ['set local session authorization default', 'session_authorization: role'],
    ['reset session authorization', 'session_authorization: role'],
    ['set row_security = off', 'row_security: role'],
    ['set transaction isolation level serializable', 'transaction_isolation: isolation'],
    ['set transaction read only', ': '],
    [`set transaction snapshot '1'`, 'transaction_snapshot: isolation'],
    [
      'set session characteristics as transaction isolation level repeatable read',
      'default_transaction_isolation: isolation',
    ],
    ['set session characteristics as transaction read write', ': '],
    [`set default_transaction_isolation to 'serializable'`, 'default_transaction_isolation: isolation'],
    ['reset transaction isolation level', 'transaction_isolation: isolation'],
    ['set search_path to a, b', 'search_path: path'],
    ['set local "Search_Path" = a', 'search_path: path'],
    [`set schema 'a'`, 'search_path: path'],
    ['reset search_path', 'search_path: path'],
    ['set standard_conforming_strings = off', 'standard_conforming_strings: syntax'],
    [`set names 'utf8';`, 'client_encoding: '],
    [`set time zone 'UTC'`, 'timezone: '],
    [`set local app.tenant = '5'`, 'app.tenant: '],
    [`set role.x = 'role'`, 'role.x: '],
    ['set constraints all deferred', ': '],
    [`set work_mem = 'role'`, 'work_mem: '],
    ['discard plans', ': '],
    ['discard temp', 'search_path: path'],
    ['discard all', ANYTHING],
    ['reset all', ANYTHING],
    ['set session characteristics as x', ANYTHING],
    ['set transaction x', ANYTHING],
    ['set xml option document', ANYTHING],
    ['set', ANYTHING],
    ['reset a b', ANYTHING],
  ];
  for (const [sql, effects] of understood) {
    it(`${sql} changes ${effects}`, () => {
      expect(effectsOf(sql)).to.equal(effects);
    });
  }

  it('SET TRANSACTION sets the isolation level of the current transaction only', () => {
    expect(parseStatement('set transaction isolation level repeatable read, read only')).to.include({
      isolation: 'repeatable read',
    });
    expect(
      parseStatement('set session characteristics as transaction isolation level serializable'),
    ).to.include({
      isolation: undefined,
    });
  });

  it('effects on the session are kept among several statements', () => {
    const effects = (sql: string) => {
      const statement = parseStatement(sql);
      return statement.kind === 'other' && statement.effects ? summary(statement.effects) : statement.kind;
    };
    expect(effects('select 1; set role x; update t set a = 1; set search_path = y')).to.equal(
      'role search_path: role path',
    );
    expect(effects(`set role x; do $$ begin set local app.x = '1'; end $$`)).to.equal(ANYTHING);
    expect(effects('do $$ begin perform set_config(a, b, true); end $$')).to.equal(ANYTHING);
    expect(effects('call p()')).to.equal(ANYTHING);
    expect(effects(`insert into t select set_config('role', 'x', true)`)).to.equal(ANYTHING);
    expect(effects('create function f() returns int set search_path = x as $$ select 1 $$')).to.equal(
      'other',
    );
    expect(effects('select 1; select 2')).to.equal('other');
  });
});
