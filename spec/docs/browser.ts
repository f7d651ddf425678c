import { type ChildProcess, spawn } from 'node:child_process';
import { temporaryDirectory } from '../support/temporary_directory.js';
import { until } from '../support/until.js';

/** A page in Chromium. */
export interface BrowserPage extends Disposable {
  /** Resolves when the scripts of the page have run. */
  open(url: string): Promise<void>;
  /** The value of an expression in the page. */
  evaluate<T>(expression: string): Promise<T>;
  /** what scripts of the pages have thrown */
  readonly errors: readonly string[];
}

/** Starts Chromium, and speaks its DevTools protocol. */
export async function startBrowser(): Promise<BrowserPage> {
  const profile = temporaryDirectory('chromium');
  const args = ['--headless', '--no-sandbox', '--disable-gpu', '--remote-debugging-port=0'];
  const browser = spawn('chromium', [...args, `--user-data-dir=${profile.path}`, 'about:blank'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const response = await fetch(`http://${await addressOf(browser)}/json`);
  const targets = (await response.json()) as { type: string; webSocketDebuggerUrl: string }[];
  const socket = new WebSocket(targets.find(({ type }) => type === 'page')!.webSocketDebuggerUrl);
  await new Promise(resolve => socket.addEventListener('open', resolve));
  const open = new Map<number, (result: any) => void>();
  const errors: string[] = [];
  socket.addEventListener('message', ({ data }) => {
    const { id, method, params, result } = JSON.parse(data);
    open.get(id)?.(result);
    if (method === 'Runtime.exceptionThrown') {
      errors.push(params.exceptionDetails.exception?.description ?? params.exceptionDetails.text);
    }
  });
  const send = (method: string, params = {}) =>
    new Promise<any>(resolve => {
      open.set(open.size + 1, resolve);
      socket.send(JSON.stringify({ id: open.size, method, params }));
    });
  const evaluate = async (expression: string) =>
    (await send('Runtime.evaluate', { expression, returnByValue: true })).result?.value;
  await send('Runtime.enable');
  return {
    errors,
    evaluate,
    async open(url) {
      await send('Page.navigate', { url });
      await until(() =>
        evaluate("document.readyState === 'complete' && !!document.querySelector('#app')?.__vue_app__"),
      );
    },
    [Symbol.dispose]() {
      socket.close();
      browser.kill();
      browser.once('exit', () => profile.remove());
    },
  };
}

function addressOf(browser: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    browser.once('error', reject);
    browser.stderr!.on('data', data => {
      const [, address] = /ws:\/\/([\d.:]+)\//.exec(String(data)) ?? [];
      if (address) {
        resolve(address);
      }
    });
  });
}
