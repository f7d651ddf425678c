import { loadCities } from '../fixtures/cities/index.js';
import { getCacheops } from '../lib/index.js';
import { make } from './change.js';
import { claim, claimEqual } from './claim.js';
import { cacheKind, databaseKind, type Orm } from './database.js';
import { effectOn } from './effect.js';
import { Interview, type Reply } from './interview.js';
import { printReplies, printVerdict, printWrite } from './lines.js';
import { type Question, questions } from './questions.js';
import { printSummary } from './summary.js';
import { number, paint, print, printForNow } from './terminal.js';
import { warmUp } from './warm_up.js';
import { type Write, writes } from './writes.js';

/** How often each query runs at the end, for the medians. */
const ROUNDS = 15;

export async function tell(orm: Orm, interruption: AbortSignal): Promise<void> {
  await load(orm, interruption);
  await warmUp(orm, interruption);
  const interview = new Interview(orm, interruption);

  let replies = await askTwice(interview);
  print(paint('bold', 'A write invalidates the results that its old or new rows match:'));
  for (const write of writes) {
    replies = await writeAndAskAgain(write, replies, interview, orm);
  }
  for (let round = 0; round < ROUNDS; round++) {
    for (const question of questions) {
      claimSource(await interview.ask(question), 'cache');
    }
  }
  printSummary(interview);
  print();
  const verdicts = writes.length * questions.length;
  print(
    `Each of the ${interview.replies.length} answers was the same as with { cacheops: false }, whose times are in the column database.`,
  );
  print(
    `Each of the ${verdicts} results was dropped if its answer had changed, and kept if the write did not affect it.`,
  );
}

async function load(orm: Orm, interruption: AbortSignal): Promise<void> {
  const started = performance.now();
  // nothing is cached yet, so there is nothing to invalidate
  const { cities, countries } = await getCacheops(orm).noInvalidation(() =>
    loadCities(orm.em.fork(), (loaded, total) => {
      interruption.throwIfAborted();
      printForNow(`Loading ${number(loaded)} of ${number(total)} cities …`);
    }),
  );
  printForNow('');
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  print(
    `${paint('bold', `${number(cities)} cities of ${countries} countries`)} in ${databaseKind}, ` +
      `loaded in ${seconds} s. Results are cached in ${cacheKind}.`,
  );
}

/** First from the database, then from the cache. */
async function askTwice(interview: Interview): Promise<Map<Question, Reply>> {
  print(paint('bold', 'Each query runs twice:'));
  const replies = new Map<Question, Reply>();
  for (const question of questions) {
    const first = claimSource(await interview.ask(question), 'database');
    const second = claimSource(await interview.ask(question), 'cache');
    claimEqual(`${question.title}, asked again`, second.answer, first.answer);
    replies.set(question, second);
    printReplies(first, second);
  }
  return replies;
}

/** @param replies before the write; their dependencies explain its effects */
async function writeAndAskAgain(
  write: Write,
  replies: ReadonlyMap<Question, Reply>,
  interview: Interview,
  orm: Orm,
): Promise<Map<Question, Reply>> {
  const changes = await make(write, orm);
  printWrite(write, changes);
  const next = new Map<Question, Reply>();
  for (const [question, before] of replies) {
    const effects = before.dependencies.map(it => effectOn(it, write.table, changes));
    const concerned = effects.some(effect => effect !== undefined);
    const reply = await interview.ask(question);
    const dropped = reply.source === 'database';
    // the claim of the demo: a query goes to the database only if the write affects it …
    claim(!dropped || concerned, `${question.title} is dropped, though ${write.title} does not affect it`);
    if (!dropped) {
      // … and always if its answer has changed
      claimEqual(`${question.title}, kept`, reply.plain, before.plain);
    }
    next.set(question, reply);
    printVerdict({ before, reply, effects });
  }
  return next;
}

function claimSource(reply: Reply, expected: Reply['source']): Reply {
  claimEqual(`${reply.question.title}, source`, reply.source, expected);
  return reply;
}
