import type { EntityMetadata } from '@mikro-orm/core';
import type { Op } from '../../config/index.js';
import { describeDependencies } from '../../observability/describe.js';
import type { CacheopsEvents } from '../../observability/events.js';
import type { Found, Store } from '../../store/store.js';
import { StatementRecorder, withScope } from '../context/scope.js';
import type { Planned } from '../planning/plan.js';
import type { ResultCodec, ResultKind } from './result_codec.js';
import { areSameRows } from './same_rows.js';
import { findCause } from './validity.js';

/** A hit, and how the database can be asked for the same. */
export interface Hit {
  readonly kind: ResultKind;
  readonly meta: EntityMetadata;
  readonly entity: string;
  readonly op: Op;
  readonly plan: Planned;
  readonly found: Found;
  readonly run: () => Promise<unknown>;
}

export interface AuditorParts {
  readonly store: Store;
  readonly events: CacheopsEvents;
  readonly codec: ResultCodec;
}

/**
 * Compares a share of the hits with the database.
 *
 * What the database says afterwards may be newer than the hit, and right all the same. So the entry is looked at
 * again *after* the database has answered. If it still holds under the same seal, nothing that it depends on was
 * written between the read that filled it and that look: writers change stamps before they commit. Then the database
 * has answered in between from a state that must give the same.
 */
export class Auditor {
  readonly #share: number;
  readonly #parts: AuditorParts;

  /** @param share of the hits: 0.01 is one in a hundred */
  constructor(share: number, parts: AuditorParts) {
    this.#share = share;
    this.#parts = parts;
  }

  isDue(): boolean {
    return this.#share === 1 || Math.random() < this.#share;
  }

  /** Never rejects. */
  async check({ kind, meta, entity, op, plan, found, run }: Hit): Promise<void> {
    const { address } = plan;
    const { store, events, codec } = this.#parts;
    try {
      const recorder = new StatementRecorder();
      const database = await withScope({ recorder }, run);
      const again = await store.read(address);
      const holds = again?.seal === found.seal && !findCause(address.tables, again);
      // another session's answer, or one to another question
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
          entity,
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

/** Which rows of many are given may be the database's choice. */
const LIMITED = /\b(limit|offset|fetch|distinct on)\b/i;
