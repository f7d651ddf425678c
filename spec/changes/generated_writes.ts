import fc from 'fast-check';
import { anyGap } from './generated.js';

/** A statement on the table {@link THINGS}, as text with its parameters. */
export interface GeneratedWrite {
  readonly kind: 'insert' | 'update' | 'delete';
  readonly sql: string;
  readonly parameters: readonly unknown[];
}

export const THINGS = `
  create table "Some thing" (
    id int primary key,
    "where" text default 'from default',
    "Re""turning" numeric(10, 2),
    code char(4) unique,
    flag bool,
    at timestamptz(3),
    twice bigint generated always as (id * 2) stored,
    list int[],
    ratio float8
  );
  create table other (id int primary key, name text);
  insert into other select i, 'a' from generate_series(1, 4) i`;

/** Text with constants, each written into it or passed as a parameter. */
type Piece = string | { readonly constant: string; readonly value: unknown };
type Pieces = readonly Piece[];

function constant(value: number | string | boolean | null): Piece {
  const text = typeof value === 'string' ? `'${value.replaceAll("'", "''")}'` : String(value);
  return { constant: text, value };
}

const anyId = fc.integer({ min: 1, max: 9 }).map(constant);
const anyText = fc.constantFrom('a', 'b', `it's "x" \\ $1; -- returning`, '', 'é').map(constant);
const anyCode = fc.constantFrom('a', 'b', 'c  ', 'd', null).map(constant);
const anyDecimal = fc.constantFrom('1.5', '01.500', '-0.004', '2').map(constant);
const anyInstant = fc.constantFrom('2020-01-01T00:00:00.0015Z', '2020-01-01 05:00+03').map(constant);

/** The qualifier of columns; empty if it is not needed. */
interface Target {
  readonly written: string;
  readonly qualifier: string;
}

const anyTarget: fc.Arbitrary<Target> = fc.constantFrom(
  { written: '"Some thing"', qualifier: '' },
  { written: 'public."Some thing"', qualifier: '"Some thing".' },
  { written: '"Some thing" as "X y"', qualifier: '"X y".' },
  { written: '"public" . "Some thing" AS T', qualifier: 't.' },
);

const assignment = (q: string): fc.Arbitrary<Pieces> =>
  fc.oneof(
    anyText.map(text => ['"where" = ', text]),
    anyDecimal.map(decimal => ['"Re""turning"=', decimal]),
    fc.constantFrom(['flag = not flag'], ['flag=NULL'], ['"Re""turning" = "Re""turning" * -1'], ['ratio=-1']),
    anyInstant.map(instant => ['at = ', instant]),
    anyId.map(id => ['list[1] = ', id]),
    fc
      .tuple(anyText, anyDecimal)
      .map(([text, decimal]) => ['("where", "Re""turning") = (', text, ', ', decimal, ')']),
    fc.constant([`("where", flag) = (select name, ${q}id > other.id from other where other.id = ${q}id)`]),
    fc
      .tuple(anyId, anyText)
      .map(([id, text]) => [`"where" = case when (${q}id = `, id, ') then ', text, ` else "where" end`]),
  );

const condition = (q: string): fc.Arbitrary<Pieces> =>
  fc.oneof(
    anyId.map(id => [`${q}id = `, id]),
    fc.tuple(anyId, anyId).map(([a, b]) => [`${q}id in (`, a, ', ', b, ')']),
    anyText.map(text => [`${q}"where" = `, text, ` or ${q}flag is distinct from true`]),
    fc
      .tuple(anyId, anyCode)
      .map(([id, code]) => [`(${q}id, ${q}code) in ((`, id, '::int, ', code, '::char(4)))']),
    fc.constantFrom(
      ['flag'],
      [`exists (select 1 from other o where o.id = ${q}id)`],
      [
        `${q}id in (select s.id from (select distinct s.id from "Some thing" as s left join other on true where s.flag) as s)`,
      ],
      [`code = 'a' /* returning */ or "where" = $q$ where '$q$`],
      ["not flag -- it's\n and id > 2"],
    ),
  );

const anyReturning = (q: string): fc.Arbitrary<Pieces> =>
  fc.constantFrom(
    [],
    [' returning *'],
    [` returning id, ${q}"where" as "returning"`],
    [' RETURNING (select max(id) from other)'],
  );

const anyEnd: fc.Arbitrary<string> = fc.oneof(fc.constantFrom('', ';', ' -- returning id'), anyGap);

const update: fc.Arbitrary<Pieces> = anyTarget.chain(({ written, qualifier }) =>
  fc
    .tuple(
      fc.array(assignment(qualifier || '"Some thing".'), { minLength: 1, maxLength: 3 }).map(distinctColumns),
      fc.constantFrom('', ', id = id + 100', ', id = -id'),
      fc.option(condition(qualifier)),
      anyReturning(qualifier),
      anyGap,
    )
    .map(([set, key, where, returning, gap]) => [
      `update ${written}${gap}set `,
      ...join(set, ', '),
      key,
      ...(where ? [`${gap}where `, ...where] : []),
      ...returning,
    ]),
);

const updateFrom: fc.Arbitrary<Pieces> = anyTarget.chain(({ written, qualifier: q }) =>
  fc
    .tuple(
      fc.constantFrom(...['flag', `is distinct from`].map(String)),
      anyReturning(q || '"Some thing".').filter(r => r.length === 0),
    )
    .map(([kind, returning]) => [
      `update ${written} set flag = ${kind === 'flag' ? 'true' : `"where" is distinct from o.name`} from other as o where o.id = ${q || '"Some thing".'}id`,
      ...returning,
    ]),
);

const remove: fc.Arbitrary<Pieces> = anyTarget.chain(({ written, qualifier }) =>
  fc
    .tuple(fc.option(condition(qualifier)), anyReturning(qualifier), anyGap)
    .map(([where, returning, gap]) => [
      `delete from ${written}`,
      ...(where ? [`${gap}where `, ...where] : []),
      ...returning,
    ]),
);

const removeUsing: fc.Arbitrary<Pieces> = anyTarget.map(({ written, qualifier: q }) => [
  `delete from ${written} using other as o where o.id = ${q || '"Some thing".'}id and o.name = 'a'`,
]);

const anyNewId = fc.integer({ min: 4, max: 30 }).map(constant);
const row: fc.Arbitrary<Pieces> = fc
  .tuple(
    anyNewId,
    fc.oneof(anyText, fc.constantFrom('default', `(select name from other limit 1)`, `lower('X, (y')`)),
    anyCode,
    anyDecimal,
  )
  .map(values => [
    '(',
    ...join(
      values.map(value => [value]),
      ', ',
    ),
    ')',
  ]);

const conflictColumns = fc.constantFrom(
  '(id)',
  '(code)',
  '(id) where true',
  'on constraint "Some thing_pkey"',
  '("id")',
);

const onConflict = (q: string): fc.Arbitrary<Pieces> =>
  fc.oneof(
    fc.constant([]),
    fc.constantFrom([' on conflict do nothing'], [' on conflict (id) do nothing']),
    fc
      .tuple(
        conflictColumns,
        fc.constantFrom(
          `"where" = excluded."where"`,
          `"where" = ${q || '"Some thing".'}"where" || 'x', flag = true`,
          `code = null`,
        ),
        fc.option(anyId),
      )
      .map(([columns, set, than]) => [
        ` on conflict ${columns} do update set ${set}`,
        ...(than ? [` where ${q || '"Some thing".'}id > `, than] : []),
      ]),
  );

const insert: fc.Arbitrary<Pieces> = anyTarget
  .filter(({ written }) => !written.includes(' T'))
  .chain(({ written, qualifier }) =>
    fc
      .tuple(
        fc.oneof(
          fc
            .array(row, { minLength: 1, maxLength: 3 })
            .map(rows => ['values ', ...join(rows, ', ')] as Pieces),
          anyId.map((id): Pieces => ['select id + ', id, `, name, null, 1 from other where id < 3`]),
        ),
        onConflict(qualifier),
        anyReturning(qualifier),
        anyGap,
      )
      .map(([source, conflict, returning, gap]) => [
        `insert into ${written}${gap}(id, "where", code, "Re""turning")${gap}`,
        ...source,
        ...conflict,
        ...returning,
      ]),
  );

/** Any write; whether it succeeds depends on the rows of the table. */
export const anyWrite: fc.Arbitrary<GeneratedWrite> = fc
  .tuple(
    fc.oneof(
      { weight: 3, arbitrary: update.map(pieces => ['update', pieces] as const) },
      { weight: 1, arbitrary: updateFrom.map(pieces => ['update', pieces] as const) },
      { weight: 2, arbitrary: remove.map(pieces => ['delete', pieces] as const) },
      { weight: 1, arbitrary: removeUsing.map(pieces => ['delete', pieces] as const) },
      { weight: 4, arbitrary: insert.map(pieces => ['insert', pieces] as const) },
    ),
    anyEnd,
    fc.infiniteStream(fc.boolean()),
    fc.nat({ max: 5 }),
  )
  .map(([[kind, pieces], end, inline, shift]) => ({ kind, ...write([...pieces, end], inline, shift) }));

/** Writes some constants into the text, and numbers the others in another order. */
function write(
  pieces: Pieces,
  inline: Iterator<boolean>,
  shift: number,
): { sql: string; parameters: unknown[] } {
  const passed = pieces.filter(piece => typeof piece !== 'string' && !inline.next().value);
  const numbered = [...passed.slice(shift), ...passed.slice(0, shift)];
  const sql = pieces.map(piece => {
    const number = numbered.indexOf(piece);
    return typeof piece === 'string' ? piece : number < 0 ? piece.constant : `$${number + 1}`;
  });
  return {
    sql: sql.join(''),
    parameters: numbered.map(piece => (typeof piece === 'string' ? undefined : piece.value)),
  };
}

function join(lists: readonly Pieces[], separator: string): Piece[] {
  return lists.flatMap((list, i) => (i === 0 ? list : [separator, ...list]));
}

/** An UPDATE may set each column once. */
function distinctColumns(assignments: readonly Pieces[]): Pieces[] {
  const seen = new Set<string>();
  return assignments.filter(([first]) => {
    const columns = ['"where"', '"Re""turning"', 'flag', 'at', 'list', 'ratio'].filter(column =>
      String(first).split('=')[0]!.includes(column),
    );
    const fresh = columns.every(column => !seen.has(column));
    for (const column of columns) {
      seen.add(column);
    }
    return fresh;
  });
}
