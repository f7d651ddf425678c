import type { TableChange } from '../../store/store.js';
import { token } from '../../store/token.js';

/** Anything in this table. */
export function anyChange(table: string): TableChange {
  return { table, touched: () => undefined };
}

export function newWriterId(): string {
  return token();
}
