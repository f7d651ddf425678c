import { expect } from 'chai';
import { readSelect } from '../../lib/sql/select/select.js';
import type { Join, Select, SelectTable } from '../../lib/sql/select/select_result.js';
import { ALL_COLUMNS } from '../../lib/values/scheme.js';

function read(sql: string): Select {
  const select = readSelect(sql);
  expect(select, sql).to.not.have.property('reason');
  return select as Select;
}

function describeJoin({ kind, on, filtered }: Join): string {
  const pairs = on.map(({ own, alias, column }) => `${own} = ${alias}.${column}`);
  return `${kind} join on ${[...pairs, ...(filtered ? ['more'] : [])].join(' and ')}`;
}

function describePlace({ alias, place, within, again }: SelectTable): string {
  const parts = [
    ...(place ? [place === 'first' ? 'first' : describeJoin(place)] : []),
    ...(within ? [`within: ${describeJoin(within)}`] : []),
    ...(again === undefined ? [] : [`again by ${again}`]),
  ];
  return `${alias}: ${parts.join(', ') || 'elsewhere'}`;
}

const places = (sql: string) => read(sql).tables.map(describePlace);

const sorted = (columns: ReadonlySet<string> | undefined) => (columns ? [...columns].sort() : 'any');

describe('the places of tables in a SELECT', () => {
  const JOINED = '"b"."a_id" = "a"."id"';
  const LEFT = 'b: left join on a_id = a.id';
  const FILTERED = `${LEFT} and more`;
  const INNER = 'b: inner join on a_id = a.id';
  const UNKNOWN = 'b: elsewhere';

  /** What follows `select 1 from "a"`, and the places of the tables after it. */
  const JOINS: Record<string, readonly string[]> = {
    '': [],
    'as "a" where "a"."n" = 1': [],
    [`join "b" on ${JOINED}`]: [INNER],
    'inner join "b" on "a"."id" = "b"."a_id"': [INNER],
    [`left join "b" on ${JOINED}`]: [LEFT],
    'left outer join "b" as "x" on "x"."a_id" = "a"."id"': ['x: left join on a_id = a.id'],
    [`right join "b" on ${JOINED}`]: [UNKNOWN],
    [`right outer join "b" on ${JOINED}`]: [UNKNOWN],
    [`full join "b" on ${JOINED}`]: [UNKNOWN],
    [`full outer join "b" on ${JOINED}`]: [UNKNOWN],
    'cross join "b"': [UNKNOWN],
    'natural join "b"': [UNKNOWN],
    'natural left join "b"': [UNKNOWN],
    'left join "b" using ("a_id")': [UNKNOWN],
    'left join "b" on "b"."x" = "a"."x" and "b"."y" = "a"."y"': ['b: left join on x = a.x and y = a.y'],
    [`left join "b" on ${JOINED} left join "c" on "c"."a_id" = "a"."id" and "b"."id" = "c"."b_id"`]: [
      LEFT,
      'c: left join on a_id = a.id and b_id = b.id',
    ],
    // conditions on the columns of the joined table
    [`left join "b" on ${JOINED} and "b"."n" > 1`]: [FILTERED],
    [`left join "b" on ${JOINED} and "b"."n" in (1, 2) where "a"."n" = 1`]: [FILTERED],
    [`left join "b" on "b"."t" is not null and ${JOINED} group by 1`]: [FILTERED],
    [`left join "b" on ${JOINED} and ("b"."n" = 1 or "b"."t" ilike 'x' and "b"."n" = "b"."m") order by 1`]: [
      FILTERED,
    ],
    [`left join "b" on ${JOINED} and "b"."n" = "b"."m" limit 1`]: [FILTERED],
    [`left join "b" on ${JOINED} and not ("b"."f" = false) union select 1`]: [FILTERED],
    // other conditions
    [`left join "b" on ${JOINED} or "b"."n" = 1`]: [UNKNOWN],
    [`left join "b" on ${JOINED} and "b"."n" = 1 or true`]: [UNKNOWN],
    [`left join "b" on ${JOINED} and "a"."n" = 1`]: [UNKNOWN],
    [`left join "b" on ${JOINED} and ("b"."n" = 1 or "a"."n" = 1)`]: [UNKNOWN],
    [`left join "b" on ${JOINED} and "b"."n" between 1 and 2`]: [UNKNOWN],
    [`left join "b" on ${JOINED} and "n" = 1`]: [UNKNOWN],
    [`left join "b" on ${JOINED} and lower("b"."t") = 'x'`]: [UNKNOWN],
    [`left join "b" on ${JOINED} and exists (select 1 from "c")`]: [UNKNOWN, 'c: elsewhere'],
    [`left join "b" on ${JOINED} + 1`]: [UNKNOWN],
    [`left join "b" on (${JOINED})`]: [UNKNOWN],
    'left join "b" on "b"."a_id" > "a"."id"': [UNKNOWN],
    'left join "b" on "b"."a_id" = "b"."id"': [UNKNOWN],
    'left join "b" on "a"."n" = "a"."id"': [UNKNOWN],
    'left join "b" on "b"."n" = 1': [UNKNOWN],
    'left join "b" on true': [UNKNOWN],
    'left join "b" on b.a_id = a.id': [UNKNOWN],
    // other joins beside it
    [`left join "c" on "c"."a_id" = "a"."id" left join "b" on ${JOINED}`]: [
      'c: left join on a_id = a.id',
      LEFT,
    ],
    [`left join "c" on "c"."a_id" = "a"."id" inner join "b" on ${JOINED}`]: [
      'c: left join on a_id = a.id',
      INNER,
    ],
    [`left join "c" on "c"."a_id" = "a"."id" right join "b" on ${JOINED}`]: [
      'c: left join on a_id = a.id',
      UNKNOWN,
    ],
    [`left join "c" on "c"."a_id" = "a"."id" full join "b" on ${JOINED}`]: [
      'c: left join on a_id = a.id',
      UNKNOWN,
    ],
    'left join "c" on "c"."a_id" = "a"."id" cross join "b"': ['c: left join on a_id = a.id', UNKNOWN],
    [`cross join "c" left join "b" on ${JOINED}`]: ['c: elsewhere', LEFT],
    [`natural join "c" left join "b" on ${JOINED}`]: ['c: elsewhere', LEFT],
    [`join "c" using ("id") left join "b" on ${JOINED}`]: ['c: elsewhere', LEFT],
    [`left join "b" on ${JOINED}, "c"`]: [UNKNOWN, 'c: elsewhere'],
    // joins in a join
    [`left join ("b" inner join "c" on "c"."b_id" = "b"."id") on ${JOINED}`]: [UNKNOWN, 'c: elsewhere'],
    [`left join "b" inner join "c" on "c"."b_id" = "b"."id" on ${JOINED}`]: [UNKNOWN, 'c: elsewhere'],
    [`left join "b" inner join "c" on "c"."b_id" = "b"."id" inner join "d" on "d"."c_id" = "c"."id" on ${JOINED}`]:
      [UNKNOWN, 'c: elsewhere', 'd: elsewhere'],
    // a subquery that selects the key again
    'where "a"."id" in (select "a"."id" from "a" inner join "b" on "b"."a_id" = "a"."id" where "b"."n" = 1)':
      ['a: again by id', 'b: within: inner join on a_id = a.id'],
    'where "a"."id" not in (select "a"."id" from "a" as "a" left join "b" on "b"."a_id" = "a"."id" where true)':
      ['a: again by id', 'b: within: left join on a_id = a.id'],
    'where "a"."n" = 1 or "a"."n" in (select "a"."n" from "x" as "a")': ['a: again by n'],
    'where "a"."id" in (select "a"."n" from "a")': ['a: elsewhere'],
    'where "a"."id" in (select "b"."id" from "a" as "b")': ['b: elsewhere'],
    'where "a"."id" in (select "b"."id" from "a" inner join "b" on "b"."a_id" = "a"."id" where true)': [
      'a: elsewhere',
      'b: elsewhere',
    ],
    'where "a"."id" like (select "a"."id" from "a")': ['a: elsewhere'],
    'where "a"."id" in (select "a"."id" from "b", "a")': ['b: elsewhere', 'a: elsewhere'],
    'where "a"."id" in (select "a"."id" from "b" inner join "a" on "a"."b_id" = "b"."id" where true)': [
      'b: elsewhere',
      'a: within: inner join on b_id = b.id',
    ],
    'where "a"."id" in (select "a"."id", 1 from "a")': ['a: elsewhere'],
    'where "a"."id" = any (select "a"."id" from "a")': ['a: elsewhere'],
    'where "a"."id" in (select "a"."id" from (select 1) as "a")': [],
    'where "a"."id" in (select "a"."id" from "a" union select "a"."id" from "a")': [
      'a: again by id',
      'a: elsewhere',
    ],
    'where "a"."id" in (select "a"."id" from "a" where "a"."id" in (select "a"."id" from "a"))': [
      'a: again by id',
      'a: elsewhere',
    ],
    'order by "a"."id" in (select "a"."id" from "a")': ['a: elsewhere'],
  };
  for (const [rest, expected] of Object.entries(JOINS)) {
    it(`select 1 from "a" ${rest}`, () =>
      expect(places(`select 1 from "a" ${rest}`)).to.deep.equal(['a: first', ...expected]));
  }

  it('the first of several items of FROM has no place', () => {
    expect(places('select 1 from "a", "b"')).to.deep.equal(['a: elsewhere', 'b: elsewhere']);
    expect(places('select (select 1 from "a") from "b"')).to.deep.equal(['a: elsewhere', 'b: first']);
  });
});

describe('the order of a SELECT', () => {
  const ORDERS: Record<string, string> = {
    '"a"."id"': 'a.id asc nulls last',
    '"a"."id" asc': 'a.id asc nulls last',
    '"a"."id" desc': 'a.id desc nulls first',
    '"a"."id" nulls first': 'a.id asc nulls first',
    '"a"."id" desc nulls last': 'a.id desc nulls last',
    '"a"."id" asc nulls last, "b"."n" desc nulls first, "a"."m"':
      'a.id asc nulls last, b.n desc nulls first, a.m asc nulls last',
    '"a"."id" limit 3': 'a.id asc nulls last',
    '"a"."id" desc offset 3': 'a.id desc nulls first',
    '"a"."id" asc fetch first 1 row only': 'a.id asc nulls last',
    '"a"."id" nulls last limit 1': 'a.id asc nulls last',
    '"id"': 'unknown',
    'a.id': 'unknown',
    '1': 'unknown',
    '"a"."id", 1': 'a.id asc nulls last, unknown',
    '"a"."id" + 1': 'unknown',
    'lower("a"."t")': 'unknown',
    '"a"."id", lower("a"."t")': 'a.id asc nulls last, unknown',
    '"a"."id" collate "C"': 'unknown',
    '"a"."id" using <': 'unknown',
    '"a"."id"::text': 'unknown',
  };
  function order(sql: string): string {
    const { order, orderKnown } = read(sql);
    const terms = order.map(
      ({ alias, column, desc, nullsFirst }) =>
        `${alias}.${column} ${desc ? 'desc' : 'asc'} nulls ${nullsFirst ? 'first' : 'last'}`,
    );
    return [...terms, ...(orderKnown ? [] : ['unknown'])].join(', ');
  }
  for (const [by, expected] of Object.entries(ORDERS)) {
    it(`by ${by} is ${expected}`, () =>
      expect(order(`select 1 from "a", "b" order by ${by}`)).to.equal(expected));
  }

  it('is that of the outermost SELECT', () => {
    for (const rest of [
      '',
      'where "a"."order" = 1',
      'where "a"."id" in (select "b"."id" from "b" order by "b"."n")',
    ]) {
      expect(order(`select array_agg("a"."n" order by "a"."m") from "a" ${rest}`)).to.equal('');
    }
  });
});

describe('a SELECT with a limit', () => {
  const LISTS: Record<string, boolean> = {
    'count(*)': false,
    'count(*) as "n", max("a"."n"), min("a"."m") as "from"': false,
    'avg("a"."n"), bool_and("a"."n"), bool_or("a"."n"), every("a"."n"), sum(((1) + ("a"."n")))': false,
    '"a"."n"': true,
    '"a"."n", count(*)': true,
    'count(*), "a"."n"': true,
    'count(*) + 1': true,
    'count(*) over ()': true,
    'count(*) filter (where "a"."n" > 1)': true,
    count: true,
    'lower("a"."t")': true,
  };
  for (const [list, mayChoose] of Object.entries(LISTS)) {
    it(`${mayChoose ? 'may choose among rows' : 'has one row'}: select ${list}`, () => {
      for (const limit of ['limit 1', 'offset 1', 'fetch first 1 row only']) {
        expect(read(`select ${list} from "a" ${limit}`).limited, limit).to.equal(mayChoose);
      }
      expect(read(`select ${list} from "a"`).limited).to.equal(false);
    });
  }

  const greatest = 'max("a"."n")';
  for (const more of [
    'group by "a"."n"',
    'union select 1',
    'union all select 1 from "b"',
    'intersect select 1',
    'except select 1',
  ]) {
    it(`may choose among rows of aggregates: ${more}`, () => {
      expect(read(`select ${greatest} from "a" ${more} limit 1`)).to.include({
        limited: true,
        plain: false,
      });
      expect(read(`select ${greatest} from "a" ${more}`)).to.include({ limited: false, plain: false });
    });
  }

  it('chooses among the rows of a subquery', () => {
    const select = read('select count(*) from "a" where "a"."id" in (select "b"."id" from "b" limit 1)');
    expect(select).to.include({ limited: false, ordinal: true });
  });
});

describe('a word of a SELECT', () => {
  it('is no keyword after a dot', () => {
    const select = read('select "a".limit, "a".distinct, "a".group, "a".select, "a".array_agg from "a"');
    expect(select).to.include({ limited: false, plain: true, nested: false, ordinal: false });
  });

  it('is a function also in quotes, if a parenthesis follows', () => {
    expect(read('select "array_agg"("a"."n") from "a"').ordinal).to.equal(true);
    expect(read('select "max"("a"."n") from "a"').ordinal).to.equal(false);
    expect(read('select "a"."id" as "array_agg" from "a"').ordinal).to.equal(false);
  });

  it('FROM begins no list of tables in a comparison or in the arguments of some functions', () => {
    const expression =
      `"a"."n" is distinct from "a"."m" and "a"."n" is not distinct from "a"."k" and ` +
      `extract(year from "a"."at") = 1 and substring("a"."t" from 1 for 2) = trim(both 'x' from "a"."t")`;
    const tables = ['a: first', 'b: left join on a_id = a.id'];
    const joined = 'from "a" left join "b" on "b"."a_id" = "a"."id"';
    expect(places(`select ${expression} ${joined}`)).to.deep.equal(tables);
    expect(places(`select 1 ${joined} where ${expression}`)).to.deep.equal(tables);
  });

  it('FOR UPDATE and other locks are refused', () => {
    for (const lock of ['share', 'key share', 'update', 'no key update']) {
      expect(readSelect(`select "a"."id" from "a" for ${lock}`), lock).to.have.property('reason');
    }
    expect(readSelect('select "a"."id" as where from "a"')).to.deep.equal({ reason: 'WHERE used as a name' });
  });
});

describe('a SELECT whose tables the user has declared', () => {
  for (const sql of [
    'select f("a"."n") from "a"',
    'select 1 from f(1), "a"',
    'select (1 from "a")',
    'select ("a").n from "a"',
  ]) {
    it(`may contain what is not understood: ${sql}`, () => {
      expect(readSelect(sql)).to.have.property('reason');
      expect(readSelect(sql, true)).to.include({ opaque: true });
    });
  }

  it('is understood all the same if it can be', () => {
    expect(readSelect('select max("a"."n") from "a"', true)).to.include({ opaque: false });
    expect(readSelect('select max("a"."n") from "a"')).to.include({ opaque: false });
  });

  for (const sql of [
    'select random() from "a"',
    'select now() from "a"',
    `select 'now'::timestamp from "a"`,
    'select current_date from "a"',
  ]) {
    it(`does not read clocks or random numbers: ${sql}`, () => {
      expect(readSelect(sql, true)).to.have.property('reason');
    });
  }
});

describe('the columns outside of the list of a SELECT', () => {
  const STATEMENTS: Record<string, readonly string[] | 'any'> = {
    'select "a"."id", "a"."n" from "a" where "a"."m" = 1 order by "a"."n"': ['n'],
    'select "a"."id" from "a" where "a"."m" = 1': [],
    'select "a".* from "a" order by "a"."n"': ['n'],
    'select "a"."id" from "a" where row("a".*) is null': 'any',
    'select "a"."id" from "a" where ("a".*) is null': 'any',
    'select "a"."id" from "a" join "b" on "b"."a_id" = "a"."id"': ['id'],
    'select "a"."id" from "a" group by "a"."id", "a"."n"': ['id', 'n'],
    'select "a"."id", lower("a"."n") from "a"': ['n'],
    'select "a"."id", (select max("b"."n") from "b" where "b"."a_id" = "a"."k") from "a"': ['k'],
    'select "a"."id" from "a" where "a"."m" in (select "a"."x" from "b")': ['x'],
    'select "a"."id" from "a" having "a"."m" > 1 order by "a"."n"': ['m', 'n'],
    'select "a"."id" from "a" union select "a"."n" from "b"': 'any',
    'with q as (select 1) select "a"."id" from "a"': 'any',
    'select "a"."id" from "a" order by "n"': 'any',
    'select count(*) filter (where "a"."n" > 1) from "a"': ['n'],
    'select row_number() over (partition by "a"."n") from "a"': ['n'],
  };
  for (const [sql, expected] of Object.entries(STATEMENTS)) {
    it(`${sql}: ${expected}`, () => {
      const { outsideList } = read(sql).tables.find(({ alias }) => alias === 'a')!;
      expect(sorted(outsideList)).to.deep.equal(expected);
    });
  }

  it('columns are told by the name before them, also if that is no alias', () => {
    const { qualified } = read(
      'select "x"."n", "x"."n" from "a" as "x" where "x"."id" = 1 and "y"."m" = "x".*',
    );
    expect([...qualified].map(([name, columns]) => [name, sorted(columns)])).to.deep.equal([
      ['x', ['id', 'n']],
      ['y', ['m']],
    ]);
  });
});

describe('a page of rows with to-many joins', () => {
  const PAGE =
    'select "a"."p", "b"."n" from "a" left join "b" on "b"."a_id" = "a"."id" ' +
    'where "a"."id" in (select "a"."id" from (select "a"."id" from "a" left join "c" on "c"."a_id" = "a"."q" ' +
    'where "c"."k" = 1 and "a"."x" = (2) group by "a"."id" order by min("a"."m") desc nulls last, min("a"."id") ' +
    'limit 2) as "a") order by "a"."m" desc nulls last, "a"."id"';

  const facts = ({ plain, limited, nested, ordinal, windowed, orderKnown }: Select) => ({
    plain,
    limited,
    nested,
    ordinal,
    windowed,
    orderKnown,
  });
  const IS_PAGE = {
    plain: true,
    limited: true,
    nested: false,
    ordinal: false,
    windowed: false,
    orderKnown: true,
  };

  /** With another text in the place of one that occurs once. */
  function varied(from: string, to: string): string {
    expect(PAGE.split(from), from).to.have.length(2);
    return PAGE.replace(from, to);
  }

  it('is read as a page of its root', () => {
    const select = read(PAGE);
    expect(facts(select)).to.deep.equal(IS_PAGE);
    expect(select.tables.map(describePlace)).to.deep.equal([
      'a: first',
      'b: left join on a_id = a.id',
      'a: again by id',
      'c: within: left join on a_id = a.q',
    ]);
    expect(select.order).to.deep.equal([
      { alias: 'a', column: 'm', desc: true, nullsFirst: false },
      { alias: 'a', column: 'id', desc: false, nullsFirst: false },
    ]);
    const [root] = select.tables;
    expect(sorted(root!.reads)).to.deep.equal(['id', 'm', 'p', 'q']);
    expect(sorted(root!.outsideList)).to.deep.equal(['id', 'm', 'q']);
    expect([...root!.where]).to.deep.equal([['x', 1]]);
    expect(select.tables[3]!.where).to.deep.equal(new Map([['k', 1]]));
  });

  for (const [from, to] of [
    [' limit 2)', ' limit 2 offset 4)'],
    ['where "c"."k" = 1 and "a"."x" = (2) ', ''],
    ['from (select', 'from (  select'],
  ] as const) {
    it(`is a page with "${to}"`, () => expect(facts(read(varied(from, to)))).to.deep.equal(IS_PAGE));
  }

  it('may read any column of its root, and other tables', () => {
    const [root] = read(varied('"a"."p", "b"."n"', '"a".*')).tables;
    expect(sorted(root!.reads)).to.include(ALL_COLUMNS);
    expect(sorted(root!.outsideList)).to.deep.equal(['id', 'm', 'q']);
    const joined = read(varied('from "a" left join "c"', 'from "a" cross join "d" left join "c"'));
    expect(joined.tables.slice(2).map(describePlace)).to.deep.equal([
      'a: again by id',
      'd: elsewhere',
      'c: within: left join on a_id = a.q',
    ]);
  });

  it('may depend on more than its rows', () => {
    const list = (item: string) => facts(read(varied('select "a"."p", "b"."n" from', `select ${item} from`)));
    expect(list('array_agg("b"."n")')).to.deep.equal({ ...IS_PAGE, ordinal: true });
    expect(list('sum("b"."n") over (order by "a"."m")')).to.deep.equal({ ...IS_PAGE, windowed: true });
    const joined = read(varied('from "a" left join "b"', 'from "a" left join (select 1 as "n") as "b"'));
    expect(facts(joined)).to.deep.equal({ ...IS_PAGE, nested: true });
    const where = (condition: string) => facts(read(varied('"c"."k" = 1', condition)));
    expect(where('"c"."k" in (select "d"."n" from "d")')).to.deep.equal({ ...IS_PAGE, nested: true });
    expect(where('"c"."k" in (select "d"."n" from "d" limit 1)')).to.deep.equal({
      ...IS_PAGE,
      nested: true,
      ordinal: true,
    });
  });

  for (const [from, to] of [
    ['select "a"."p", "b"."n" from', 'select (select max("d"."n") from "d") from'],
    ['where "a"."id" in', 'where "a"."id" not in'],
    ['where "a"."id" in', 'where "a"."n" in'],
    ['where "a"."id" in', 'where "x"."id" in'],
    ['where "a"."id" in', 'where "a"."n" = 1 and "a"."id" in'],
    ['where "a"."id" in', 'where "a"."id" = any'],
    ['in (select "a"."id" from', 'in (select "a"."n" from'],
    ['in (select "a"."id" from', 'in (select "a"."id", 1 from'],
    ['from (select "a"."id" from', 'from (select "a"."n" from'],
    ['from (select "a"."id" from', 'from (select distinct "a"."id" from'],
    ['from (select "a"."id" from', 'from (select "a"."id", "a"."n" from'],
    [' as "a") order', ' as "b") order'],
    [' as "a") order', ' as "a") and "a"."n" = 1 order'],
    [' as "a") order', ' as "a" where "a"."id" > 1) order'],
    [' order by "a"."m" desc nulls last, "a"."id"', ''],
    ['limit 2', ''],
    ['limit 2', 'offset 2'],
    ['group by "a"."id" ', ''],
    ['group by "a"."id"', 'group by "a"."m"'],
    ['group by "a"."id"', 'group by "a"."id", "a"."m"'],
    ['group by "a"."id"', 'group by "a"."id" having count(*) > 1'],
    ['min("a"."m")', '"a"."m"'],
    ['min("a"."m")', 'max("a"."m")'],
    ['min("a"."m")', 'min("a"."m" + 1)'],
    ['min("a"."m")', 'min("a"."m") + 1'],
    ['min("a"."m")', 'min("m")'],
    ['min("a"."m") desc', 'min("a"."m") asc'],
    ['min("a"."m") desc nulls last', 'min("a"."m") desc'],
    [', min("a"."id") ', ' '],
    [', min("a"."id") ', ', min("a"."id"), min("a"."k") '],
    ['by "a"."m" desc nulls last, "a"."id"', 'by "a"."m" desc nulls last'],
    ['by "a"."m" desc nulls last, "a"."id"', 'by "a"."m" desc nulls last, "a"."id", 1'],
    ['from "a" left join "c"', 'from "d" as "a" left join "c"'],
    ['from "a" left join "c"', 'from "s"."a" left join "c"'],
    ['from "a" left join "c"', 'from "d", "a" left join "c"'],
    ['from "a" left join "c"', 'from "a", "d" left join "c"'],
    ['from "a" left join "b"', 'from "d", "a" left join "b"'],
    ['from "a" left join "b"', 'from "a", "d" left join "b"'],
    ['from "a" left join "b"', 'from "s"."a" left join "b"'],
    ['select "a"."p", "b"."n" from', 'select distinct "a"."p", "b"."n" from'],
  ] as const) {
    it(`is not read with "${to}" in place of "${from}"`, () => {
      const select = read(varied(from, to));
      expect(select.limited).to.equal(false);
      expect(select.tables.filter(({ again }) => again !== undefined)).to.deep.equal([]);
    });
  }
});
