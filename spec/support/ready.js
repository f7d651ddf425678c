// Runs before `npm test`, `npm start` and the like, on whichever Node.js the machine has: installs the dependencies
// if that was never done, and sees to it that what follows runs on a Node.js that the package supports. One comes
// with the dependencies, and npm puts it first on the PATH of its scripts.
import { execFileSync, execSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import process from 'node:process';

// npm writes this file last: a folder without it is an install that was broken off. `npm ci` would refuse a lock file
// that was written where binaries for other platforms are not to be had; this keeps to it just as well.
if (!existsSync('node_modules/.package-lock.json')) {
  execSync('npm install --no-save --include=dev --no-audit --no-fund --loglevel=error', { stdio: 'inherit' });
}

const { engines } = JSON.parse(readFileSync('package.json', 'utf8'));
const found = execFileSync('node', ['--version'], { encoding: 'utf8' }).trim();
if (isOlder(numbers(found), numbers(engines.node))) {
  console.error(
    `Node.js ${engines.node} is needed, but the scripts would run on ${found}: run "npm install" first.`,
  );
  process.exit(1);
}

function numbers(version) {
  return version.match(/\d+/g).map(Number);
}

function isOlder(version, minimum) {
  const at = minimum.findIndex((part, i) => part !== version[i]);
  return at >= 0 && version[at] < minimum[at];
}
