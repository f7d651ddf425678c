import mocha from 'mocha';

/** The counts of a Mocha run. */
export interface Outcome {
  readonly passes: number;
  readonly failures: number;
}

/** Mocha's own report. The outcome goes to the parent process, or is printed in one line below. */
export default class extends mocha.reporters.Spec {
  constructor(runner: mocha.Runner, options: mocha.MochaOptions) {
    super(runner, options);
    runner.once(mocha.Runner.constants.EVENT_RUN_END, () => {
      const { passes, failures } = this.stats;
      if (process.send) {
        process.send({ passes, failures } satisfies Outcome);
      } else {
        console.log(describeOutcome({ passes, failures }));
      }
    });
  }
}

/** A machine-readable line. */
export function describeOutcome({ passes, failures }: Outcome): string {
  return `${passes} passed, ${failures} failed`;
}
