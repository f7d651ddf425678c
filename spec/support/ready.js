// Runs before `npm test`, `npm start` and other scripts, on any Node.js: installs the dependencies if they are missing,
// and checks that the scripts run on a supported Node.js. The dependencies contain one, and npm puts it first on the
// PATH of its scripts.
import { execFileSync, execSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import process from 'node:process';

// npm writes this file last: without it, the install is missing or incomplete. `npm ci` refuses a lock file that lacks
// the binaries of other platforms; `npm install` accepts it, and installs the same versions.
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
