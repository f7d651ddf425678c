import type { Step } from './steps.js';

/** A message to a child process. */
export type Order =
  /** Runs a task. If `stepwise`, it stops before every step. */
  | {
      readonly kind: 'run';
      readonly id: number;
      readonly task: string;
      readonly args: readonly unknown[];
      readonly stepwise: boolean;
    }
  /** Takes the pending step. */
  | { readonly kind: 'go'; readonly id: number }
  /** Takes all pending steps and kills the process at once, before any answer arrives. */
  | { readonly kind: 'die' };

/** A message from a child process. */
export type Report =
  | { readonly kind: 'ready' }
  | { readonly kind: 'stop'; readonly id: number; readonly step: Step }
  | { readonly kind: 'end'; readonly id: number; readonly answer: unknown }
  | { readonly kind: 'failure'; readonly id: number; readonly message: string };
