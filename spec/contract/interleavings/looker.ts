import type { Found } from '../../../lib/store/store.js';
import type { RowDelta } from '../../../lib/values/row_delta.js';
import { ARTICLE, on, query } from '../../store/words.js';
import { type Actor, type Scene, type Step, TIMEOUT } from './actor.js';
import { StaleHit } from './flaw.js';
import type { Query } from './query.js';

type Stage = 'finds' | 'asks for writers' | 'looks up' | 'finds again' | 'reseals';

/**
 * Reads an entry about pairs of rows. Where a delta of one row does not tell whether the result has changed, it looks up the
 * rows that it is joined to: while none of them satisfies the condition, the row is in no pair. Reseals the entry if it holds.
 */
export class Looker implements Actor {
  #stage: Stage | undefined = 'finds';
  #found: Found | undefined;
  /** when it began */
  #began = 0;

  constructor(
    readonly name: string,
    readonly query: Query,
    readonly scene: Scene,
  ) {}

  steps(): readonly Step[] {
    const stage = this.#stage;
    return stage ? [{ name: `${this.name} ${stage}`, take: () => this.#take(stage) }] : [];
  }

  get state(): unknown {
    const { database } = this.scene;
    return [
      this.query.address.key,
      this.#stage,
      this.#found?.id,
      this.#found?.seal,
      this.#found && database.selectSince(this.#began, this.query),
    ];
  }

  async #take(stage: Stage): Promise<void> {
    const { store, database, keeps } = this.scene;
    const { address, anyOf, tested } = this.query;
    const found = this.#found;
    switch (stage) {
      case 'finds': {
        const first = await store.read(address);
        if (!first || first.moved.length === 0 || !this.#mayHold(first)) {
          return this.#end();
        }
        this.#found = first;
        this.#began = database.now;
        return this.#undecided(first).length === 0
          ? this.#answer()
          : this.#goOn(keeps('writers before the lookup') ? 'asks for writers' : 'looks up');
      }
      case 'asks for writers': {
        const joined = this.#undecided(found!).map(side => address.tables[0]!.dependencies[1 - side]!);
        const lease = await store.lease(query(on(ARTICLE, ...joined)), TIMEOUT);
        return lease.granted ? this.#goOn('looks up') : this.#end();
      }
      case 'looks up': {
        const fails = this.#undecided(found!).every(
          side => database.select({ anyOf: [anyOf[1 - side]!], tested, counts: true }) === '0',
        );
        return !fails
          ? this.#end()
          : keeps('deltas after the lookup')
            ? this.#goOn('finds again')
            : this.#answer();
      }
      case 'finds again': {
        const again = await store.read(address);
        const isSame = again?.id === found!.id || !keeps('same entry after the lookup');
        const asked = this.#undecided(found!);
        if (
          !again ||
          !isSame ||
          !this.#mayHold(again) ||
          !this.#undecided(again).every(side => asked.includes(side))
        ) {
          return this.#end();
        }
        this.#found = again;
        return this.#answer();
      }
      case 'reseals':
        this.#end();
        return store.reseal(address, found!);
    }
  }

  /** @throws StaleHit unless the database would have given the answer at some moment since the read began */
  #answer(): void {
    const payload = String(this.#found!.payload);
    const results = this.scene.database.selectSince(this.#began, this.query);
    if (!results.includes(payload)) {
      throw new StaleHit(`${this.name} gets ${payload} from the cache, but ${results} from the database`);
    }
    this.#goOn('reseals');
  }

  #goOn(next: Stage): void {
    this.#stage = next;
  }

  #end(): void {
    this.#stage = undefined;
    this.#found = undefined;
  }

  /** The sides that have the delta of a row that satisfied the condition before or after. */
  #undecided({ moved }: Found): number[] {
    const wanted = Object.values(this.query.tested);
    const { dependencies } = this.query.address.tables[0]!;
    return dependencies.flatMap(({ values }, side) => {
      const steps = moved.filter(each => each.dependency.values === values).flatMap(each => each.steps);
      const satisfies = (image: RowDelta[0]) => image?.every((value, i) => value === wanted[i]);
      return steps.some(([old, now]) => satisfies(old) || satisfies(now)) ? [side] : [];
    });
  }

  /** If both sides have such a delta, the rows may have been a pair at some time. */
  #mayHold(found: Found): boolean {
    return this.#undecided(found).length < 2 || !this.scene.keeps('deltas of joined rows');
  }
}
