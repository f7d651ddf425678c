import type { TableChange } from '../../../lib/store/store.js';
import { touchedBy } from '../../store/steps.js';
import { ARTICLE } from '../../store/words.js';
import type { Actor, Scene, Step } from './actor.js';
import type { Row, Transaction } from './database.js';
import { CATALOG } from './query.js';
import type { Keeps } from './rules.js';

export interface WriterPart {
  /** of the row */
  readonly id: string;
  /** the new row; if omitted, the row is deleted */
  readonly to: Omit<Row, 'id'> | undefined;
  readonly rollsBack?: boolean;
  /** the rows that it changes are unknown */
  readonly wide?: boolean;
  /** its row deltas are unknown */
  readonly vague?: boolean;
  /** the store is unavailable at its mark; it gets the mark later, before or after the transaction ends */
  readonly markFails?: boolean;
  /** it writes to the catalog, and to rows that may match other queries because of it */
  readonly defines?: boolean;
}

type Stage = 'looks' | 'writes' | 'marks' | 'ends' | 'settles' | 'fails to mark' | 'drops';

/** Writes one row in a transaction: write, mark, COMMIT or ROLLBACK, settle. May die after each step. */
export class Writer implements Actor {
  readonly #stages: Stage[];
  #before: Row | undefined;
  #transaction: Transaction | undefined;

  constructor(
    readonly name: string,
    readonly part: WriterPart,
    readonly scene: Scene,
  ) {
    this.#stages = stagesOf(scene.keeps, part.markFails);
  }

  steps(): readonly Step[] {
    const [stage] = this.#stages;
    const mustWait = stage === 'writes' && this.scene.database.isLocked(this.part.id);
    if (!stage || mustWait) {
      return [];
    }
    return [this.#step(stage), ...this.#deaths(stage), ...this.#repeatSteps()];
  }

  get state(): unknown {
    return [this.name, this.#stages, this.#stages.length > 0 && this.#before, this.#transaction?.xid];
  }

  #step(stage: Stage): Step {
    const verb = stage === 'ends' ? (this.part.rollsBack ? 'rolls back' : 'commits') : stage;
    return {
      name: `${this.name} ${verb}`,
      take: async () => {
        await this.#go(stage);
        this.#stages.shift();
      },
    };
  }

  /** The transaction may be open or ended: if the answer to its COMMIT was lost, the writer does not know. */
  #repeatSteps(): Step[] {
    const isOwed = this.scene.owed.has(this.name);
    return isOwed && this.#transaction
      ? [
          {
            name: `${this.name} repeats its mark`,
            take: async () => {
              await this.#repeatMark();
              this.scene.owed.delete(this.name);
              this.#stages.splice(this.#stages.indexOf('drops'), 1, 'settles');
            },
          },
        ]
      : [];
  }

  /**
   * Other participants cannot observe the death itself, because the writer may just be slow. They observe that the
   * database rolls the transaction back, or commits it if the COMMIT has arrived, and that no settle follows.
   */
  #deaths(next: Stage): Step[] {
    const { database } = this.scene;
    const transaction = this.#transaction;
    // a process that dies before the store gets its mark loses what it owes: `degrade` does not cover this
    if (!transaction || this.scene.crashes === 0 || this.scene.owed.has(this.name)) {
      return [];
    }
    const death = (fate: string, end: () => void): Step => ({
      name: `${this.name} dies, and ${fate}`,
      take: () => {
        end();
        this.scene.crashes--;
        this.#stages.length = 0;
      },
    });
    if (transaction.status !== 'in progress') {
      return [death('does not settle', () => {})];
    }
    const abort = death('is rolled back', () => database.abort(transaction));
    const commit = death('its COMMIT arrives', () => database.commit(transaction));
    return next === 'ends' && !this.part.rollsBack ? [abort, commit] : [abort];
  }

  async #go(stage: Stage): Promise<void> {
    const { store, database, keeps } = this.scene;
    const { id, to, rollsBack } = this.part;
    switch (stage) {
      case 'looks':
        this.#before = database.get(id);
        return;
      case 'writes':
        this.#transaction = database.write(id, to && { id, ...to });
        if (keeps('locked old row')) {
          this.#before = this.#transaction.before;
        }
        return;
      case 'marks':
        return store.mark({ id: this.name, xid: String(this.#transaction!.xid) }, this.#changes());
      case 'ends':
        return rollsBack ? database.abort(this.#transaction!) : database.commit(this.#transaction!);
      case 'settles':
        return store.settle(
          this.name,
          this.#changes().map(({ table }) => table),
        );
      case 'fails to mark':
        if (keeps('kept when not taken')) {
          this.scene.owed.add(this.name);
        }
        return;
      case 'drops':
        if (keeps('kept when not taken')) {
          await store.drop([ARTICLE]);
          this.scene.owed.delete(this.name);
        }
    }
  }

  async #repeatMark(): Promise<void> {
    const { store, keeps } = this.scene;
    if (keeps('repeated mark')) {
      const writer = { id: this.name, xid: String(this.#transaction!.xid) };
      await store.mark(writer, [{ table: ARTICLE, touched: () => undefined }]);
    } else {
      await store.drop([ARTICLE]);
    }
  }

  #changes(): TableChange[] {
    const { keeps } = this.scene;
    const { wide, vague = false, defines } = this.part;
    if (defines) {
      const tables = keeps('definer marks') ? [ARTICLE, CATALOG] : [ARTICLE];
      return tables.map(table => ({ table, touched: () => undefined }));
    }
    const before = keeps('old row') ? this.#before : undefined;
    const after = keeps('new row') ? this.#transaction!.after : undefined;
    return [
      {
        table: ARTICLE,
        touched: asked => (wide ? undefined : touchedBy(asked, [{ before, after, vague }])),
      },
    ];
  }
}

function stagesOf(keeps: Keeps, markFails = false): Stage[] {
  if (markFails) {
    return keeps('dropped after the end')
      ? ['writes', 'fails to mark', 'ends', 'drops']
      : ['writes', 'fails to mark', 'drops', 'ends'];
  }
  if (!keeps('mark before COMMIT')) {
    return ['writes', 'ends', 'marks', 'settles'];
  }
  if (!keeps('settle after COMMIT')) {
    return ['writes', 'marks', 'settles', 'ends'];
  }
  const stages: Stage[] = ['writes', 'marks', 'ends', 'settles'];
  return keeps('locked old row') ? stages : ['looks', ...stages];
}
