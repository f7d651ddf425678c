import { describeDependencies } from '../../observability/describe.js';
import type { CacheopsEvents } from '../../observability/events.js';
import type { Found, Store } from '../../store/store.js';
import type { AddBackground } from '../context/background.js';
import { StatementRecorder, withScope } from '../context/scope.js';
import type { Planned } from '../planning/plan.js';
import type { DatabaseReader } from './database_reader.js';
import type { Request } from './request.js';
import type { ResultCodec } from './result_codec.js';
import { findCause } from './revalidation.js';
import { areSameRows } from './same_rows.js';

export interface AuditorParts {
  readonly store: Store;
  readonly events: CacheopsEvents;
  readonly codec: ResultCodec;
  readonly reader: DatabaseReader;
  readonly background: AddBackground;
}

/**
 * Compares a share of the hits with the database.
 *
 * The database's result may be newer than the hit, and both right. So the entry is read again *after* the database has
 * answered. If it still holds under the same seal, no transaction has changed what it depends on between the read that
 * filled it and now, because writers change stamps before they commit. Then the database must have given the same.
 */
export class Auditor {
  readonly #share: number;
  readonly #parts: AuditorParts;

  /** @param share of the hits: 0.01 is one in a hundred */
  constructor(share: number, parts: AuditorParts) {
    this.#share = share;
    this.#parts = parts;
  }

  /** Compares this hit in the background, if it is in the share. */
  sample(request: Request, plan: Planned, found: Found): void {
    if (this.#share === 1 || Math.random() < this.#share) {
      this.#parts.background(this.#check(request, plan, found), 'a connection');
    }
  }

  /** Never rejects. */
  async #check(request: Request, plan: Planned, found: Found): Promise<void> {
    const { kind, meta, op, subject } = request;
    const { address } = plan;
    const { store, events, codec } = this.#parts;
    try {
      const recorder = new StatementRecorder();
      const database = await withScope({ recorder }, () => this.#parts.reader.run(request));
      const again = await store.read(address);
      const holds = again?.seal === found.seal && !findCause(address.tables, again);
      // another session or another statement may give another result
      const isComparable = !recorder.hasNonDefaultSettings && plan.confirms(recorder.statements);
      if (!holds || !isComparable) {
        return;
      }
      const cached = codec.decode(kind, found.payload);
      const limited = recorder.statements.some(sql => LIMITED.test(sql));
      const same = areSameRows(cached, database, limited, meta.primaryKeys);
      if (same === undefined) {
        return;
      }
      const { stats } = events;
      stats.audited++;
      if (!same) {
        stats.mismatches++;
        events.announce('mismatch', () => ({
          entity: subject.className,
          op,
          key: address.key,
          dependencies: describeDependencies(address),
          cached,
          database,
        }));
      }
    } catch (error) {
      events.reportError('audit', error);
    }
  }
}

/** With these, the database may choose which rows it gives. */
const LIMITED = /\b(limit|offset|fetch|distinct on)\b/i;
