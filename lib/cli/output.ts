/** Where a command says what it has done. */
export class Output {
  readonly #json: boolean;
  #progress = false;

  /** @param json answers in JSON, on one line */
  constructor(json: boolean) {
    this.#json = json;
  }

  /** What a command has come to: once, in the end. */
  answer(json: unknown, text: string): void {
    this.#endProgress();
    process.stdout.write(`${this.#json ? JSON.stringify(json) : text}\n`);
  }

  error(message: string): void {
    this.#endProgress();
    if (this.#json) {
      process.stdout.write(`${JSON.stringify({ error: message })}\n`);
    } else {
      process.stderr.write(`${message}\n`);
    }
  }

  note(message: string): void {
    this.#endProgress();
    process.stderr.write(`${message}\n`);
  }

  /** How far it is: one line for those who watch, which the next one replaces. */
  progress(message: string): void {
    if (process.stderr.isTTY) {
      this.#progress = true;
      process.stderr.write(`\r\x1b[K${message}`);
    }
  }

  #endProgress(): void {
    if (this.#progress) {
      this.#progress = false;
      process.stderr.write('\r\x1b[K');
    }
  }
}
