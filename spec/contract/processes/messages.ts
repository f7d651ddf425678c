import type { Step } from './steps.js';

/** What a child process is told. */
export type Order =
  /** Do this, and if it is `stepwise`, stop before every step. */
  | {
      readonly kind: 'run';
      readonly id: number;
      readonly task: string;
      readonly args: readonly unknown[];
      readonly stepwise: boolean;
    }
  /** Take the step that it stands before. */
  | { readonly kind: 'go'; readonly id: number }
  /** Have all take the step that they stand before, and die in the same breath: no answer is heard any more. */
  | { readonly kind: 'die' };

/** What it tells. */
export type News =
  | { readonly kind: 'ready' }
  | { readonly kind: 'stop'; readonly id: number; readonly step: Step }
  | { readonly kind: 'end'; readonly id: number; readonly answer: unknown }
  | { readonly kind: 'failure'; readonly id: number; readonly message: string };
