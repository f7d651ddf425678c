import {
  ChangeSetType,
  type EventSubscriber,
  type FlushEventArgs,
  type TransactionEventArgs,
} from '@mikro-orm/core';
import type { TableName } from '../../sql/statement.js';
import { currentScope } from '../context/scope.js';
import { sessionOf } from '../context/session.js';

type UnitOfWork = FlushEventArgs['uow'];

/**
 * Collects the entities that a flush is about to write, and announces them to the transaction that writes them. Events
 * name them as the cause, and at COMMIT they are compared with the statements: if no statement has written an announced
 * table, all of it is dropped. The rows come from the statements, which also show defaults, triggers and cascades.
 *
 * The end of the transaction is followed on the connection: after all other subscribers, and also for transactions that
 * dispatch no events.
 */
export class FlushSubscriber implements EventSubscriber {
  readonly #announced = new WeakMap<UnitOfWork, Map<string, readonly TableName[]>>();

  onFlush({ uow }: FlushEventArgs): void {
    if (currentScope().invalidationSuppressed) {
      return;
    }
    const entities = this.#announced.get(uow) ?? new Map<string, readonly TableName[]>();
    for (const { meta, type, payload } of uow.getChangeSets()) {
      const writes =
        type === ChangeSetType.CREATE || type === ChangeSetType.DELETE || Object.keys(payload).length > 0;
      if (writes && !entities.has(meta.className)) {
        // with table-per-type inheritance the written tables depend on the properties
        const plain = meta.inheritanceType !== 'tpt' && meta.schema !== '*' && !meta.virtual;
        const table = { schema: meta.root.schema, name: meta.root.tableName };
        entities.set(meta.className, plain ? [table] : []);
      }
    }
    this.#announced.set(uow, entities);
  }

  async beforeTransactionCommit({ transaction, uow }: TransactionEventArgs): Promise<void> {
    await this.#handOver(uow, transaction);
  }

  /** For an explicit transaction, which commits later, perhaps through another EntityManager. */
  async afterFlush({ em, uow }: FlushEventArgs): Promise<void> {
    await this.#handOver(uow, em.getTransactionContext());
    this.#announced.delete(uow);
  }

  async #handOver(uow: UnitOfWork | undefined, ctx: TransactionEventArgs['transaction']): Promise<void> {
    const entities = uow && this.#announced.get(uow);
    if (!entities || !ctx) {
      return;
    }
    this.#announced.delete(uow);
    const session = await sessionOf(ctx);
    for (const [entity, tables] of entities) {
      session?.transaction?.announced.set(entity, tables);
    }
  }
}
