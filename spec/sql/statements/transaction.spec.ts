import { expect } from 'chai';
import { parseStatement } from '../../../lib/sql/parse_statement.js';

const plain = { kind: 'transaction', name: undefined, isolation: undefined, chain: false };

describe('statements that begin and end transactions', () => {
  const understood: [sql: string, expected: object][] = [
    ['begin', { command: 'begin' }],
    ['BEGIN WORK;', { command: 'begin' }],
    ['begin transaction read only', { command: 'begin' }],
    ['begin isolation level repeatable read', { command: 'begin', isolation: 'repeatable read' }],
    [
      'start transaction isolation level serializable, read write, not deferrable',
      { command: 'begin', isolation: 'serializable' },
    ],
    [
      'start transaction isolation level read committed read only',
      { command: 'begin', isolation: 'read committed' },
    ],
    ['begin isolation level read uncommitted', { command: 'begin', isolation: 'read uncommitted' }],
    ['commit', { command: 'commit' }],
    ['end work', { command: 'commit' }],
    ['commit transaction and chain', { command: 'commit', chain: true }],
    ['commit and no chain', { command: 'commit' }],
    ['rollback', { command: 'rollback' }],
    ['abort', { command: 'rollback' }],
    ['rollback work and chain', { command: 'rollback', chain: true }],
    ['savepoint a', { command: 'savepoint', name: 'a' }],
    ['savepoint "trx1"', { command: 'savepoint', name: 'trx1' }],
    ['SAVEPOINT Trx1', { command: 'savepoint', name: 'trx1' }],
    ['release savepoint "A""b"', { command: 'release', name: 'A"b' }],
    ['release a', { command: 'release', name: 'a' }],
    ['rollback to a', { command: 'rollback to', name: 'a' }],
    ['rollback work to savepoint a', { command: 'rollback to', name: 'a' }],
    ['abort to a', { command: 'rollback to', name: 'a' }],
    [`prepare transaction 'x'`, { command: 'prepare' }],
    [`commit prepared 'x'`, { command: 'commit prepared' }],
    [`rollback prepared 'x'`, { command: 'rollback prepared' }],
  ];
  for (const [sql, expected] of understood) {
    it(`${sql} is parsed`, () => {
      expect(parseStatement(sql)).to.deep.equal({ ...plain, ...expected });
    });
  }

  const notUnderstood = [
    'begin x',
    'start',
    'commit x',
    'rollback to',
    'savepoint',
    'release a b',
    'begin isolation level x',
  ];
  for (const sql of notUnderstood) {
    it(`${sql} may control the transaction`, () => {
      expect(parseStatement(sql)).to.include({ kind: 'other', controlsTransaction: true });
    });
  }

  it('a transaction command among several statements controls the transaction', () => {
    expect(parseStatement('begin; update t set a = 1; commit')).to.include({
      kind: 'other',
      writes: true,
      controlsTransaction: true,
    });
    expect(parseStatement('select 1; rollback to a')).to.include({
      kind: 'other',
      controlsTransaction: true,
    });
    expect(parseStatement(`update t set a = 1; select 'commit'`)).to.include({
      kind: 'other',
      controlsTransaction: false,
    });
  });
});
