import { createHash } from 'node:crypto';
import { MISPLACED, type Session } from './connection.js';
import { drop } from './lua/drop.js';
import { lease } from './lua/lease.js';
import { lift } from './lua/lift.js';
import { mark } from './lua/mark.js';
import { registry } from './lua/registry.js';
import { reseal } from './lua/reseal.js';
import { schemes } from './lua/schemes.js';
import { settle } from './lua/settle.js';
import { trail } from './lua/trail.js';

export interface Script {
  readonly source: string;
  readonly sha: string;
}

/** One call of a script. All keys that it uses are declared, and belong to one table, so to one slot. */
export interface Call {
  readonly script: Script;
  readonly keys: readonly string[];
  readonly args: readonly (string | number | Buffer)[];
}

// Each script is a function without the id among its arguments. Errors are replied as they are.
const OPENING = `local id = table.remove(ARGV)
local function main()
`;
const CLOSING = `
end
local reply = main()
if type(reply) == 'table' and reply.err then
  return reply
end
return { id, reply }
`;

export const LEASE = script(lease);
export const MARK = script(mark);
export const SCHEMES = script(schemes);
export const SETTLE = script(settle);
export const LIFT = script(lift);
export const DROP = script(drop, '');
export const TRAIL = script(trail, '');
export const RESEAL = script(reseal, '');

/**
 * Runs all calls in order and in one round trip. If the server lacks a script (after a restart or SCRIPT FLUSH), the
 * calls from that one on are sent again with their source. `defineCommand` is not used, because it may resend a call
 * later on another connection.
 *
 * Each call has an id, which its reply repeats. Otherwise, if a request or a reply is lost, the reply to a later call
 * would be taken for its own: a mark that never arrived would count as made.
 *
 * @throws the server's first error
 * @throws Error `MISPLACED` if a reply belongs to another call
 */
export async function run(session: Session, calls: readonly Call[]): Promise<unknown[]> {
  const identified = calls.map(call => ({ ...call, id: nextId() }));
  const replies = await send(session, identified, ({ script }) => ['evalsha', script.sha]);
  const from = replies.findIndex(isNoScript);
  const again =
    from < 0 ? [] : await send(session, identified.slice(from), ({ script }) => ['eval', script.source]);
  return [...replies.slice(0, replies.length - again.length), ...again].map((reply, i) => {
    if (reply instanceof Error) {
      throw reply;
    }
    if (!Array.isArray(reply) || reply[0] !== identified[i]!.id) {
      throw new Error(MISPLACED);
    }
    return reply[1];
  });
}

interface IdentifiedCall extends Call {
  readonly id: string;
}

let lastId = 0;

/** Unique in this process, so on each connection. */
function nextId(): string {
  return (++lastId).toString(36);
}

async function send(
  { client, wait }: Session,
  calls: readonly IdentifiedCall[],
  how: (call: Call) => ['eval' | 'evalsha', string],
): Promise<unknown[]> {
  if (calls.length === 0) {
    return [];
  }
  const [only] = calls;
  if (only && calls.length === 1) {
    const [command, script] = how(only);
    return [
      await wait(client[command](script, only.keys.length, ...only.keys, ...only.args, only.id)).catch(
        errorOfReply,
      ),
    ];
  }
  const pipeline = client.pipeline();
  for (const call of calls) {
    const [command, script] = how(call);
    pipeline[command](script, call.keys.length, ...call.keys, ...call.args, call.id);
  }
  const results = await wait(pipeline.exec());
  return calls.map((_, i) => results?.[i]?.[0] ?? results?.[i]?.[1]);
}

/** @throws errors that are not answers of the server */
function errorOfReply(error: unknown): unknown {
  if (error instanceof Error && error.name === 'ReplyError') {
    return error;
  }
  throw error;
}

function isNoScript(reply: unknown): boolean {
  return reply instanceof Error && reply.message.startsWith('NOSCRIPT');
}

function script(body: string, prelude = registry): Script {
  const source = `${OPENING}${prelude}${body}${CLOSING}`;
  return { source, sha: createHash('sha1').update(source).digest('hex') };
}
