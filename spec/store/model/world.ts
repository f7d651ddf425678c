import { idOf, Keys } from '../../../lib/store/keys.js';
import type { EntryAddress, Found, Quarantine, Seal, Store } from '../../../lib/store/store.js';
import { matters } from '../steps.js';
import type { Subject } from '../subject.js';
import {
  addressOf,
  ModelDatabase,
  type ModelQuery,
  type ModelTransaction,
  type RowWrite,
} from './database.js';
import { type Event, QUERIES } from './events.js';

/** Seconds; some events let more time pass. */
const TIMEOUT = 100;

interface Reader {
  readonly store: Store;
  readonly query: number;
  readonly seal: Seal;
  selected?: string;
}

interface Finder {
  readonly store: Store;
  readonly query: number;
  readonly found: Found;
}

interface Writer {
  readonly store: Store;
  readonly transaction: ModelTransaction;
  stage: 'written' | 'marked' | 'ended';
}

/** Plays events on a store and a model of a database, like correct users of the store, which may also die. */
export class World {
  hits = 0;
  /** of these, such that steps had come to which did not matter */
  moved = 0;
  readonly #database = new ModelDatabase();
  readonly #readers = new Map<number, Reader>();
  readonly #writers = new Map<number, Writer>();
  readonly #finders = new Map<number, Finder>();
  /** quarantines, and the transactions that have to end before they may be lifted */
  readonly #quarantines = new Map<string, [Quarantine, ModelTransaction[]]>();
  readonly #queries: readonly ModelQuery[];
  readonly #addresses: readonly EntryAddress[];
  readonly #keys: readonly string[][];

  /** @param name sets its tables apart from those of other worlds */
  constructor(
    readonly subject: Subject,
    readonly name: string,
  ) {
    this.#queries = QUERIES.map(({ tables, ...rest }) => ({
      ...rest,
      tables: tables.map(({ table, ...others }) => ({ table: this.#table(table), ...others })),
    }));
    this.#addresses = this.#queries.map((query, i) => addressOf(`${name} ${i}`, query));
    const keys = new Keys('');
    this.#keys = this.#addresses.map(address => [
      ...keys.ofAddress(address),
      ...address.tables.map(({ table }) => keys.of(table).registry),
      ...address.tables.flatMap(({ table, dependencies }) =>
        dependencies.map(dependency => keys.of(table).trails + idOf(dependency)),
      ),
    ]);
  }

  async play(event: Event): Promise<void> {
    const { store } = this.subject;
    switch (event.kind) {
      case 'cache':
        await this.#lease(-1, event.query, event.process);
        this.#select(-1);
        return this.#fill(-1);
      case 'lease':
        return this.#lease(event.reader, event.query, event.process);
      case 'select':
        return this.#select(event.reader);
      case 'fill':
        return this.#fill(event.reader);
      case 'write':
        return this.#write(event.writer, event.writes, event.process);
      case 'change':
        return this.#change(event.write, event.process);
      case 'mark':
      case 'commit':
      case 'rollback':
      case 'settle':
      case 'crash':
        return this.#go(event.writer, event.kind);
      case 'resolve':
        return this.#resolve(event.query);
      case 'find':
        return this.#find(event.finder, event.query, event.process);
      case 'reseal':
        return this.#reseal(event.finder);
      case 'evict': {
        const keys = this.#keys[event.query]!;
        return this.subject.evict(keys[event.key % keys.length]!);
      }
      case 'drop':
        return store.drop([this.#table(event.table)]);
      case 'pass':
        return this.subject.pass(event.seconds);
      case 'clear':
        return store.clear();
    }
  }

  /** @throws Error if the store would answer any query with what the database would not */
  async check(): Promise<void> {
    await Promise.all(
      this.#addresses.map(async (address, i) => {
        const found = await (i % 2 ? this.subject.store : this.subject.other).read(address);
        if (!found || this.#matters(found, i)) {
          return;
        }
        this.hits++;
        this.moved += found.moved.length > 0 ? 1 : 0;
        const now = this.#database.select(this.#queries[i]!);
        if (String(found.payload) !== now) {
          throw new Error(`Stale: ${address.key} is ${found.payload}, but should be ${now}`);
        }
      }),
    );
  }

  #matters(found: Found, query: number): boolean {
    const { tables } = this.#queries[query]!;
    return matters(found, name => tables.find(({ table }) => table === name)!.tested!);
  }

  async #find(finder: number, query: number, process: number): Promise<void> {
    const store = this.#process(process);
    const found = await store.read(this.#addresses[query]!);
    if (found && !this.#matters(found, query)) {
      this.#finders.set(finder, { store, query, found });
    }
  }

  async #reseal(number: number): Promise<void> {
    const finder = this.#finders.get(number);
    if (finder) {
      this.#finders.delete(number);
      await finder.store.reseal(this.#addresses[finder.query]!, finder.found);
    }
  }

  async #lease(reader: number, query: number, process: number): Promise<void> {
    const store = this.#process(process);
    const lease = await store.lease(this.#addresses[query]!, TIMEOUT);
    if (lease.granted) {
      this.#readers.set(reader, { store, query, seal: lease.seal });
    } else {
      this.#readers.delete(reader);
      this.#note(lease.quarantines);
    }
  }

  #select(number: number): void {
    const reader = this.#readers.get(number);
    if (reader) {
      reader.selected = this.#database.select(this.#queries[reader.query]!);
    }
  }

  async #fill(number: number): Promise<void> {
    const reader = this.#readers.get(number);
    if (reader?.selected !== undefined) {
      this.#readers.delete(number);
      const { store, query, seal, selected } = reader;
      await store.fill(this.#addresses[query]!, seal, Buffer.from(selected), TIMEOUT);
    }
  }

  #write(number: number, writes: readonly RowWrite[], process: number): void {
    if (!this.#writers.has(number)) {
      const transaction = this.#database.begin(
        writes.map(write => ({ ...write, table: this.#table(write.table) })),
      );
      if (transaction) {
        this.#writers.set(number, { store: this.#process(process), transaction, stage: 'written' });
      }
    }
  }

  /** Writes a row, and has done with it. */
  async #change(write: RowWrite, process: number): Promise<void> {
    this.#write(-1, [write], process);
    for (const step of ['mark', 'commit', 'settle'] as const) {
      await this.#go(-1, step);
    }
  }

  async #go(number: number, step: 'mark' | 'commit' | 'rollback' | 'settle' | 'crash'): Promise<void> {
    const writer = this.#writers.get(number);
    if (!writer) {
      return;
    }
    const { store, transaction, stage } = writer;
    if (step === 'mark' && stage !== 'ended') {
      await store.mark({ id: transaction.id, xid: transaction.id }, transaction.tableChanges());
      writer.stage = 'marked';
    } else if (step === 'commit' && stage === 'marked') {
      this.#database.commit(transaction);
      writer.stage = 'ended';
    } else if (step === 'rollback' && stage !== 'ended') {
      this.#database.rollback(transaction);
      writer.stage = 'ended';
    } else if (step === 'settle' && stage === 'ended') {
      this.#writers.delete(number);
      await store.settle(transaction.id, transaction.tables);
    } else if (step === 'crash') {
      this.#writers.delete(number);
      this.#database.rollback(transaction);
    }
  }

  /** What a refused reader does: settles writers that are no longer in flight, and lifts quarantines. */
  async #resolve(query: number): Promise<void> {
    const lease = await this.subject.other.lease(this.#addresses[query]!, TIMEOUT);
    if (lease.granted) {
      return;
    }
    this.#note(lease.quarantines);
    const running = new Set(Array.from(this.#database.running, ({ id }) => id));
    for (const { id, xid, tables } of lease.writers) {
      if (!running.has(xid!)) {
        await this.subject.other.settle(id, tables);
      }
    }
    for (const [nonce, [quarantine, before]] of this.#quarantines) {
      if (before.every(transaction => !this.#database.running.has(transaction))) {
        this.#quarantines.delete(nonce);
        await this.subject.other.lift(quarantine);
      }
    }
  }

  #note(quarantines: readonly Quarantine[]): void {
    for (const quarantine of quarantines) {
      if (!this.#quarantines.has(quarantine.nonce)) {
        this.#quarantines.set(quarantine.nonce, [quarantine, [...this.#database.running]]);
      }
    }
  }

  #process(number: number): Store {
    return number ? this.subject.other : this.subject.store;
  }

  #table(table: string): string {
    return `${this.name}.${table}`;
  }
}
