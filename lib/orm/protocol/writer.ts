import type { TableChange } from '../../store/store.js';
import { token } from '../../store/token.js';

/** Any row of the table may have changed. */
export function anyChange(table: string): TableChange {
  return { table, touched: () => undefined };
}

export function newWriterId(): string {
  return token();
}
