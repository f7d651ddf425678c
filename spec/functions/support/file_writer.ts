import { CacheMiss, fileCache } from '../../../lib/index.js';

/** Writes, reads and deletes what others write, read and delete at the same time; ends with 1 if it reads what nobody wrote. */
const [directory, name] = process.argv.slice(2) as [string, string];
const cache = fileCache({ directory, maxSize: 200_000 });

for (let i = 0; i < 300; i++) {
  const key = `key ${i % 7}`;
  await cache.set(key, { key, text: `${name} ${i} `.repeat(1 + (i % 50)) });
  try {
    const found = await cache.get<{ key: string; text: string }>(`key ${(i * 3) % 7}`);
    const [first] = found.text.split(/(?<=\d )/);
    if (found.key !== `key ${(i * 3) % 7}` || found.text.replaceAll(first!, '') !== '') {
      throw new Error(`read ${JSON.stringify(found)}`);
    }
  } catch (error) {
    if (!(error instanceof CacheMiss)) {
      throw error;
    }
  }
  if (i % 11 === 0) {
    await cache.delete(key);
  }
  if (i % 50 === 0) {
    await cache.clean();
  }
}
