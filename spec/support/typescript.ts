import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

const TSC = join(import.meta.dirname, '..', '..', '..', 'node_modules', 'typescript', 'bin', 'tsc');

/**
 * Compiles the project of a directory in place, and returns the compiler's errors.
 *
 * @throws Error if it fails without an error message
 */
export async function complaintsOfCompiler(directory: string): Promise<string[]> {
  try {
    await promisify(execFile)(process.execPath, [TSC, '--pretty', 'false'], { cwd: directory });
    return [];
  } catch (error) {
    const { stdout } = error as { stdout: string };
    // an error begins at the margin and may continue in indented lines
    const complaints = stdout.split(/\n(?=\S)/).filter(complaint => complaint.includes('error TS'));
    if (complaints.length === 0) {
      throw error;
    }
    return complaints;
  }
}
