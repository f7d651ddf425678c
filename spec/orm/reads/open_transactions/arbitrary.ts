import fc, { type Arbitrary } from 'fast-check';
import type { TABLES } from './shop.js';

type Where = Record<string, unknown>;

export interface Question {
  readonly entity: string;
  readonly where: Where;
  readonly options: Where;
  readonly kind: 'find' | 'count' | 'both';
}

/** Statements sent one after the other; each may fail on its own. */
export type Write = readonly string[];

export type Action =
  /** begins a transaction if there is none; marks the next table or commits, if the transaction is ending */
  | { readonly type: 'write'; readonly writer: number; readonly write: Write; readonly repeatable: boolean }
  | { readonly type: 'commit' | 'rollback' | 'savepoint' | 'undo' | 'release'; readonly writer: number }
  /** in a transaction of its own */
  | { readonly type: 'autocommit'; readonly write: Write }
  /** continues a slow read, or begins it */
  | { readonly type: 'slow'; readonly reader: number; readonly question: number }
  | {
      readonly type: 'look';
      readonly question: number;
      readonly isolation: 'none' | 'committed' | 'repeatable';
    };

export interface Turn {
  readonly action: Action;
  /** number of repetitions */
  readonly times: number;
  /** the questions asked after it */
  readonly looks: readonly number[];
}

export const QUESTIONS = 8;
export const WRITERS = 3;
export const READERS = 3;

const id = fc.constantFrom(1, 2, 3, 4);
const name = fc.constantFrom('a', 'b', 'c');
const kind = fc.constantFrom(1, 2);

const text: Arbitrary<unknown> = fc.oneof(
  { arbitrary: name as Arbitrary<unknown>, weight: 4 },
  name.map($ne => ({ $ne })),
  name.map($gt => ({ $gt })),
  name.map($ilike => ({ $ilike })),
  fc.constantFrom(['a', 'b'], ['b', 'c']).map($in => ({ $in })),
  fc.constantFrom(['a', 'b'], ['b', 'c']).map($nin => ({ $nin })),
);
const number: Arbitrary<unknown> = fc.oneof(
  { arbitrary: kind as Arbitrary<unknown>, weight: 3 },
  kind.map($ne => ({ $ne })),
  fc.constant({ $gt: 1 }),
  fc.constant({ $lte: 1 }),
);

const ONE: Record<string, Record<string, string>> = {
  Region: {},
  Maker: { region: 'Region' },
  Thing: { maker: 'Maker', parent: 'Thing', detail: 'Detail' },
  Detail: { thing: 'Thing' },
  Part: { thing: 'Thing' },
  Tag: {},
};
const MANY: Record<string, Record<string, string>> = { Thing: { parts: 'Part', tags: 'Tag' } };

const OWN: Record<string, Arbitrary<Where>> = {
  Region: fc.oneof(
    text.map(value => ({ name: value })),
    fc.boolean().map(open => ({ open })),
  ),
  Maker: fc.oneof(
    text.map(value => ({ name: value })),
    fc.oneof(text, fc.constant(null)).map(country => ({ country })),
    fc.oneof(id, fc.constant(null)).map(region => ({ region })),
  ),
  Thing: fc.oneof(
    { arbitrary: number.map(value => ({ kind: value })) as Arbitrary<Where>, weight: 4 },
    text.map(title => ({ title })),
    fc.oneof(text, fc.constant(null)).map(slug => ({ slug })),
    fc.oneof(id, fc.constant(null)).map(maker => ({ maker })),
    id.map(value => ({ id: value })),
  ),
  Detail: text.map(color => ({ color })),
  Part: fc.oneof(
    number.map(weight => ({ weight })),
    fc.oneof(text, fc.constant(null)).map(note => ({ note })),
  ),
  Tag: text.map(value => ({ name: value })),
};

function related(entity: string, depth: number): Arbitrary<Where> {
  const one = Object.entries(ONE[entity]!).map(([relation, target]) =>
    condition(target, depth - 1).map(where => ({ [relation]: where })),
  );
  const many = Object.entries(MANY[entity] ?? {}).map(([relation, target]) =>
    fc
      .tuple(fc.constantFrom('', '', '$some', '$none', '$every'), condition(target, depth - 1))
      .map(([operator, where]) => ({ [relation]: operator ? { [operator]: where } : where })),
  );
  return fc.oneof(...(one as Arbitrary<Where>[]), ...(many as Arbitrary<Where>[]));
}

function condition(entity: string, depth: number): Arbitrary<Where> {
  const own = OWN[entity]!;
  const isLeaf = depth === 0 || Object.keys({ ...ONE[entity], ...MANY[entity] }).length === 0;
  return isLeaf
    ? own
    : fc.oneof(
        { arbitrary: own, weight: 2 },
        { arbitrary: related(entity, depth), weight: 2 },
        fc.tuple(own, related(entity, depth)).map(([a, b]) => ({ ...a, ...b })),
      );
}

function where(entity: string): Arbitrary<Where> {
  const own = OWN[entity]!;
  if (Object.keys({ ...ONE[entity], ...MANY[entity] }).length === 0) {
    return own;
  }
  const relation = related(entity, 2);
  return fc.oneof(
    { arbitrary: fc.tuple(own, relation).map(([a, b]) => ({ ...a, ...b })), weight: 9 },
    { arbitrary: relation, weight: 3 },
    { arbitrary: own, weight: 1 },
    { arbitrary: fc.tuple(relation, relation).map(([a, b]) => ({ ...a, ...b })), weight: 2 },
    fc.tuple(relation, relation).map($and => ({ $and })),
    fc.tuple(own, relation).map($or => ({ $or })),
    fc.tuple(own, relation).map(([$not, rest]) => ({ ...rest, $not })),
    relation.map($not => ({ $not })),
    fc.constant({}),
  );
}

const SORTED: Record<string, Where[]> = {
  Region: [{ name: 1 }],
  Maker: [{ name: 1 }, { country: 'desc' }, { region: { name: 1 } }],
  Thing: [
    { title: 1 },
    { kind: -1 },
    { maker: { name: 1 } },
    { detail: { color: 1 } },
    { slug: 'asc nulls first' },
  ],
  Detail: [{ color: 1 }, { thing: { title: -1 } }],
  Part: [{ weight: 1 }, { thing: { kind: 1 } }, { thing: { maker: { name: -1 } } }],
  Tag: [{ name: 1 }],
};

function about(entity: string): Arbitrary<Question> {
  const key = entity === 'Detail' ? 'thing' : 'id';
  const relations = Object.keys({ ...ONE[entity], ...MANY[entity] });
  const deeper = Object.entries(ONE[entity]!).flatMap(([relation, target]) =>
    Object.keys(ONE[target]!).map(next => `${relation}.${next}`),
  );
  const page = fc.oneof(
    { arbitrary: fc.constant({}) as Arbitrary<Where>, weight: 2 },
    fc
      .record({ limit: fc.constantFrom(1, 2), offset: fc.constantFrom(0, 0, 1) })
      .map(({ limit, offset }) => (offset ? { limit, offset } : { limit })),
  );
  const options = fc
    .record({
      populate:
        relations.length > 0
          ? fc.oneof(
              { arbitrary: fc.constant([]) as Arbitrary<string[]>, weight: 2 },
              fc.constantFrom(...relations, ...deeper).map(each => [each]),
              fc.subarray(relations, { maxLength: Math.min(2, relations.length) }),
            )
          : fc.constant([]),
      populateWhere: fc.constantFrom('all', 'infer'),
      strategy: fc.constantFrom('joined', 'joined', 'select-in', 'balanced'),
      by: fc.oneof(fc.constant(undefined), fc.constantFrom(...SORTED[entity]!)),
      page,
    })
    .map(({ by, page, ...rest }) => ({ ...rest, ...page, orderBy: [...(by ? [by] : []), { [key]: 'asc' }] }));
  return fc.record({
    entity: fc.constant(entity),
    where: where(entity),
    options: options as Arbitrary<Where>,
    kind: fc.constantFrom('find', 'find', 'find', 'count', 'both') as Arbitrary<Question['kind']>,
  });
}

/** Questions about rows and their joined rows only. */
const ofJoinedRows: Arbitrary<Question> = fc
  .oneof(
    fc.tuple(OWN.Thing!, OWN.Maker!).map(([own, maker]) => ['Thing', { ...own, maker }] as const),
    fc
      .tuple(OWN.Thing!, OWN.Region!)
      .map(([own, region]) => ['Thing', { ...own, maker: { region } }] as const),
    fc.tuple(OWN.Thing!, OWN.Detail!).map(([own, detail]) => ['Thing', { ...own, detail }] as const),
    fc.tuple(OWN.Thing!, OWN.Part!).map(([own, $some]) => ['Thing', { ...own, parts: { $some } }] as const),
    fc.tuple(OWN.Thing!, OWN.Tag!).map(([own, tags]) => ['Thing', { ...own, tags }] as const),
    fc.tuple(OWN.Thing!, OWN.Tag!).map(([own, $none]) => ['Thing', { ...own, tags: { $none } }] as const),
    fc.tuple(OWN.Part!, OWN.Thing!).map(([own, thing]) => ['Part', { ...own, thing }] as const),
    fc.tuple(OWN.Maker!, OWN.Region!).map(([own, region]) => ['Maker', { ...own, region }] as const),
  )
  .chain(([entity, where]) =>
    fc
      .record({
        limit: fc.constantFrom(undefined, undefined, 1, 2),
        populate: fc.constantFrom([], [], Object.keys(ONE[entity]!).slice(0, 1)),
        kind: fc.constantFrom('find' as const, 'count' as const),
      })
      .map(({ limit, populate, kind }) => ({
        entity,
        where,
        kind,
        options: { strategy: 'joined', orderBy: [{ id: 'asc' }], populate, ...(limit && { limit }) },
      })),
  );

const question: Arbitrary<Question> = fc.oneof(
  { arbitrary: ofJoinedRows, weight: 12 },
  { arbitrary: about('Thing'), weight: 6 },
  { arbitrary: about('Part'), weight: 2 },
  { arbitrary: about('Maker'), weight: 2 },
  about('Detail'),
  about('Region'),
  about('Tag'),
);

type TableName = (typeof TABLES)[number];

const quoted = name.map(value => `'${value}'`);
const nullable = (values: Arbitrary<string>) =>
  fc.oneof({ arbitrary: values, weight: 4 }, fc.constant('null'));
const key = id.map(String);
/** A row of a table with many rows. */
const row = fc.constantFrom('1', '2', '3', '4', '5', '6', '7', '8');

const COLUMNS: Record<TableName, Record<string, Arbitrary<string>>> = {
  region: { id: key, name: quoted, open: fc.boolean().map(String) },
  maker: { id: key, name: quoted, country: nullable(quoted), region_id: nullable(key) },
  thing: {
    id: row,
    title: quoted,
    kind: kind.map(String),
    slug: fc.oneof({ arbitrary: fc.constant('null'), weight: 3 }, quoted),
    maker_id: nullable(key),
    parent_id: nullable(key),
  },
  detail: { thing_id: key, color: quoted },
  part: { id: row, weight: kind.map(String), note: nullable(quoted), thing_id: key },
  tag: { id: key, name: quoted },
  thing_tags: { thing_id: key, tag_id: key },
};

const table = fc.constantFrom<TableName>(
  ...([
    'region',
    'maker',
    'maker',
    'thing',
    'thing',
    'thing',
    'detail',
    'part',
    'part',
    'tag',
    'thing_tags',
  ] as const),
);

function keyOf(name: TableName): string {
  return Object.keys(COLUMNS[name])[0]!;
}

const inserted = (name: TableName): Arbitrary<string> =>
  fc
    .record(COLUMNS[name])
    .map(
      values =>
        `insert into ${name} (${Object.keys(values).join(', ')}) values (${Object.values(values).join(', ')})`,
    );

const insert = table.chain(inserted);

const upsert = table.chain(name =>
  fc.tuple(inserted(name), fc.constantFrom(...Object.keys(COLUMNS[name]))).map(([sql, column]) => {
    const target = name === 'thing_tags' ? 'thing_id, tag_id' : keyOf(name);
    return `${sql} on conflict (${target}) do update set ${column} = excluded.${column}`;
  }),
);

const setting = (name: TableName): Arbitrary<string> =>
  fc
    .constantFrom(...Object.keys(COLUMNS[name]))
    .chain(column => COLUMNS[name][column]!.map(value => `${column} = ${value}`));

const update = table.chain(name =>
  fc
    .tuple(
      fc.uniqueArray(setting(name), { minLength: 1, maxLength: 2, selector: each => each.split(' ')[0] }),
      fc.oneof({ arbitrary: key.map(value => `${keyOf(name)} = ${value}`), weight: 5 }, setting(name)),
    )
    .filter(([, where]) => !where.endsWith('null'))
    .map(([set, where]) => `update ${name} set ${set.join(', ')} where ${where}`),
);

/** Changes of columns that decide whether a row matches. */
const toggle = fc.oneof(
  fc.tuple(quoted, key).map(([value, row]) => `update maker set country = ${value} where id = ${row}`),
  fc.tuple(quoted, key).map(([value, row]) => `update maker set name = ${value} where id = ${row}`),
  fc
    .tuple(nullable(key), key)
    .map(([value, row]) => `update maker set region_id = ${value} where id = ${row}`),
  fc.tuple(quoted, key).map(([value, row]) => `update region set name = ${value} where id = ${row}`),
  fc.tuple(key, row).map(([value, row]) => `update thing set maker_id = ${value} where id = ${row}`),
  fc.tuple(kind, row).map(([value, row]) => `update thing set kind = ${value} where id = ${row}`),
  fc.tuple(quoted, key).map(([value, row]) => `update detail set color = ${value} where thing_id = ${row}`),
  fc.tuple(kind, row).map(([value, row]) => `update part set weight = ${value} where id = ${row}`),
  fc.tuple(key, row).map(([value, row]) => `update part set thing_id = ${value} where id = ${row}`),
  fc.tuple(quoted, key).map(([value, row]) => `update tag set name = ${value} where id = ${row}`),
);

const remove = fc
  .tuple(table, key)
  .map(([name, value]) => `delete from ${name} where ${keyOf(name)} = ${value}`);

/** Re-inserts a deleted key, and joins another row to it. */
const replace: Arbitrary<Write> = fc.oneof(
  fc
    .tuple(key, quoted, quoted, key)
    .map(([maker, name, country, thing]) => [
      `update thing set maker_id = null where maker_id = ${maker}`,
      `delete from maker where id = ${maker}`,
      `insert into maker (id, name, country) values (${maker}, ${name}, ${country})`,
      `update thing set maker_id = ${maker} where id = ${thing}`,
    ]),
  fc
    .tuple(key, quoted, key)
    .map(([region, name, maker]) => [
      `delete from region where id = ${region}`,
      `insert into region (id, name, open) values (${region}, ${name}, true)`,
      `update maker set region_id = ${region} where id = ${maker}`,
    ]),
  fc
    .tuple(key, quoted, kind, key)
    .map(([thing, title, of, part]) => [
      `update part set thing_id = 1 where thing_id = ${thing}`,
      `update thing set parent_id = null where parent_id = ${thing}`,
      `delete from thing where id = ${thing}`,
      `insert into thing (id, title, kind) values (${thing}, ${title}, ${of})`,
      `update part set thing_id = ${thing} where id = ${part}`,
    ]),
  fc
    .tuple(key, quoted, key)
    .map(([tag, name, thing]) => [
      `delete from tag where id = ${tag}`,
      `insert into tag (id, name) values (${tag}, ${name})`,
      `insert into thing_tags (thing_id, tag_id) values (${thing}, ${tag})`,
    ]),
  fc
    .tuple(key, key, key)
    .map(([from, to, thing]) => [
      `update thing set maker_id = null where maker_id in (${from}, ${to})`,
      `update maker set id = 9 where id = ${to}`,
      `update maker set id = ${to} where id = ${from}`,
      `update maker set id = ${from} where id = 9`,
      `update thing set maker_id = ${to} where id = ${thing}`,
    ]),
);

/** Changes both sides of a join. */
const both: Arbitrary<Write> = fc
  .tuple(key, kind, quoted)
  .map(([thing, of, color]) => [
    `update thing set kind = ${of} where id = ${thing}`,
    `update detail set color = ${color} where thing_id = ${thing}`,
  ]);

const write: Arbitrary<Write> = fc.oneof(
  { arbitrary: toggle.map(sql => [sql]) as Arbitrary<Write>, weight: 8 },
  { arbitrary: update.map(sql => [sql]), weight: 4 },
  { arbitrary: insert.map(sql => [sql]), weight: 5 },
  { arbitrary: remove.map(sql => [sql]), weight: 3 },
  { arbitrary: upsert.map(sql => [sql]), weight: 1 },
  { arbitrary: replace, weight: 10 },
  { arbitrary: both, weight: 1 },
  fc.constant(['insert into deferred_key values (1), (1)']),
);

const writer = fc.nat(WRITERS - 1);
const asked = fc.nat(QUESTIONS - 1);
/** A slow reader's answer is affected by more changes if other readers seldom ask its question. */
const lookedAt = fc.oneof({ arbitrary: fc.nat(QUESTIONS / 2), weight: 4 }, asked);
const readSlowly = fc.oneof(
  { arbitrary: fc.integer({ min: QUESTIONS / 2, max: QUESTIONS - 1 }), weight: 4 },
  asked,
);

const action: Arbitrary<Action> = fc.oneof(
  {
    arbitrary: fc.record({
      type: fc.constant('write' as const),
      writer,
      write,
      repeatable: fc.nat(3).map(n => n === 0),
    }),
    weight: 8,
  },
  { arbitrary: fc.record({ type: fc.constant('commit' as const), writer }), weight: 8 },
  fc.record({ type: fc.constantFrom('rollback' as const, 'savepoint' as const, 'undo' as const), writer }),
  fc.record({ type: fc.constantFrom('savepoint' as const, 'undo' as const, 'release' as const), writer }),
  { arbitrary: fc.record({ type: fc.constant('autocommit' as const), write }), weight: 6 },
  {
    arbitrary: fc.record({
      type: fc.constant('slow' as const),
      reader: fc.nat(READERS - 1),
      question: readSlowly,
    }),
    weight: 6,
  },
  {
    arbitrary: fc.record({
      type: fc.constant('look' as const),
      question: asked,
      isolation: fc.constantFrom('none' as const, 'committed' as const, 'repeatable' as const),
    }),
    weight: 2,
  },
) as Arbitrary<Action>;

export const questions = fc.array(question, { minLength: QUESTIONS, maxLength: QUESTIONS });

/** Whether other readers may see another state after it, or stop where a writer can overtake them. */
function mayShow({ type }: Action): boolean {
  return type === 'commit' || type === 'autocommit' || type === 'slow';
}

export const turns: Arbitrary<Turn[]> = fc.array(
  fc
    .record({
      action,
      times: fc.constantFrom(1, 1, 1, 2, 3),
      looks: fc.uniqueArray(lookedAt, { minLength: 2, maxLength: 5 }),
    })
    .map(({ action, times, looks }) => ({
      action,
      times: action.type === 'commit' || action.type === 'slow' ? times : 1,
      looks: mayShow(action) ? looks : [],
    })),
  { minLength: 60, maxLength: 150, size: 'max' },
);
