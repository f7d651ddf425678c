import type { Cursor } from '../lexer/cursor.js';
import type { Transaction } from '../statement.js';
import { parseModes } from './isolation.js';

const SAME: Readonly<Record<string, string>> = { start: 'begin', end: 'commit', abort: 'rollback' };

/** Statements that begin or end transactions and savepoints, in all of PostgreSQL's spellings. */
export function parseTransaction(cursor: Cursor): Transaction | undefined {
  const word = cursor.takeName() ?? '';
  switch (word) {
    case 'savepoint':
      return named('savepoint', cursor);
    case 'release':
      cursor.takeWords('savepoint');
      return named('release', cursor);
    case 'prepare':
      return cursor.takeWords('transaction') ? identified('prepare', cursor) : undefined;
  }
  const command = SAME[word] ?? word;
  if ((word === 'commit' || word === 'rollback') && cursor.takeWords('prepared')) {
    return identified(`${word} prepared`, cursor);
  }
  const keyword = cursor.takeWord('transaction', 'work');
  if (command === 'begin') {
    // START needs TRANSACTION
    const modes = word === 'start' && keyword !== 'transaction' ? undefined : parseModes(cursor);
    return modes && { ...PLAIN, command, ...modes };
  }
  if (command === 'rollback' && cursor.takeWords('to')) {
    cursor.takeWords('savepoint');
    return named('rollback to', cursor);
  }
  return command === 'commit' || command === 'rollback' ? ended(command, cursor) : undefined;
}

const PLAIN = { kind: 'transaction', name: undefined, isolation: undefined, chain: false } as const;

function named(command: Transaction['command'], cursor: Cursor): Transaction | undefined {
  const name = cursor.takeName();
  return name !== undefined && cursor.atEnd ? { ...PLAIN, command, name } : undefined;
}

/** Two-phase commit; the identifier of the transaction does not matter here. */
function identified(command: Transaction['command'], cursor: Cursor): Transaction | undefined {
  return cursor.next?.kind === 'string' && cursor.skip() && cursor.atEnd ? { ...PLAIN, command } : undefined;
}

function ended(command: 'commit' | 'rollback', cursor: Cursor): Transaction | undefined {
  const chain = cursor.takeWords('and', 'chain');
  if (!chain) {
    cursor.takeWords('and', 'no', 'chain');
  }
  return cursor.atEnd ? { ...PLAIN, command, chain } : undefined;
}
