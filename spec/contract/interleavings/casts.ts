import type { Cast } from './cast.js';
import type { Row } from './database.js';
import type { Kept } from './loss.js';
import { count, DEFINITION, pairs, redefined, where } from './query.js';
import type { WriterPart } from './writer.js';

const rows: readonly Row[] = [
  { id: 'a', category: '1', title: 'old' },
  { id: 'b', category: '2', title: 'old' },
];

const ONE = where({ category: '1' });
const TWO = where({ category: '2' });
const OLD = where({ title: 'old' });
const ONE_OR_OLD = where({ category: '1' }, { title: 'old' });
const ALL = where({});

/** Stops to match ONE and OLD, and starts to match TWO. */
const MOVE: WriterPart = { id: 'a', to: { category: '2', title: 'moved' } };
const MOVE_ON: WriterPart = { id: 'a', to: { category: '3', title: 'moved on' } };
const RENAME: WriterPart = { id: 'b', to: { category: '2', title: 'renamed' } };
const INSERT: WriterPart = { id: 'c', to: { category: '1', title: 'new' } };
const DELETE: WriterPart = { id: 'b', to: undefined };

/** Matches another category, too, once it is redefined. */
const ONE_AT_FIRST = redefined(ONE, { category: '2' });
const DEFINE: WriterPart = { id: DEFINITION.id, to: DEFINITION, defines: true };

const titles: readonly Row[] = [
  { id: 'a', category: '1', title: 'old' },
  { id: 'b', category: '1', title: 'new' },
];
const OLD_ONES = count({ category: '1' }, { title: 'old' });
const NEW_ONES = count({ category: '1' }, { title: 'new' });
/** RETITLE changes a row that OLD_ONES counts; UNRELATED changes a row that it never counts. */
const RETITLE: WriterPart = { id: 'a', to: { category: '1', title: 'another' } };
const UNRELATED: WriterPart = { id: 'b', to: { category: '1', title: 'newer' } };
const LEAVE: WriterPart = { id: 'a', to: { category: '2', title: 'old' } };

/** One of each category; none of them satisfies the condition of PAIRS. */
const apart: readonly Row[] = [
  { id: 'a', category: '1', title: 'out' },
  { id: 'b', category: '2', title: 'out' },
];
/** One pair, and a row that may become half of another. */
const half: readonly Row[] = [
  { id: 'a', category: '1', title: 'out' },
  { id: 'b', category: '2', title: 'in' },
  { id: 'c', category: '1', title: 'in' },
];
const together: readonly Row[] = [
  { id: 'a', category: '1', title: 'in' },
  { id: 'b', category: '2', title: 'in' },
];
const PAIRS = pairs('1', '2', { title: 'in' });
const A_IN: WriterPart = { id: 'a', to: { category: '1', title: 'in' } };
const A_OUT: WriterPart = { id: 'a', to: { category: '1', title: 'out' } };
const C_IN: WriterPart = { id: 'c', to: { category: '1', title: 'in' } };
const B_IN: WriterPart = { id: 'b', to: { category: '2', title: 'in' } };
const B_OUT: WriterPart = { id: 'b', to: { category: '2', title: 'out' } };

const ANYTHING: readonly Kept[] = ['entry', 'table stamp', 'dependency stamp', 'delta log', 'registry'];

/** Each is small enough to play all of its histories in `npm test`. */
export const CASTS = {
  'two writers, two readers and a crash': {
    rows,
    cached: [ALL],
    writers: [MOVE, RENAME],
    readers: [TWO, TWO],
    crashes: 1,
  },
  'two writers, and two readers that lease together with their read': {
    rows,
    cached: [ONE, ALL],
    writers: [MOVE, RENAME],
    readers: [],
    eager: [ONE, TWO],
  },
  'two writers of one row, and two readers': {
    rows,
    cached: [ALL, ONE],
    writers: [MOVE, MOVE_ON],
    readers: [TWO, ALL],
  },
  'a writer, two readers and the loss of anything': {
    rows,
    cached: [ONE, ALL],
    writers: [MOVE],
    readers: [ONE, TWO],
    losses: { of: ANYTHING, count: 1 },
  },
  'two writers, a reader and the loss of the registry': {
    rows,
    cached: [TWO],
    writers: [MOVE, RENAME],
    readers: [TWO],
    losses: { of: ['registry'], count: 1 },
  },
  'a writer, two readers, a crash and the loss of the registry, beginning with nothing': {
    rows,
    writers: [MOVE],
    readers: [ONE, TWO],
    crashes: 1,
    losses: { of: ['registry'], count: 1 },
  },
  'two writers, and readers with schemes that were never seen before': {
    rows,
    cached: [ALL],
    writers: [MOVE, RENAME],
    readers: [TWO, OLD],
  },
  'a writer that rolls back, one that deletes, a reader and a crash': {
    rows,
    cached: [ONE],
    writers: [{ ...MOVE, rollsBack: true }, DELETE],
    readers: [TWO],
    crashes: 1,
  },
  'a writer of unknown rows, one that inserts, and two readers': {
    rows,
    cached: [ONE, ALL],
    writers: [{ ...MOVE, wide: true }, INSERT],
    readers: [ONE, TWO],
  },
  'a writer, and two readers with room for one scheme': {
    rows,
    cached: [ONE],
    writers: [MOVE],
    readers: [ONE, OLD],
    maxSchemes: 1,
  },
  'a writer that inserts, and two readers, with room for fewer schemes than a query has': {
    rows,
    cached: [ONE],
    writers: [INSERT],
    readers: [ONE_OR_OLD, OLD],
    maxSchemes: 1,
  },
  'two writers, one with a delta that matters, a reader and a resealer': {
    rows: titles,
    cached: [OLD_ONES],
    writers: [RETITLE, UNRELATED],
    readers: [OLD_ONES],
    resealers: [OLD_ONES],
  },
  'two writers, a reader, a resealer and the loss of a stamp or its delta log': {
    rows: titles,
    cached: [OLD_ONES],
    writers: [LEAVE, UNRELATED],
    readers: [OLD_ONES],
    resealers: [OLD_ONES],
    losses: { of: ['dependency stamp', 'delta log'], count: 1 },
  },
  'two writers whose rows become a pair, and two readers that look up the other row': {
    rows: apart,
    cached: [PAIRS],
    writers: [A_IN, B_IN],
    readers: [],
    lookers: [PAIRS, PAIRS],
  },
  'two writers of a pair and of half a pair, and two readers that look up the other row': {
    rows: half,
    cached: [PAIRS],
    writers: [A_IN, B_OUT],
    readers: [],
    lookers: [PAIRS, PAIRS],
  },
  'two writers whose rows become a pair, a reader that looks up the other row, a crash and a loss': {
    rows: apart,
    cached: [PAIRS],
    writers: [A_IN, B_IN],
    readers: [],
    lookers: [PAIRS],
    crashes: 1,
    losses: { of: ['registry', 'dependency stamp', 'delta log'], count: 1 },
  },
  'two writers that part a pair, and two readers that look up the other row': {
    rows: together,
    cached: [PAIRS],
    writers: [A_OUT, B_OUT],
    readers: [],
    lookers: [PAIRS, PAIRS],
  },
  'a writer that cannot mark, two readers and a crash': {
    rows,
    cached: [ONE, ALL],
    writers: [{ ...MOVE, markFails: true }],
    readers: [ONE, TWO],
    crashes: 1,
  },
  'a writer that cannot mark, another, and a reader': {
    rows,
    cached: [ALL],
    writers: [{ ...MOVE, markFails: true }, RENAME],
    readers: [TWO],
  },
  'a writer that cannot mark and rolls back, a reader and the loss of the registry': {
    rows,
    cached: [ONE],
    writers: [{ ...MOVE, markFails: true, rollsBack: true }],
    readers: [ONE],
    losses: { of: ['registry'], count: 1 },
  },
  'a writer of unknown deltas, another, and a reader': {
    rows: titles,
    cached: [OLD_ONES, NEW_ONES],
    writers: [{ ...RETITLE, vague: true }, UNRELATED],
    readers: [OLD_ONES],
  },
  'a definer, a writer, a reader and a crash': {
    rows,
    cached: [ONE_AT_FIRST],
    writers: [DEFINE, RENAME],
    readers: [ONE_AT_FIRST],
    crashes: 1,
  },
  'a definer, a writer, and two readers, beginning with nothing': {
    rows,
    writers: [DEFINE, RENAME],
    readers: [ONE_AT_FIRST, TWO],
  },
  'a definer that rolls back, a writer and a reader': {
    rows,
    cached: [ONE_AT_FIRST],
    writers: [{ ...DEFINE, rollsBack: true }, RENAME],
    readers: [ONE_AT_FIRST],
  },
  'a definer, a writer, a reader and the loss of anything': {
    rows,
    cached: [ONE_AT_FIRST],
    writers: [DEFINE, RENAME],
    readers: [ONE_AT_FIRST],
    losses: { of: ANYTHING, count: 1 },
  },
} as const satisfies Record<string, Cast>;

/** These take minutes. */
export const LONG_CASTS = {
  'three writers whose rows become pairs, a reader, and one that looks up the other row': {
    rows: apart,
    cached: [PAIRS],
    writers: [A_IN, B_IN, C_IN],
    readers: [PAIRS],
    lookers: [PAIRS],
  },
  'two writers, two readers, a crash and the loss of anything': {
    rows,
    cached: [ONE, ALL],
    writers: [MOVE, RENAME],
    readers: [ONE, TWO],
    crashes: 1,
    losses: { of: ANYTHING, count: 1 },
  },
  'two writers of one row, two readers and two losses, beginning with nothing': {
    rows,
    writers: [MOVE, MOVE_ON],
    readers: [TWO, TWO],
    losses: { of: ['registry', 'table stamp'], count: 2 },
  },
  'a writer, three readers, a crash and two losses': {
    rows,
    cached: [ONE],
    writers: [MOVE],
    readers: [ONE, TWO, TWO],
    crashes: 1,
    losses: { of: ANYTHING, count: 2 },
  },
  'two writers of one row, two readers and a crash': {
    rows,
    cached: [ALL, ONE],
    writers: [MOVE, MOVE_ON],
    readers: [TWO, ALL],
    crashes: 1,
  },
  'two writers, three readers and two crashes': {
    rows,
    cached: [ALL],
    writers: [MOVE, RENAME],
    readers: [TWO, TWO, ALL],
    crashes: 2,
  },
  'three writers, a reader and a crash': {
    rows,
    cached: [ALL],
    writers: [MOVE, { ...RENAME, rollsBack: true }, INSERT],
    readers: [TWO],
    crashes: 1,
  },
  'a writer that rolls back, one that deletes, two readers and a crash': {
    rows,
    cached: [ONE],
    writers: [{ ...MOVE, rollsBack: true }, DELETE],
    readers: [TWO, ALL],
    crashes: 1,
  },
  'a writer, and three readers with room for one scheme': {
    rows,
    cached: [ONE],
    writers: [MOVE],
    readers: [ONE_OR_OLD, OLD, ALL],
    maxSchemes: 1,
  },
  'a wide writer, another, two readers and a loss, with room for one scheme': {
    rows,
    cached: [ONE],
    writers: [{ ...MOVE, wide: true }, RENAME],
    readers: [ONE, OLD],
    losses: { of: ['registry', 'dependency stamp'], count: 1 },
    maxSchemes: 1,
  },
  'two writers, two readers, and a resealer of what another has filled': {
    rows: titles,
    cached: [NEW_ONES],
    writers: [RETITLE, UNRELATED],
    readers: [OLD_ONES, OLD_ONES],
    resealers: [OLD_ONES],
  },
  'two writers, a reader, a resealer and the loss of anything': {
    rows: titles,
    cached: [OLD_ONES],
    writers: [LEAVE, UNRELATED],
    readers: [OLD_ONES],
    resealers: [OLD_ONES],
    losses: { of: ANYTHING, count: 1 },
  },
  'a writer of unknown deltas, another, two readers and a crash': {
    rows: titles,
    cached: [OLD_ONES, NEW_ONES],
    writers: [{ ...RETITLE, vague: true }, UNRELATED],
    readers: [OLD_ONES, NEW_ONES],
    crashes: 1,
  },
} as const satisfies Record<string, Cast>;

export type CastName = keyof typeof CASTS | keyof typeof LONG_CASTS;
