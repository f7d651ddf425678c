import { MemoryStore } from '../store/memory/memory_store.js';
import { RedisStore } from '../store/redis/redis_store.js';
import { bytes } from './bytes.js';
import type { Output } from './output.js';
import type { Project } from './project.js';

const MEMORY =
  'This project keeps results in the memory of each process. Call getCacheops(orm).stats() there.';
const CUSTOM = 'This project has a custom store, which this command cannot inspect.';

export async function stats({ store }: Project, output: Output): Promise<void> {
  if (!(store instanceof RedisStore)) {
    const isMemory = store instanceof MemoryStore;
    output.answer({ store: isMemory ? 'memory' : 'custom' }, isMemory ? MEMORY : CUSTOM);
    return;
  }
  const contents = await store.contents(keys => output.progress(`${keys.toLocaleString('en')} keys`));
  const lines: [string, number, string][] = [
    ['entries', contents.entries.keys, bytes(contents.entries.bytes)],
    ['stamps', contents.stamps.keys, bytes(contents.stamps.bytes)],
    ['tables', contents.tables.keys, bytes(contents.tables.bytes)],
  ];
  const text = lines
    .map(
      ([name, count, size]) =>
        `${name.padEnd(8)} ${count.toLocaleString('en').padStart(12)} ${size.padStart(12)}`,
    )
    .join('\n');
  output.answer({ store: 'redis', ...contents }, text);
}
