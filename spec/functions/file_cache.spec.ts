import { execFile, execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, use } from 'chai';
import chaiAsPromised from 'chai-as-promised';
import fc from 'fast-check';
import { CacheMiss, CacheopsError, cached, type FileCache, fileCache } from '../../lib/index.js';
import { gate } from '../support/gate.js';
import { type TemporaryDirectory, temporaryDirectory } from '../support/temporary_directory.js';
import { until } from '../support/until.js';

use(chaiAsPromised);

/** The warnings of this process while this ran. */
async function warningsOf(run: () => unknown): Promise<string[]> {
  const warnings: string[] = [];
  const listener = ({ message }: Error) => warnings.push(message);
  process.on('warning', listener);
  try {
    await run();
    await new Promise(resolve => setImmediate(resolve)); // they are emitted later
  } finally {
    process.off('warning', listener);
  }
  return warnings;
}

describe('fileCache()', () => {
  let parent: TemporaryDirectory;
  let directory: string;
  let cache: FileCache;

  beforeEach(() => {
    parent = temporaryDirectory('files');
    directory = join(parent.path, 'cache');
    cache = fileCache({ directory, timeout: 60 });
  });

  afterEach(() => parent.remove());

  /** All files in the directory. */
  const files = () =>
    readdirSync(directory, { recursive: true, withFileTypes: true })
      .filter(entry => entry.isFile())
      .map(entry => join(entry.parentPath, entry.name));

  it('makes no folder before it is needed', async () => {
    await expect(cache.get('a')).to.be.rejectedWith(CacheMiss);
    await cache.delete('a');
    expect(await cache.clean()).to.deep.equal({ removed: 0, kept: 0, bytes: 0 });
    expect(existsSync(directory)).to.equal(false);
  });

  it('gives stored values until they are deleted', async () => {
    const value = { n: 1n, at: new Date(5), list: [undefined, -0], bytes: Buffer.from('x') };
    await cache.set('a', value);
    expect(await cache.get('a')).to.deep.equal(value);
    expect(await fileCache({ directory }).get('a')).to.deep.equal(value);
    await cache.set('a', 2);
    expect(await cache.get('a')).to.equal(2);
    await cache.delete('a');
    await expect(cache.get('a')).to.be.rejectedWith(CacheMiss, 'There is nothing in the cache under "a".');
    await expect(cache.set('a', { f: () => 1 })).to.be.rejectedWith(CacheopsError, 'value.f is a function');
  });

  it('recognises an expired file by its time of modification', async () => {
    await cache.set('a', 1);
    const [file] = files();
    const end = statSync(file!).mtimeMs - Date.now();
    expect(end).to.be.within(50_000, 60_000);
    await cache.set('b', 1, { timeout: 1000 });
    utimesSync(file!, new Date(), new Date(Date.now() - 1));
    await expect(cache.get('a')).to.be.rejectedWith(CacheMiss);
    expect(await cache.get('b')).to.equal(1);
    const { bytes, ...counts } = await cache.clean();
    expect(counts).to.deep.equal({ removed: 1, kept: 1 });
    expect(bytes).to.equal(statSync(files()[0]!).size);
  });

  it('no key leads out of the directory, and no two keys share a file', async () => {
    const hostile = ['../../evil', '/etc/passwd', '..', '.', '', 'a/b', 'a\\b', 'a\0b', 'CON', '~', 'x'.repeat(10_000), '\ud800', '\udc00', 'é', 'e\u0301']; // biome-ignore format: a list
    for (const [i, key] of hostile.entries()) {
      await cache.set(key, i);
    }
    for (const [i, key] of hostile.entries()) {
      expect(await cache.get(key), JSON.stringify(key)).to.equal(i);
    }
    expect(files()).to.have.lengthOf(hostile.length);
    expect(readdirSync(parent.path)).to.deep.equal(['cache']);
    for (const file of files()) {
      expect(file.slice(directory.length)).to.match(/^\/[0-9a-f]{2}\/[0-9a-f]{62}$/);
    }
  });

  it('a file that is damaged, truncated, or belongs to another key is a miss', async () => {
    await cache.set('a', 'the value '.repeat(10));
    const [file] = files();
    const whole = readFileSync(file!);
    const put = (bytes: Uint8Array) => {
      writeFileSync(file!, bytes);
      utimesSync(file!, new Date(), new Date(Date.now() + 60_000));
    };
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), async (at, flip) => {
        const damaged = Buffer.from(whole);
        damaged[at]! ^= flip;
        put(damaged);
        await expect(cache.get('a')).to.be.rejectedWith(CacheMiss);
      }),
      { numRuns: 100 },
    );
    for (const length of [0, 3, 11, 12, whole.length - 1]) {
      put(whole);
      truncateSync(file!, length);
      utimesSync(file!, new Date(), new Date(Date.now() + 60_000));
      await expect(cache.get('a')).to.be.rejectedWith(CacheMiss);
    }
    put(whole);
    expect(await cache.get('a')).to.equal('the value '.repeat(10));
    await cache.set('b', 1);
    const other = files().find(path => path !== file)!;
    writeFileSync(other, whole);
    utimesSync(other, new Date(), new Date(Date.now() + 60_000));
    await expect(cache.get('b')).to.be.rejectedWith(CacheMiss);
  });

  it('deletes the oldest files when it exceeds its size', async () => {
    const small = fileCache({ directory, maxSize: 10_000 });
    for (let i = 0; i < 100; i++) {
      await small.set(`key ${i}`, 'x'.repeat(500));
    }
    const size = files().reduce((sum, file) => sum + statSync(file).size, 0);
    expect(size).to.be.within(5000, 11_000);
    expect(await small.get('key 99')).to.equal('x'.repeat(500));
    await expect(small.get('key 0')).to.be.rejectedWith(CacheMiss);
  });

  it('does not store a value that is larger than its size, and deletes the previous one', async () => {
    const small = fileCache({ directory, maxSize: 1000 });
    await small.set('a', 1);
    await small.set('a', 'x'.repeat(1000));
    await expect(small.get('a')).to.be.rejectedWith(CacheMiss);
  });

  it('clean() and clear() delete its own files and abandoned temporary files', async () => {
    await cache.set('a', 1);
    const folder = join(directory, 'ab');
    mkdirSync(folder, { recursive: true });
    const begun = join(folder, `.${'0'.repeat(24)}.tmp`);
    writeFileSync(begun, 'half');
    writeFileSync(join(directory, 'README'), 'not mine');
    writeFileSync(join(folder, 'notes.txt'), 'not mine');
    // begun just now: somebody may be at it
    expect(await cache.clean()).to.include({ removed: 0 });
    expect(existsSync(begun)).to.equal(true);
    await cache.clear();
    await expect(cache.get('a')).to.be.rejectedWith(CacheMiss);
    expect(files().sort()).to.deep.equal([join(directory, 'README'), join(folder, 'notes.txt')].sort());
  });

  it('a write that fails leaves no file', async () => {
    await cache.set('a', 1);
    const [file] = files();
    const folder = file!.slice(0, file!.lastIndexOf('/'));
    await cache.delete('a');
    mkdirSync(file!); // nothing can be renamed to it
    await warningsOf(() => cache.set('a', 2));
    expect(readdirSync(folder)).to.deep.equal([file!.slice(folder.length + 1)]);
  });

  it('concurrent calls compute once', async () => {
    let computed = 0;
    const values = await Promise.all(
      Array.from({ length: 10 }, () => cache.through('a', async () => [++computed])),
    );
    expect(values).to.deep.equal(values.map(() => [1]));
    expect(await cache.through('a', async () => 2)).to.deep.equal([1]);
  });

  it('does not store a value that was deleted while it was computed', async () => {
    const value = await cache.through('a', async () => {
      await cache.delete('a');
      return 'old';
    });
    expect(value).to.equal('old');
    await expect(cache.get('a')).to.be.rejectedWith(CacheMiss);
  });

  it('does not store a value that was deleted while it was written', async () => {
    for (let i = 0; i < 20; i++) {
      let deleted: Promise<void> | undefined;
      await cache.through(`key ${i}`, async () => {
        setImmediate(() => {
          deleted = cache.delete(`key ${i}`);
        });
        return 'old';
      });
      await until(() => deleted !== undefined);
      await deleted;
      await expect(cache.get(`key ${i}`)).to.be.rejectedWith(CacheMiss);
    }
  });

  it('does not store a value that was set while it was computed', async () => {
    await cache.through('a', async () => {
      await cache.set('a', 'new');
      return 'old';
    });
    expect(await cache.get('a')).to.equal('new');
  });

  it('does not store a value that was deleted while it was computed, whatever other variants do', async () => {
    const variants = ['one', 'two'].map(text => ({ text, managers: [] }));
    const [slow, other] = [gate(), gate()];
    const outdated = cache.through('a', () => slow.pass().then(() => 'old'), {}, variants[0]);
    await slow.reached;
    await cache.through('a', async () => 'other', {}, variants[1]);
    await cache.delete('a');
    const computing = cache.through('a', () => other.pass().then(() => 'new'), {}, variants[1]);
    await other.reached;
    slow.open();
    expect(await outdated).to.equal('old');
    other.open();
    await computing;
    await expect(cache.get('a', variants[0])).to.be.rejectedWith(CacheMiss);
    expect(await cache.get('a', variants[1])).to.equal('new');
  });

  it('serves cached functions', async () => {
    let computed = 0;
    const fn = cached({ timeout: 60, cache, name: 'in files' })(async (n: number) => n + ++computed);
    expect([await fn(1), await fn(1), await fn(2)]).to.deep.equal([2, 2, 4]);
    await fn.invalidate(1);
    expect(await fn(1)).to.equal(4);
  });

  it('uses a serializer', async () => {
    const json = fileCache({
      directory,
      serializer: { encode: JSON.stringify, decode: text => JSON.parse(text as string) },
    });
    await json.set('a', { at: new Date(0) });
    expect(await json.get('a')).to.deep.equal({ at: '1970-01-01T00:00:00.000Z' });
    expect(readFileSync(files()[0]!, 'latin1')).to.include('{"at":"1970');
  });

  it('values of another serializer are misses, and can be deleted', async () => {
    const upper = fileCache({
      directory,
      serializer: {
        encode: value => JSON.stringify(value).toUpperCase(),
        decode: text => JSON.parse((text as string).toLowerCase()),
      },
    });
    const plain = fileCache({ directory });
    await upper.set('a', 'x');
    await expect(plain.get('a')).to.be.rejectedWith(CacheMiss);
    await plain.set('a', 'y');
    await expect(upper.get('a')).to.be.rejectedWith(CacheMiss);
    expect(await plain.get('a')).to.equal('y');
    await upper.delete('a');
    await expect(plain.get('a')).to.be.rejectedWith(CacheMiss);
    expect(() => fileCache({ directory, serializer: {} as never })).to.throw(
      'fileCache(): serializer: {} is no serializer',
    );
  });

  it('is safe with several processes that write, read, delete and clean the same files', async () => {
    const program = fileURLToPath(new URL('./support/file_writer.js', import.meta.url));
    await Promise.all(
      ['one', 'two', 'three'].map(name => promisify(execFile)(process.execPath, [program, directory, name])),
    );
    expect(files().filter(file => file.endsWith('.tmp'))).to.deep.equal([]);
  });

  describe('with failures of the file system', () => {
    /** Where a value would be, and the folder of that. */
    async function placeOf(key: string): Promise<{ file: string; folder: string }> {
      await cache.set(key, 'old');
      const [file] = files();
      await cache.delete(key);
      return { file: file!, folder: dirname(file!) };
    }
    const end = () => new Date(Date.now() + 60_000);
    /** A file as the cache would have written it. */
    async function contentOf(key: string, value: unknown): Promise<Buffer> {
      await cache.set(key, value);
      const [file] = files();
      const content = readFileSync(file!);
      await cache.delete(key);
      return content;
    }

    it('a function gives its result, and one warning says why it is not stored', async () => {
      const fail: Record<string, (path: string) => void> = {
        'a file where the directory should be': path => writeFileSync(path, ''),
        'a file where the directory’s parent should be': path => {
          rmSync(dirname(path), { recursive: true, force: true });
          writeFileSync(dirname(path), '');
        },
        'a device where the directory should be': path => symlinkSync('/dev/full', path),
        'a link that leads to itself': path => symlinkSync(path, path),
      };
      for (const [what, prepare] of Object.entries(fail)) {
        const path = join(parent.path, what, 'files');
        mkdirSync(dirname(path));
        prepare(path);
        let computed = 0;
        const broken = fileCache({ directory: path });
        const fn = cached({ timeout: 60, name: what, cache: broken })(
          async (n: number) => `${n} ${++computed}`,
        );
        const warnings = await warningsOf(async () => {
          expect([await fn(1), await fn(1)], what).to.deep.equal(['1 1', '1 2']);
          await broken.set('a', 1);
          await expect(broken.get('a'), what).to.be.rejectedWith(CacheMiss);
        });
        expect(warnings.filter(text => text.startsWith('fileCache(): write in'))).to.have.lengthOf(1);
      }
    });

    it('a folder, a FIFO, a device and a link in the place of a file are misses, and are replaced if possible', async () => {
      const { file, folder } = await placeOf('a');
      const content = await contentOf('a', 'planted');
      const elsewhere = join(parent.path, 'elsewhere');
      writeFileSync(elsewhere, content);
      utimesSync(elsewhere, end(), end());
      const put: Record<string, () => void> = {
        folder: () => mkdirSync(file),
        fifo: () => execFileSync('mkfifo', [file]),
        device: () => symlinkSync('/dev/zero', file),
        link: () => symlinkSync(elsewhere, file),
      };
      for (const [what, make] of Object.entries(put)) {
        make();
        const warnings = await warningsOf(async () => {
          await expect(cache.get('a'), what).to.be.rejectedWith(CacheMiss);
          expect(await cache.through('a', async () => 'new'), what).to.equal('new');
          await cache.delete('a');
          await cache.clean();
          await cache.clear();
        });
        expect(warnings.join(), what).to.not.contain('uncaught');
        rmSync(file, { recursive: true, force: true });
        expect(readdirSync(folder), what).to.deep.equal([]);
      }
      expect(readFileSync(elsewhere).equals(content)).to.equal(true);
    });

    it('a link in the place of a folder is not followed to read, write or clean', async () => {
      const { folder, file } = await placeOf('a');
      const content = await contentOf('a', 'planted');
      const elsewhere = join(parent.path, 'elsewhere');
      rmSync(folder, { recursive: true });
      mkdirSync(elsewhere);
      symlinkSync(elsewhere, folder);
      const planted = join(elsewhere, basename(file));
      writeFileSync(planted, content);
      utimesSync(planted, end(), end());
      await warningsOf(async () => {
        await expect(cache.get('a')).to.be.rejectedWith(CacheMiss);
        expect(await cache.through('a', async () => 'new')).to.equal('new');
        await cache.clean();
        await cache.clear();
      });
      expect(readdirSync(elsewhere)).to.deep.equal([basename(file)]);
      utimesSync(planted, new Date(0), new Date(0));
      await cache.clean();
      expect(readdirSync(elsewhere)).to.deep.equal([basename(file)]);
    });

    it('only this user can access the files, whatever the umask is', async () => {
      const before = process.umask(0);
      try {
        await cache.set('a', 1);
      } finally {
        process.umask(before);
      }
      const [file] = files();
      const mode = (path: string) => (statSync(path).mode & 0o777).toString(8);
      expect([mode(file!), mode(dirname(file!)), mode(directory)]).to.deep.equal(['600', '700', '700']);
    });

    it('files of other programs with the same names are not deleted', async () => {
      const { file, folder } = await placeOf('a');
      const other = join(folder, 'f'.repeat(62));
      for (const path of [file, other]) {
        writeFileSync(path, 'a file of another program');
        utimesSync(path, new Date(0), new Date(0));
      }
      expect(await cache.clean()).to.deep.include({ removed: 0 });
      await cache.clear();
      expect(readdirSync(folder).sort()).to.deep.equal([basename(file), basename(other)].sort());
    });

    it('a file that is larger than the cache may be is not read', async () => {
      const small = fileCache({ directory, maxSize: 1000 });
      await cache.set('a', 'x'.repeat(5000));
      await expect(small.get('a')).to.be.rejectedWith(CacheMiss);
      expect(await cache.get('a')).to.have.lengthOf(5000);
    });

    it('a file that cannot be deleted is an error', async () => {
      if (process.geteuid!() === 0) {
        // as root nothing is refused but what the kernel refuses to all
        const odd = fileCache({ directory: `/proc/self/fd/\0` });
        await expect(odd.delete('a')).to.be.rejectedWith();
        return;
      }
      await cache.set('a', 1);
      const [file] = files();
      chmodSync(dirname(file!), 0o500);
      await expect(cache.delete('a')).to.be.rejectedWith(/EACCES/);
      chmodSync(dirname(file!), 0o700);
    });
  });

  it('throws at once if options are wrong', () => {
    const misuse = fileCache as unknown as (options: unknown) => unknown;
    expect(() => misuse(undefined)).to.throw(CacheopsError, 'fileCache(): undefined is no object');
    expect(() => misuse({})).to.throw('fileCache(): directory: undefined is no path');
    expect(() => misuse({ directory, maxSize: 0.5 })).to.throw('maxSize: 0.5 is not a whole number of bytes');
    expect(() => misuse({ directory, timeout: 0 })).to.throw('fileCache(): timeout: 0');
    expect(() => misuse({ folder: directory })).to.throw("there is no option 'folder'");
  });
});
