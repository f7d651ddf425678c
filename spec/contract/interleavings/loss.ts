import { idOf, Keys } from '../../../lib/store/keys.js';
import type { EntryAddress } from '../../../lib/store/store.js';
import { isCounted } from '../../../lib/store/touched.js';
import type { Actor, Scene, Step } from './actor.js';

export type Kept = 'entry' | 'table stamp' | 'dependency stamp' | 'delta log' | 'registry';

/** Makes the store lose something, at any moment. */
export class Loss implements Actor {
  readonly #keys: readonly (readonly [Kept, string])[];
  #left: number;

  /**
   * @param addresses the entries and stamps that may be lost
   * @param kinds the kinds of things that may be lost
   * @param count number of losses
   */
  constructor(
    addresses: readonly EntryAddress[],
    kinds: readonly Kept[],
    count: number,
    readonly scene: Scene,
  ) {
    const keys = new Keys('');
    const found = addresses.flatMap((address): [string, Kept][] => {
      const [entry, tableStamp, ...dependencyStamps] = keys.ofAddress(address);
      return [
        [entry!, 'entry'],
        [tableStamp!, 'table stamp'],
        ...dependencyStamps.map((stamp): [string, Kept] => [stamp, 'dependency stamp']),
        ...address.tables[0]!.dependencies.filter(({ scheme }) => isCounted(scheme)).map(
          (dependency): [string, Kept] => [
            keys.of(address.tables[0]!.table).trails + idOf(dependency),
            'delta log',
          ],
        ),
        [keys.of(address.tables[0]!.table).registry, 'registry'],
      ];
    });
    this.#keys = Array.from(new Map(found), ([key, kind]) => [kind, key] as const).filter(([kind]) =>
      kinds.includes(kind),
    );
    this.#left = count;
  }

  steps(): readonly Step[] {
    return this.#left === 0
      ? []
      : this.#keys.map(([kind, key]) => ({
          name: `the store loses the ${kind} ${key}`,
          take: () => {
            this.#left--;
            this.scene.store.evict(key);
          },
        }));
  }

  get state(): unknown {
    return this.#left;
  }
}
