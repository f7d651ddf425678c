import { expect } from 'chai';
import { mayCallRoutine, type Routine, Routines } from '../../lib/sql/routines.js';

const routine = (name: string, source: string, callable = true): Routine => ({ name, source, callable });

describe('tables that routines may write to', () => {
  it('a routine that writes may write to every table named in its text', () => {
    const routines = new Routines([
      routine('log', `begin insert into "Audit" values (new.id); return new; end`, false),
      routine('shout', `select upper(name) from article`),
    ]);
    expect([...routines.namesReachedBy('log')]).to.include.members(['Audit', 'new']);
    expect(routines.namesReachedBy('shout').size).to.equal(0);
    expect(routines.namesReachedBy('unknown').size).to.equal(0);
  });

  it('a routine may write to the tables of the routines that it calls, directly or indirectly', () => {
    const routines = new Routines([
      routine('a', 'begin perform b(1); return; end'),
      routine('b', 'select c()'),
      routine('c', 'delete from article'),
      routine('round', 'select a()'),
    ]);
    for (const name of ['a', 'b', 'c', 'round']) {
      expect([...routines.namesReachedBy(name)], name).to.include('article');
    }
  });

  it('routines that call each other are followed once', () => {
    const routines = new Routines([routine('a', 'select b()'), routine('b', 'select a(); update article')]);
    expect([...routines.namesReachedBy('a')]).to.include('article');
  });

  it('routines with the same name count together', () => {
    const routines = new Routines([routine('a', 'select 1'), routine('a', 'delete from article')]);
    expect([...routines.namesReachedBy('a')]).to.include('article');
  });

  it('a view may write to the tables of the routines that it calls, not to tables named in its own text', () => {
    const routines = new Routines([
      routine('bump', 'update article set n = n + 1'),
      { name: 'bumped', source: 'select bump() from author', callable: true, query: true },
      { name: 'plain', source: `select 'update' as word from author`, callable: true, query: true },
    ]);
    expect([...routines.namesReachedIn('select * from bumped')])
      .to.include('article')
      .and.not.include('author');
    expect(routines.namesReachedIn('select * from plain').size).to.equal(0);
  });

  it('a statement may call every routine named in its text', () => {
    const routines = new Routines([
      routine('bump', 'update article set n = n + 1'),
      routine('fired', 'delete from author', false),
    ]);
    expect([...routines.namesReachedIn('select "public"."bump"(7)')]).to.include('article');
    expect([...routines.namesReachedIn('select BUMP (7)')]).to.include('article');
    expect([...routines.namesReachedIn('select t.bump from article as t')]).to.include('article');
    expect(routines.namesReachedIn('select (bumped) from article').size, 'no call').to.equal(0);
    expect(routines.namesReachedIn('select fired()').size, 'of a trigger, which cannot be called').to.equal(
      0,
    );
  });
});

describe('mayCallRoutine', () => {
  for (const sql of [
    'select f()',
    'select s.f (1)',
    'select "f"(1)',
    'select lower(f(1))',
    'select f /* it writes */ (1)',
    'select f$(1)',
    'select s.count(1)',
    'select over(1)',
  ]) {
    it(`${sql} may call a routine`, () => {
      expect(mayCallRoutine(sql)).to.equal(true);
    });
  }
  for (const sql of ['select * from a where id in (1, 2)', 'select count(*) from a', 'select 1']) {
    it(`${sql} calls no routine`, () => {
      expect(mayCallRoutine(sql)).to.equal(false);
    });
  }
});
