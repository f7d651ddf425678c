/** The kinds of statements in PostgreSQL's regression scripts, one per line. */
const lines = (text: string) => text.trim().split(/\n\s*/);

/** Items of the FROM of a SELECT. */
export const ITEMS = lines(String.raw`
  a
  a x
  "a" as "x"
  public.a
  "public"."a" as "x"
  db.public.a
  a *
  only a
  only (a)
  only (public.a) as x
  user
  "user"
  "table" as "x"
  "select"
  "from" as "where"
  current_user
  current_date
  session_user as x
  current_timestamp
  current_timestamp(3) as x
  localtime
  current_catalog
  (table tag) as q
  (table only tag) q
  ((table tag)) as q
  (values (1), (2)) as v(id)
  (values cross join tag as y)
  values
  (select * from b) as q
  (select id from b union all table c) as q
  (with r as (select * from b) select * from r) as q
  lateral (select * from b where b.id = 1) as q
  lateral f(1) as g
  f(1)
  "f"(1) as g(x int, y text)
  public.f(1)
  generate_series(1, 3) with ordinality as g(x, n)
  unnest(array[1, 2], array['x']) as u(x, y)
  rows from (f(1), generate_series(1, 2)) with ordinality as r
  lateral rows from (f(1) as (x int)) as r
  coalesce(1) as k
  cast(1 as int) as k
  greatest(1, 2)
  a tablesample system (50)
  a as x tablesample bernoulli (10) repeatable (1)
  tag tablesample public.mine(1)
  (a join b on a.id = b.a_id)
  (a as x cross join b) as j
  ((a join b using (id)) natural left join c)
  (a natural join b)
  a join b on a.id = b.a_id
  a left join b on b.a_id = a.id
  "a" as "x" left join "b" as "y" on "x"."id" = "y"."a_id"
  "a" as "x" left join "b" as "y" join "c" as "z" on "z"."id" = "y"."id" on "x"."id" = "y"."a_id"
  "a" as "x" left join "b" as "y" join "c" as "z" on "z"."id" = "y"."id" join "d" as "w" on "w"."id" = "z"."id" on "x"."id" = "y"."a_id"
  "a" as "x" left join (select 1 as id) as "q" join "c" as "z" on "z"."id" = "q"."id" join "d" as "w" on "w"."id" = "z"."id" on "x"."id" = "q"."id"
  "a" as "x" left join ("b" as "y" join "c" as "z" on "z"."id" = "y"."id") on "x"."id" = "y"."a_id"
  a right outer join b on true full join c on a.id = c.id
  a join b using (id, n) as u
  a cross join b, c
  json_table('{}'::jsonb, '$' columns (x int path '$.x')) as jt
  json_table(a.doc, '$[*]' columns (id for ordinality, x regclass path '$.x', nested path '$.y[*]' columns (y int))) as jt
  xmltable('/r' passing '<r/>'::xml columns x int path '@x') as xt
  xmltable(xmlnamespaces('x' as y), '/r' passing a.t columns x int, o for ordinality) as xt
  json_to_record('{}') as r(x int, y date)
  a as x(k, l)
  "a" as "x" ("k", l)
  tag as natural_
  tag, "table", lateral (table "user") as q
  pg_catalog.pg_class
  pg_class
  information_schema.tables
  current_schema
  current_role, tag
  system_user
  U&"t\0061g" as x
  U&"\0075ser"`);

/** Expressions in which FROM is not a clause, and others that look like something else. */
export const EXPRESSIONS = lines(String.raw`
  1
  a.id
  "x"."id"
  x.n = 1
  id
  *
  a.*
  x.t is distinct from 'x'
  x.t is not distinct from user
  x.t is distinct from current_date
  x.t is distinct from (table tag)
  a.n is distinct from b.n
  extract(year from x.at)
  extract(epoch from now())
  extract(day from tag.at)
  substring(x.t from 1 for 2)
  substring(x.t from tag.n)
  substring(t from 2)
  substring(t similar 'x' escape '#')
  trim(both from x.t)
  trim(both ' ' from x.t)
  trim(from tag.t)
  trim(leading x.t, 'x')
  overlay(x.t placing 'y' from 2 for 1)
  position('x' in x.t)
  (select count(*) from (table tag) as q)
  (select max(tag.n) from tag where tag.id = x.id)
  (table tag)
  (values (1))
  exists (table "user")
  exists (select from b where b.id in (table c))
  x.id in (select x.id from a as x where x.n = 1)
  "x"."id" in (select "x"."id" from "a" as "x" where "x"."n" = 1)
  "x"."id" not in (select "x"."id" from "a" as "x" left join "b" as "y" on "x"."id" = "y"."a_id" where "y"."n" = 1)
  "x"."id" in (select "x"."id" from "a" as "x" union select "x"."n" from "a" as "x")
  x.id in (table tag)
  x.id in (values (1), (2))
  x.id = any (select b.id from b)
  x.id = any (array(select id from tag))
  array(table tag)
  array[1, 2][1]
  (array(select b.id from b))[1]
  row(1, x.n) = (select 1, b.n from b)
  (x.n, x.t) in ((1, 'x'), (2, 'y'))
  (x).whole
  (x.doc).field
  (select b from b).n
  whole(x)
  public.whole(x.*)
  "whole"(x)
  pg_catalog.lower(x.t)
  lower(x.t)
  lower/* a comment */(x.t)
  U&"low\0065r"(x.t)
  "Count"(*)
  count(*)
  count(distinct x.n)
  count(*) filter (where x.n > 1)
  sum(x.n) over (partition by x.t order by x.id rows between unbounded preceding and current row)
  row_number() over w
  array_agg(x.n order by x.id)
  string_agg(x.t, ',' order by x.t) within_
  percentile_cont(0.5) within group (order by x.n)
  mode() within group (order by x.n)
  now()
  current_date
  current_timestamp(0)
  localtimestamp
  current_user
  user
  session_user
  system_user
  current_schema
  current_schema()
  current_catalog
  current_role
  date 'now'
  date 'today' - 1
  timestamp 'now'
  'now'::timestamptz
  x.at > 'now'
  x.at > 'at''now'
  x.t = 'now'
  x.at > 'yesterday' and x.t like 'today%'
  x.at > e'no\x77'
  x.at > U&'no\0077'
  x.at > $$now$$
  x.at > $tag$at now$tag$
  x.at::date
  x.at::time with time zone
  x.t::regclass
  x.t::"date"
  x.t::public.kind
  x.n::numeric(10, 2)
  x.n::int[]
  x.doc::jsonb #>> '{a,b}'
  cast(x.t as varchar(3))
  cast(lower(x.t) as date)
  lower(x.t)::timestamp
  (x.t || '')::date
  date_trunc('day', x.at)::date
  x.at at time zone 'UTC'
  (x.at at time zone 'UTC')::date
  x.at at local
  timezone('UTC', x.at)
  interval '1 day'
  interval '1' day
  interval(3) '1 day'
  time with time zone '10:00'
  double precision '1'
  int4 '1'
  bit varying(3) '101'
  national character 'x'
  n'x'
  b'101'
  x'1f'
  public.kind 'x'
  x.t collate "C"
  x.t collate public.mine
  x.n operator(pg_catalog.+) 1
  x.n operator(public.@@@) 1
  x.n @@@ 1
  -x.n
  @ x.n
  x.n !~~ 'x'
  x.t like 'x' escape '#'
  x.t ilike any (array['x'])
  x.t similar to 'x'
  x.t not similar to 'x' escape '#'
  x.t ~ 'x'
  x.n between 1 and 2
  x.n between symmetric 2 and 1
  x.n not between (select min(n) from b) and 2
  x.n isnull
  x.n notnull
  x.n is null
  x.n is unknown
  x.t is normalized
  x.t is nfc normalized
  x.t is json object
  x is document
  (x.at, x.at) overlaps (x.at, interval '1 day')
  case x.n when 1 then (select 1 from tag) else 2 end
  case when exists (select 1 from "user") then 1 end
  coalesce(x.n, (select n from tag limit 1))
  nullif(x.n, 1)
  greatest(x.n, 1)
  grouping(x.n)
  not x.flag
  true
  null
  $1
  $1::int
  x.n in ($1, $2)
  xmlelement(name foo, x.t)
  xmlforest(x.t as "from", x.n)
  xmlparse(content x.t)
  xmlserialize(content x.doc as text)
  xmlexists('//x' passing x.doc)
  xmlagg(x.doc)
  json_object('a': x.n)
  json_object('a' value (select n from tag))
  json_array(select n from tag)
  json_array(1, 2 null on null)
  json_arrayagg(x.n)
  json_objectagg(x.t: x.n)
  json_value(x.doc, '$.a' returning date)
  json_query(x.doc, '$.a' with wrapper)
  json_exists(x.doc, '$.a')
  json(x.t)
  json_scalar(1)
  json_serialize('{}')
  collation for (x.t)
  normalize(x.t, nfc)
  merge_action()
  treat(x.t as text)
  variadic_(variadic array[1])
  f(x => 1, y := 2)
  nextval('s')
  currval('s')
  set_config('search_path', 'x', false)
  U&"set\005fconfig"('search_path', 'x', false)
  current_setting('x.y')
  random()
  pg_backend_pid()
  x.id desc_
  x.n as "from"
  x.n as from
  x.n as table
  x.n as user
  x.n as select
  x.n as where
  x.n as join
  x.n user_
  x.n value
  x.n "table"
  x."from"
  x.from
  x."table"
  x.table
  x.user
  x.current_date
  x.select
  "table".n
  "user"."select"
  "user".id
  a.b.c
  db.s.t.c
  e'\''
  E'a\'b -- '
  'a\' || x.t || ' '
  "a""b".n
  "x" /* from tag */ . /* , b */ n
  /* nested /* from tag */ , "user" */ 1
  $$ from tag $$
  $a$ $$ from tag $a$
  1 operator(pg_catalog.=) any (table tag)`);

/** Each becomes a query with an expression or an item of a FROM list. */
export const FRAMES = lines(String.raw`
  select E from I
  select x.id from I where E
  select x.id, E from I order by x.id limit 1
  select E, "y"."t" from "a" as "x" join "b" as "y" on "x"."id" = "y"."a_id" and "y"."n" = 1
  select E, "y"."t" from "a" as "x" left join "b" as "y" on "y"."n" = "x"."n" where "x"."n" = 1 order by "x"."id"
  select distinct E from I
  select distinct on (E) x.id from I
  select all E from I
  select x.id from I group by E
  select x.id from I group by rollup (E), grouping sets ((E), ()) having E
  select x.id from I order by E desc nulls last
  select x.id from I order by E using <
  select x.id from I limit E offset E
  select x.id from I order by x.id fetch first (E) rows with ties
  select x.id from I, I2 where E
  select x.id from I join I2 on E
  select x.id from I left join I2 on E where E2
  select x.id from I natural join I2
  select x.id from I cross join I2
  select x.id from I join I2 using (id)
  select x.id from (I cross join I2) where E
  select x.id from (I join I2 on E) where E2
  select x.id from a as x where exists (select 1 from I where E)
  select x.id from a as x where x.id in (select E from I)
  select x.id from a as x where x.id not in (select x.id from I where E)
  select (select E from I) from I2
  select (select E from I limit 1), E2 from I2 where x.n = 1
  select E from I union select E2 from I2
  select E from I union all table "user"
  (select E from I) except all (select E2 from I2) order by 1
  select E from I intersect (values (1)) limit 1
  with q as (select E from I) select * from q
  with tag as (select E from I) select * from tag, I2
  with a as (table a) select x.id from a as x where E
  with recursive a(n) as (select 1 union all select n + 1 from a, I) select * from a where E
  with q as not materialized (select 1), r(z) as materialized (select E from I) select r.z from r, q
  with recursive q as (select 1 union select 2) search depth first by id set ord cycle id set is_cycle using path select E from I
  with q as (insert into b select E from I returning *) select * from q
  with q as (update b set n = 1 from I where E returning *), r as (select 1) select * from r
  with q as (delete from b using I where E) select 1
  with q as (merge into b using I on E when matched then delete returning *) select 1
  select E into newtable from I
  select E into temp table newtable from I
  select E from I for update
  select E from I for no key update of x nowait
  select E from I for share skip locked
  select x.id from I window w as (partition by E order by x.id)
  select from I where E
  values (E)
  values (E, 1), (E2, 2)
  table only tag
  insert into tag select E from I
  insert into "table" (id, "from") values (1, E), (E2, default)
  insert into public.tag as "x" (n) values (E) on conflict (n) where n > 1 do update set n = E2 where E returning x.n
  insert into tag default values returning *
  insert into tag (n) overriding system value (select E from I) on conflict on constraint k do nothing
  insert into tag (n) table "user"
  insert into tag (n[1], doc.field) values (1, 2)
  insert into tag with q as (select 1) select E from I, q
  insert into tag (n) values (E) order by 1 limit 1
  insert into tag values (1), (2) union select E from I
  with q as (select 1) insert into tag select E from I, q
  update tag set n = E
  update tag as "x" set n = E, t = default where E2 returning *
  update tag set (n, t) = (select E, 1 from I) where id = 1
  update only tag set n = 1 where E
  update only (tag) x set n = 1
  update tag * set n[1] = 1, doc.field.other = E, doc['x'] = 2
  update db.public.tag set n = E
  update "update" set "set" = E where "where" = 1 returning "returning"
  update tag set n = E from I where E2 returning (select count(*) from "user")
  update tag x set n = 1 where current of cur
  update tag set n = 1 returning with (old as o, new as p) o.n, p.n
  delete from tag
  delete from tag as "x" where E returning E2
  delete from only (tag)
  delete from tag using I where E
  delete from tag where current of cur
  delete from tag where n is distinct from user
  with q as (select E from I) delete from tag where n in (table q)
  merge into tag as t using I on E when matched and E2 then update set n = 1 when not matched then insert (n) values (1)
  merge into only tag using (select E from I) as q on t.id = q.id when not matched by source then delete returning merge_action()
  truncate tag
  truncate table only tag, public.tag *, "user" restart identity cascade
  truncate only (tag)
  truncate only (tag), a cascade
  truncate db.public.tag
  copy tag from stdin
  copy tag (id, n) to stdout with (format csv)
  copy (select E from I) to stdout
  copy (delete from tag where E returning *) to stdout
  copy tag from '/x' where E
  create table t2 as select E from I
  create table t2 as (select 1) with no data
  create table t2 as table tag with no data
  create table if not exists t2 as execute p(1)
  create temp table t2 on commit drop as values (E)
  create materialized view v as select E from I
  create unlogged table t2 (id int references tag (id) on delete cascade, n int default 1 check (n > 0), like "user" including all)
  create table t2 partition of tag for values in (1)
  create table t2 () inherits (tag, "user")
  create view v as select E from I
  create or replace recursive view v (n) as select E from I
  create rule r as on insert to tag do also (insert into "user" values (1); delete from b)
  create rule r as on delete to tag where E do instead update tag set n = 1
  create trigger t after insert on tag for each row execute function f()
  create function f() returns int language sql as 'delete from tag'
  create function f() returns int language sql begin atomic delete from tag; select 1; end
  create procedure p() as $$ begin delete from tag; end $$ language plpgsql
  create index concurrently i on tag ((E))
  create schema s create table t2 (id int) create view v as select 1
  create type kind as enum ('x')
  create domain d as int check (value > 0)
  create policy p on tag using (E)
  create sequence s owned by tag.id
  create statistics s on id, n from tag
  create extension if not exists x cascade
  create foreign table ft (id int) server s
  create event trigger t on ddl_command_end execute function f()
  create aggregate g (int) (sfunc = f, stype = int)
  create operator @@@ (leftarg = int, rightarg = int, procedure = f)
  create cast (int as text) with function f(int)
  create publication p for table tag
  create role r
  create database d
  alter table tag add column n int default 1, drop column t cascade
  alter table only tag attach partition t2 for values in (1)
  alter table tag rename to t2
  alter table tag set schema s
  alter table tag add foreign key (n) references "user" (id) on delete cascade
  alter view v rename to w
  alter function f(int) set search_path to x
  alter role r set timezone to 'UTC'
  alter system set x = 1
  alter type kind add value 'y'
  alter default privileges grant select on tables to x
  drop table tag
  drop table if exists tag, public."user" cascade
  drop view v
  drop schema s cascade
  drop function f(int)
  drop trigger t on tag
  drop owned by r cascade
  drop index concurrently i
  drop materialized view v cascade
  refresh materialized view concurrently v
  reassign owned by r to s
  comment on table tag is 'x'
  grant select, insert on tag to r
  revoke all on tag from r cascade
  security label on table tag is 'x'
  import foreign schema s from server x into y
  explain select E from I
  explain analyze select E from I
  explain (analyze, verbose) select E from I
  explain (costs off) delete from tag where E
  explain analyze delete from tag where E
  explain ("analyze") update tag set n = E
  explain (analyze false) delete from tag
  explain analyze verbose insert into tag select E from I
  explain (analyze) create table t2 as select 1
  explain analyze execute p(1)
  explain execute p(1)
  explain analyze declare cur cursor for select 1
  explain (analyze) with q as (delete from tag returning *) select * from q
  prepare p as select E from I
  prepare p (int) as delete from tag where n = $1
  prepare "transaction" as insert into tag select E from I
  execute p(1, E)
  deallocate all
  declare cur cursor for select E from I
  declare cur insensitive scroll cursor with hold for select E from I for update
  declare cur binary cursor for with q as (delete from tag returning *) table q
  fetch all from cur
  fetch forward 3 in cur
  move last in cur
  close all
  lock table tag in exclusive mode
  call p(E)
  do $$ begin delete from tag; end $$
  do language plpgsql 'begin execute x; end'
  begin
  begin isolation level serializable, read only
  begin work
  start transaction read write
  commit and chain
  commit work and no chain
  end
  abort
  rollback
  rollback transaction
  rollback to savepoint s
  rollback to "S"
  savepoint s
  release savepoint s
  release s
  prepare transaction 'x'
  commit prepared 'x'
  rollback prepared 'x'
  set search_path to x, y
  set search_path = default
  set local timezone = 'UTC'
  set session x.y to on
  set time zone local
  set local time zone interval '1' hour to minute
  set role none
  set local role r
  set session authorization default
  set session session authorization r
  set transaction isolation level repeatable read
  set session characteristics as transaction isolation level serializable, read only
  set transaction snapshot 'x'
  set transaction read only
  set names 'utf8'
  set schema 'x'
  set xml option document
  set constraints all deferred
  set standard_conforming_strings to off
  set "Search_Path" to x
  set U&"search\005fpath" to x
  set timezone from current
  reset all
  reset search_path
  reset time zone
  reset session authorization
  reset transaction isolation level
  discard all
  discard temp
  discard plans
  show search_path
  show all
  show time zone
  show transaction isolation level
  listen x
  notify x, 'y'
  unlisten *
  load 'x'
  checkpoint
  vacuum full tag
  analyze tag (id)
  cluster tag using i
  reindex table tag
  select 1; select E from I
  select 1;; delete from tag;
  ; delete from tag where E
  truncate tag cascade; select 1
  select 1; truncate only (tag) cascade
  savepoint s; select 1
  select 1; rollback to s
  begin; update tag set n = 1; commit
  select ';' from I; delete from tag
  select E from I -- ; delete from tag
  delete from tag /* ; /* nested */ select 1 */ where E
  delete from tag where t = $x$ ; ' $x$; select 1
  select e'\'; delete from tag; --' from I
  select '\'; delete from tag; --'
  select U&"t\0061g".id from U&"t\0061g"
  select U&"d!0061t" uescape '!' from tag
  delete from U&"t\0061g"
  delete from "TAG"
  delete from TAG
  DELETE FROM Tag AS "Alias" WHERE E
  select set_config('search_path', 'x', true), E
  select set_config($1, 'x', true)
  update tag set n = length(set_config('search_path', 'x', false))
  select x.id from only a x join only (b) y on x.id = y.id where E
  select x.id from a as x, lateral (select E from I) as q
  select x.id from a as x left join lateral (select E from I where E2) as q on true`);
