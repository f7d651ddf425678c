import fc from 'fast-check';
import type { Setting } from './session.js';

/** Settings that change results. Values are written as in SQL. */
export const SETTINGS: readonly Setting[] = [
  { name: 'timezone', value: `'America/New_York'` },
  { name: 'timezone', value: `'Asia/Tokyo'` },
  { name: 'datestyle', value: 'ISO, DMY' },
  { name: 'intervalstyle', value: 'sql_standard' },
  { name: 'bytea_output', value: 'escape' },
  { name: 'extra_float_digits', value: '-10' },
  { name: 'search_path', value: 'elsewhere, public' },
];

/** Time zones of the process. */
export const ZONES = ['UTC', 'Asia/Tokyo', 'America/New_York'];

export const someSettings: fc.Arbitrary<readonly Setting[]> = fc.subarray([...SETTINGS], { maxLength: 2 });

export function setting({ name, value }: Setting): string {
  return `set ${name} = ${value}`;
}
