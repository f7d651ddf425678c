/** The output of a command. */
export class Output {
  readonly #json: boolean;
  #progress = false;

  /** @param json prints JSON, on one line */
  constructor(json: boolean) {
    this.#json = json;
  }

  /** The result of a command: once, at the end. */
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

  /** One line on a terminal, which the next one replaces. */
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
