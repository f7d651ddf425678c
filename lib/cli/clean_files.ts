import { stat } from 'node:fs/promises';
import { fileCache } from '../functions/file_cache.js';
import { bytes } from './bytes.js';
import type { Output } from './output.js';
import { UsageError } from './usage.js';

/** For a cron job, because a `fileCache` itself deletes expired files only to make room for new ones. */
export async function cleanFiles([directory, ...rest]: readonly string[], output: Output): Promise<boolean> {
  if (directory === undefined || rest.length > 0) {
    throw new UsageError('clean-files: give the directory of a fileCache.');
  }
  const found = await stat(directory).catch(() => undefined);
  if (!found?.isDirectory()) {
    throw new UsageError(`clean-files ${directory}: there is no such directory.`);
  }
  const report = await fileCache({ directory }).clean();
  const { removed, kept } = report;
  output.answer(report, `Removed ${removed}, kept ${kept} with ${bytes(report.bytes)}.`);
  return true;
}
